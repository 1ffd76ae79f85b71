"""The contender's side: AutoGen's `McpWorkbench` on `mcp` 1.x. It measures a fault for each line it reads."""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from autogen_core import CancellationToken
from autogen_ext.tools.mcp import McpWorkbench, StdioServerParams  # type: ignore[import-not-found]

from benchmarks._mcp_faults._faults import Bench, meet


class ToolFailed(Exception):
    """The workbench gave an error as the tool's result."""


class AutogenBench:
    """A server as AutoGen holds it."""

    def __init__(self, command: Sequence[str], call_seconds: float) -> None:
        # One time for the start and for calls: it has no other.
        self._bench = McpWorkbench(
            StdioServerParams(command=command[0], args=[*command[1:]], read_timeout_seconds=call_seconds)
        )

    async def start(self) -> None:
        await self._bench.start()

    async def call(self, tool: str, /, **arguments: Any) -> str:
        return await self._call(tool, arguments, CancellationToken())

    async def _call(self, tool: str, arguments: dict[str, Any], token: CancellationToken) -> str:
        result = await self._bench.call_tool(tool, arguments, token)
        text = str(result.to_text())
        if result.is_error:
            raise ToolFailed(text)
        return text

    async def cancelled(self, started: Callable[[], bool], tool: str, /, **arguments: Any) -> None:
        token = CancellationToken()
        task = asyncio.create_task(self._call(tool, arguments, token))
        while not started() and not task.done():  # noqa: ASYNC110 - another process says so
            await asyncio.sleep(0.01)
        try:
            token.cancel()
            await task
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def schema(self, tool: str) -> Any:
        tools = await self._bench.list_tools()
        return next(each["parameters"] for each in tools if each["name"] == tool)

    async def close(self) -> None:
        await self._bench.stop()


def _open(command: Sequence[str], *, call_seconds: float) -> Bench:
    return AutogenBench(command, call_seconds)


def main() -> None:
    # Written as it would be, but where nobody reads it: 5,000 tracebacks for the lines that are no message.
    logging.basicConfig(filename=os.devnull)
    for line in sys.stdin:
        order = json.loads(line)
        opens = partial(_open, call_seconds=order["call_seconds"])
        print(json.dumps(asyncio.run(meet(opens, sys.executable, order["fault"]))), flush=True)


if __name__ == "__main__":
    main()
