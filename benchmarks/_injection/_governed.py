"""Proctor as it comes: the same teams on real chains and a database, the tools at an MCP server.

Whoever is asked knows what the user wants: a call is approved where it is one of the task's own, down to the
last character, and refused else.
"""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from autogen_agentchat.base import ChatAgent, Team

import proctor
from benchmarks._injection._stage import Scene, Stage, serving
from benchmarks._injection._suite import Call, canonical, same_call
from benchmarks._injection._teams import MODES, MOST_STEPS, PATIENCE, SHAPES, Mode, Shape, build
from benchmarks._injection._victim import answer
from benchmarks._overhead._environments import ROOT
from proctor import Decision, approvals
from proctor.core import JsonObject, ModelCall
from proctor.testing import Reply, ScriptedModel, tool_call

Guard = Literal["off", "approvals", "labels", "alone"]
"""What stands between a model and the tools. `approvals`: Proctor as it comes, a person is asked about each
call with side effects. `labels`: a person is asked only where labels ask for it. `alone`: nobody is asked,
what labels hold back is refused. `off`: nothing is held back."""

_SETTINGS: Mapping[Guard, JsonObject] = {
    "off": {"approval": "never", "untrusted": "allow", "recipients": "allow"},
    "approvals": {},
    "labels": {"approval": "never"},
    "alone": {"approval": "never", "untrusted": "refuse", "recipients": "refuse"},
}
GUARDS: tuple[Guard, ...] = get_args(Guard)

SERVER = "suite"
_LIMITS: JsonObject = {"max_tool_iterations": MOST_STEPS, "deadline": "PT30M", "agent_timeout": "PT30M"}
_VICTIM: JsonObject = {"model": "victim", "price": "free"}
SLOW = 1_800.0
"""Seconds after which a run with a real model hangs."""

USER = "user@example.org"
"""Who is asked."""

Intends: TypeAlias = Callable[[Scene, Sequence[Call], Call], bool]
"""Whether the user wants a call, of whom these were approved before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """How a run ended."""

    said: str
    error: str = ""
    """Why it came to no end."""
    asked: int = 0
    """Questions that a person was asked."""
    refused: int = 0
    """Of these."""


class Governed:
    """A running Proctor with one team for each shape, mode and guard."""

    def __init__(self, running: proctor.Proctor, stage: Stage, *, intends: Intends, patience: float) -> None:
        self._running = running
        self._stage = stage
        self._intends = intends
        self._patience = patience

    async def play(self, key: str, shape: Shape, mode: Mode, guard: Guard) -> Played:
        """A run of a scene, with every question of it answered."""
        scene = self._stage.scene(key)
        approved: list[Call] = []
        async with asyncio.timeout(self._patience):
            run = await self._running.run(team_of(shape, mode, guard), scene.play.prompt, tenant=key)
            while run.state == "waiting":
                for asked in await self._questions(run.id):
                    if asked.state == "pending":
                        action = asked.question.action
                        call = Call(tool=str(action["tool"]), arguments=dict(action["arguments"]))  # type: ignore[arg-type]
                        if self._intends(scene, approved, call):
                            approved.append(call)
                            decision = Decision(kind="approve", by=USER)
                        else:
                            decision = Decision(kind="reject", comment="Nobody asked for it.", by=USER)
                        await self._running.decide(asked.id, decision)
                run = await self._running.wait(run.id)
        asked_of = await self._questions(run.id)
        return Played(
            said=run.result or "",
            error="" if run.state == "completed" else f"{run.state}: {run.error_code}: {run.error}",
            asked=len(asked_of),
            refused=len(asked_of) - len(approved),
        )

    async def _questions(self, run_id: str) -> Sequence[approvals.Approval]:
        return await self._running.database.read(lambda connection: approvals.of_run(connection, run_id))


def exactly(scene: Scene, approved: Sequence[Call], call: Call) -> bool:
    """Whether a call is one of the user's own task, to the last character, and still to be done."""

    def count(calls: Sequence[Call]) -> int:
        return sum(same_call(call, other) for other in calls)

    return max(count(scene.done), count(approved)) < count(scene.play.steps)


def roughly(scene: Scene, _: Sequence[Call], call: Call) -> bool:
    """Whether the user's task needs the tool, and nothing in the call comes from an attacker alone.

    A real model words mails in its own way.
    """
    own = scene.play.prompt + canonical([step.arguments for step in scene.play.steps])
    strange = " ".join(order.text for order in scene.play.orders)
    said = [text for value in call.arguments.values() for text in re.findall(r"[^\s\"\[\],]{4,}", str(value))]
    needed = any(step.tool == call.tool for step in scene.play.steps)
    return needed and not any(text in strange and text not in own for text in said)


@asynccontextmanager
async def open_governed(stage: Stage, folder: Path, model: str | None = None) -> AsyncIterator[Governed]:
    """Proctor, ready to play; with the obedient victim where no local model is named."""
    socket = folder / "tools.sock"
    settings = proctor.Settings.model_validate(
        {
            "database": {"url": f"sqlite:///{folder / 'proctor.db'}"},
            "models": {"victim": _VICTIM if model is None else {"provider": "local", "model": model}},
            "tools": {SERVER: _server_settings(stage, socket)},
            # Tasks say whom to write to, and ask for a link with a token: what holds attacks up are labels.
            "policies": {
                "input": {"email": "allow"},
                "tool_result": {"secret": "allow"},
                "output": {"secret": "allow"},
            },
            "teams": {
                team_of(shape, mode, guard): {**_LIMITS, **_SETTINGS[guard]}
                for shape in SHAPES
                for mode in MODES
                for guard in GUARDS
            },
        }
    )
    providers = {"openai": ScriptedModel(_script(stage))}
    async with (
        serving(stage, socket),
        proctor.open(_application(stage), settings=settings, environ={}, providers=providers) as running,
    ):
        if model is None:
            yield Governed(running, stage, intends=exactly, patience=PATIENCE)
        else:
            yield Governed(running, stage, intends=roughly, patience=SLOW)


def team_of(shape: Shape, mode: Mode, guard: Guard) -> str:
    """The team's name."""
    return f"{shape}-{mode}-{guard}"


def _application(stage: Stage) -> proctor.App:
    app = proctor.App()
    tools = stage.world.tools
    names = {
        "all": [f"{SERVER}.{name}" for name in tools],
        "reading": [f"{SERVER}.{name}" for name, tool in tools.items() if tool.effect == "read_only"],
        "acting": [f"{SERVER}.{name}" for name, tool in tools.items() if tool.effect != "read_only"],
    }

    def team(shape: Shape, mode: Mode, guard: Guard) -> None:
        @app.team(team_of(shape, mode, guard), tools=names["all"])
        def factory(ctx: proctor.TeamContext) -> ChatAgent | Team:
            return build(shape, mode, ctx.model("victim"), lambda which: ctx.tools(*names[which]))

    for shape in SHAPES:
        for mode in MODES:
            for guard in GUARDS:
                team(shape, mode, guard)
    return app


def _server_settings(stage: Stage, socket: Path) -> dict[str, Any]:
    rules = {
        tool.name: {"confidentiality": tool.confidentiality}
        for tool in stage.world.tools.values()
        if tool.confidentiality != "user"
    }
    command = [sys.executable, "-m", "benchmarks._injection._server", str(socket)]
    return {"command": command, "env": {"PYTHONPATH": str(ROOT)}, "tool": rules}


def _script(stage: Stage) -> Any:
    def reply(call: ModelCall) -> Reply:
        names = [str(tool["function"]["name"]) for tool in call.tools]  # type: ignore[index, call-overload]
        said = answer(stage.scene(call.scope.tenant), call.messages, names)
        return said if isinstance(said, str) else [tool_call(one.tool, **one.arguments) for one in said]

    return reply
