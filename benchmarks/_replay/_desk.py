"""The desk that carries out recorded tasks: an AutoGen team, its scripted model, and its shop.

The script answers from the conversation alone, so that a desk which was killed goes on in another process.
"""

import os
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Literal

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import SourceMatchTermination
from autogen_agentchat.teams import RoundRobinGroupChat

import proctor
from benchmarks._replay._data import Task
from proctor import Settings
from proctor.core import ModelCall
from proctor.testing import Reply, tool_call

Keys = Literal["keyed", "keyless"]
"""Whether the shop honours idempotency keys. It is the name of the team and of its tool server too."""

FILE = "proctor.db"
SHOPS = "shops"
_MOST_STEPS = 1000


def application() -> proctor.App:
    """One desk for each kind of shop."""
    app = proctor.App()
    for keys in ("keyed", "keyless"):
        app.team(keys, tools=[keys])(_factory(keys))
    return app


def _factory(server: str) -> Callable[[proctor.TeamContext], RoundRobinGroupChat]:
    def desk(ctx: proctor.TeamContext) -> RoundRobinGroupChat:
        analyst = AssistantAgent(
            "analyst",
            model_client=ctx.model("scripted"),
            system_message="Tell the clerk what the customer needs.",
        )
        clerk = AssistantAgent(
            "clerk",
            model_client=ctx.model("scripted"),
            workbench=ctx.tools(server),
            max_tool_iterations=_MOST_STEPS,
            system_message="Settle the customer's concern with your tools.",
        )
        return RoundRobinGroupChat(
            [analyst, clerk], termination_condition=SourceMatchTermination([clerk.name])
        )

    return desk


def settings(folder: Path, *, pause: str = "") -> Settings:
    """A configuration with both kinds of shop in a folder; `pause` is the store's own fault door."""
    env = {"PROCTOR_STORE_PAUSE": pause}
    if path := os.environ.get("PYTHONPATH"):
        env["PYTHONPATH"] = path
    command = [sys.executable, "-m", "proctor.deployments.support.shop", "--root", str(folder / SHOPS)]
    limits = {"max_tool_iterations": _MOST_STEPS, "max_calls": 10 * _MOST_STEPS}
    return Settings.model_validate(
        {
            "database": {"url": f"sqlite:///{folder / FILE}"},
            "models": {"scripted": {"model": "scripted", "price": "free"}},
            "tools": {
                "keyed": {"command": command, "env": env},
                "keyless": {"command": [*command, "--no-idempotency"], "env": env},
            },
            "teams": {"keyed": limits, "keyless": limits},
        }
    )


def opening(number: int, task: Task) -> str:
    """What a run for the n-th task is started with."""
    return f"Case {number}. {task.text}"


def case_of(text: str) -> int:
    """The number of the task that a run was started for."""
    found = re.match(r"Case (\d+)\.", text)
    assert found is not None, "this run was started by someone else"
    return int(found[1])


def script(
    tasks: Sequence[Task], around: Callable[[], Awaitable[None]] | None = None
) -> Callable[[ModelCall], Awaitable[Reply]]:
    """A model that asks for the recorded calls, one after another; each answer waits for `around`."""

    async def answer(call: ModelCall) -> Reply:
        if around is not None:
            await around()
        number = next(case_of(str(said["content"])) for said in call.messages if said["role"] == "user")
        if not call.tools:
            return f"The customer of case {number} needs what was recorded."
        steps = tasks[number].steps
        done = sum(said["role"] == "tool" for said in call.messages)
        if done == len(steps):
            return f"Case {number} is settled."
        return [tool_call(steps[done].tool, **steps[done].arguments)]

    return answer
