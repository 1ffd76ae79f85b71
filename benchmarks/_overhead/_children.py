"""The processes of the measurement, spoken to in lines of JSON."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks._overhead._environments import ROOT

PATIENCE = 600
"""Seconds that one order may take."""
LINE = 1 << 16
"""Bytes of an answer, unless more are expected."""


class Child:
    """A program that answers each line with a line, and ends with its input."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self._name = name
        self._process = process

    async def tell(self, **order: Any) -> dict[str, Any]:
        """The answer to an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()
        return await self.hear()

    async def hear(self) -> dict[str, Any]:
        """The next line.

        Raises:
            RuntimeError: the program has ended.
        """
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended early: it said why on standard error")
        answer: dict[str, Any] = json.loads(line)
        return answer


@asynccontextmanager
async def start(
    python: Path, module: str, *arguments: str, shares: bool, limit: int = LINE
) -> AsyncIterator[Child]:
    """A running program; with `shares` it may import what this process can beyond its own environment.

    Its lines have at most `limit` bytes.
    """
    environ = {**os.environ, "NO_PROXY": "127.0.0.1", "LANGSMITH_TRACING": "false"}
    if not shares:
        environ.pop("PYTHONPATH", None)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(str(python), "-m", module, *arguments), cwd=ROOT, env=environ, stdin=pipe, stdout=pipe, limit=limit
    )
    try:
        yield Child(module, process)
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(PATIENCE):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
