"""Plays as they go on: what texts were met, what the victim asked for, and what the tools really did."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._injection._suite import Answer, Call, Case, Play, Verdict, World

LINE = 1 << 24
"""Bytes of the longest call."""


@dataclass(slots=True, kw_only=True)
class Scene:
    """One play with what has happened in it."""

    play: Play
    met: bool = False
    """Whether a model was shown what the attacker wrote."""
    asked: list[Call] = field(default_factory=list)
    """What the victim asked for because a text told it to, in the order of its asking."""
    done: list[Call] = field(default_factory=list)
    """What the tools carried out."""


class Stage:
    """All scenes of one world, by their keys."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._scenes: dict[str, Scene] = {}

    def scene(self, key: str) -> Scene:
        """The scene of a key."""
        return self._scenes[key]

    async def open(self, key: str, case: Case) -> Scene:
        """A new scene."""
        scene = self._scenes[key] = Scene(play=await self.world.open(key, case))
        return scene

    async def call(self, key: str, tool: str, arguments: Mapping[str, Any]) -> Answer:
        """What a tool says, which has been called by now."""
        self._scenes[key].done.append(Call(tool=tool, arguments=dict(arguments)))
        return await self.world.call(key, tool, arguments)

    async def close(self, key: str, said: str) -> Verdict:
        """What has become of a scene, which is over."""
        del self._scenes[key]
        return await self.world.close(key, said)


@asynccontextmanager
async def serving(stage: Stage, socket: Path) -> AsyncIterator[None]:
    """Lets another process call the tools: a line of JSON for the list of them, then one for each call."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tools = [tool.model_dump() for tool in stage.world.tools.values()]
        writer.write(json.dumps(tools).encode() + b"\n")
        while line := await reader.readline():
            asked = json.loads(line)
            answer = await stage.call(asked["key"], asked["tool"], asked["arguments"])
            told = {"text": answer.text, "is_error": answer.is_error}
            writer.write(json.dumps(told).encode() + b"\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, str(socket), limit=LINE)
    try:
        yield
    finally:
        server.close()
