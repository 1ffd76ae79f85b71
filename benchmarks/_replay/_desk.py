"""The desk that carries out recorded tasks: an AutoGen team, its scripted model, and its shop.

The script answers from the conversation alone, so that a desk which was killed goes on in another process.
"""

import os
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import SourceMatchTermination
from autogen_agentchat.teams import RoundRobinGroupChat

import proctor
from benchmarks._replay._data import Task
from benchmarks._replay._place import Place
from proctor import Settings
from proctor.core import ModelCall
from proctor.testing import Reply, tool_call

Keys = Literal["keyed", "keyless"]
"""Whether the shop honours idempotency keys. It is the name of the team and of its tool server too."""

_MOST_STEPS = 1000
_RETRIES = 20
"""The most that may be set: a run that is hit again and again by chance must not be parked."""


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
            model_client_stream=True,
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


def settings(place: Place, *, pause: str = "") -> Settings:
    """A configuration with both kinds of shop at a place; `pause` is the store's own fault door."""
    env = {"PROCTOR_STORE_PAUSE": pause}
    if path := os.environ.get("PYTHONPATH"):
        env["PYTHONPATH"] = path
    command = [sys.executable, "-m", "proctor.deployments.support.shop", "--root", str(place.shops)]
    limits = {"max_tool_iterations": _MOST_STEPS, "max_calls": 10 * _MOST_STEPS, "retries": _RETRIES}
    return Settings.model_validate(
        {
            "database": {"url": place.database},
            "engine": place.engine,
            "models": {"scripted": {"model": "scripted", "price": "free"}},
            "tools": {
                "keyed": {"command": command, "env": env},
                "keyless": {"command": [*command, "--no-idempotency"], "env": env},
            },
            "teams": {"keyed": limits, "keyless": limits},
            # The recorded tasks are orders to somebody who plays a customer, by whose address they are known.
            "policies": {"input": {"injection": "allow", "email": "allow", "password": "allow"}},
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
    tasks: Sequence[Task], around: Callable[[ModelCall], Awaitable[None]] | None = None
) -> Callable[[ModelCall], Awaitable[Reply]]:
    """A model that asks for the recorded calls, one after another; each answer waits for `around`."""

    async def answer(call: ModelCall) -> Reply:
        if around is not None:
            await around(call)
        number = next(case_of(str(said["content"])) for said in call.messages if said["role"] == "user")
        if not call.tools:
            return f"The customer of case {number} needs what was recorded."
        steps = tasks[number].steps
        done = sum(said["role"] == "tool" for said in call.messages)
        if done == len(steps):
            return f"Case {number} is settled."
        return [tool_call(steps[done].tool, **steps[done].arguments)]

    return answer
