"""Tool servers over HTTP, in processes of their own."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

HERE = Path(__file__).parent


@asynccontextmanager
async def over_http(
    program: str, *arguments: str, port: int = 0
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """A program of this folder and where it listens: at a free port, unless it is to come back to one.

    It takes the port as its last argument, and says which one it has as soon as it listens.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HERE / program), *arguments, str(port)), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            said = await process.stdout.readline()
        assert said, f"{program} ended before it listened"
        yield process, int(said)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
