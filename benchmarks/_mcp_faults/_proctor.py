"""Proctor's side: its `ToolServer`, as every run uses it."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from benchmarks._mcp_faults._faults import START_SECONDS, Bench
from proctor.core import SystemClock, ToolCall, ToolError, ToolServerSettings, ToolSpec
from proctor.testing import FakeScope
from proctor.tools import ToolServer


class ProctorBench:
    """A server as Proctor holds it."""

    def __init__(self, command: Sequence[str], call_seconds: float) -> None:
        settings = ToolServerSettings(
            command=tuple(command),
            call_timeout=timedelta(seconds=call_seconds),
            start_timeout=timedelta(seconds=START_SECONDS),
        )
        self._server = ToolServer("faulty", settings, SystemClock())

    async def start(self) -> None:
        await self._server.start()

    async def call(self, tool: str, /, **arguments: Any) -> str:
        spec = ToolSpec(server="faulty", name=tool, description="", parameters={})
        result = await self._server.call(ToolCall(scope=FakeScope(), tool=spec, arguments=arguments))
        if result.is_error:
            raise ToolError(result.text)
        return result.text

    async def cancelled(self, started: Callable[[], bool], tool: str, /, **arguments: Any) -> None:
        task = asyncio.create_task(self.call(tool, **arguments))
        while not started() and not task.done():  # noqa: ASYNC110 - another process says so
            await asyncio.sleep(0.01)
        task.cancel()
        await task

    async def schema(self, tool: str) -> Any:
        return next(spec.parameters for spec in await self._server.list_tools() if spec.name == tool)

    async def close(self) -> None:
        await self._server.close()


def open_proctor(command: Sequence[str], *, call_seconds: float) -> Bench:
    """A connection of Proctor's, on which a call may take so long."""
    return ProctorBench(command, call_seconds)
