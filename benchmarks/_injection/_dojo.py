"""AgentDojo's suites as a world: its tools and its checks run as they are, in an environment of their own."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks._injection._suite import Answer, Call, Case, Order, Play, Tool, Verdict
from benchmarks._overhead._children import Child, start
from benchmarks._overhead._environments import environment

SUITES = ("workspace", "banking", "slack", "travel")
"""Those that AgentDojo has."""

WORLD = "benchmarks._injection._dojo_world"
LINE = 1 << 24
"""Bytes of the longest answer."""


class Dojo:
    """One suite of AgentDojo, in a process that holds the state of each play."""

    secrets: Sequence[str] = ()

    def __init__(self, child: Child, described: Mapping[str, Any]) -> None:
        self.name: str = described["name"]
        self.tools: Mapping[str, Tool] = {one["name"]: Tool.model_validate(one) for one in described["tools"]}
        self.cases: Sequence[Case] = [Case(**one) for one in described["cases"]]
        self.left_out: Sequence[str] = described["left_out"]
        """Injections for which nobody says which calls they aim at."""
        self._child = child
        self._turn = asyncio.Lock()

    async def open(self, key: str, case: Case) -> Play:
        """A new play."""
        told = await self._tell(do="open", key=key, task=case.task, injection=case.injection)
        orders = [Order(id=one["id"], text=one["text"], calls=_calls(one["calls"])) for one in told["orders"]]
        return Play(
            case=case,
            prompt=told["prompt"],
            steps=_calls(told["steps"]),
            answer=told["answer"],
            orders=tuple(orders),
        )

    async def call(self, key: str, tool: str, arguments: Mapping[str, Any]) -> Answer:
        """What the suite's own function gives."""
        return Answer(**await self._tell(do="call", key=key, tool=tool, arguments=dict(arguments)))

    async def close(self, key: str, said: str) -> Verdict:
        """What the task's and the injection's own checks say."""
        return Verdict(**await self._tell(do="close", key=key, said=said))

    async def _tell(self, **order: Any) -> dict[str, Any]:
        async with self._turn:
            return await self._child.tell(**order)


@asynccontextmanager
async def open_dojo(suite: str, attack: str, python: Path | None = None) -> AsyncIterator[Dojo]:
    """The suite, ready to be played; without an interpreter that has AgentDojo uv makes an environment."""
    if python is None:
        requirements = Path(__file__).with_name("agentdojo.txt")
        python = await asyncio.to_thread(environment, "agentdojo", requirements)
    async with start(python, WORLD, suite, attack, shares=False, limit=LINE) as child:
        yield Dojo(child, await child.hear())


def _calls(told: Sequence[Mapping[str, Any]]) -> tuple[Call, ...]:
    return tuple(Call(tool=one["tool"], arguments=one["arguments"]) for one in told)
