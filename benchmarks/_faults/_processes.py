"""The processes of the benchmark: started in sessions of their own, killed, frozen, and ended."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from benchmarks._faults._desk import ROOT, Site

PATIENCE = 60.0
"""Seconds for a process to come, or to go."""
TAIL = 2000
"""Characters of a program's complaints that are told where it ends early."""


class Process:
    """A program that says one line when it is ready."""

    def __init__(self, process: asyncio.subprocess.Process, name: str, log: Path) -> None:
        self._process = process
        self._name = name
        self._log = log

    @classmethod
    async def start(
        cls, module: str, *arguments: str, log: Path, python: Path = Path(sys.executable)
    ) -> "Process":
        """A module of this package as a program, with a file for its complaints.

        It ends with this process, at the latest.
        """
        environ = {**os.environ, "NO_PROXY": "127.0.0.1", "PYTHONWARNINGS": "ignore"}
        if python != Path(sys.executable):
            environ.pop("PYTHONPATH", None)
        pipe = asyncio.subprocess.PIPE
        with log.open("ab") as complaints:
            process = await asyncio.create_subprocess_exec(
                str(python),
                "-m",
                f"benchmarks._faults.{module}",
                *arguments,
                cwd=ROOT,
                env=environ,
                stdin=pipe,
                stdout=pipe,
                stderr=complaints,
                start_new_session=True,
            )
        return cls(process, module, log)

    async def ready(self) -> str:
        """What it says when it is ready.

        Raises:
            RuntimeError: it has ended before.
        """
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended early: {self._log.read_text()[-TAIL:]}")
        return line.decode().strip()

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to it, unless it has ended."""
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def ended(self, within: float = PATIENCE) -> float:
        """The seconds that it still took to end."""
        began = time.monotonic()
        async with asyncio.timeout(within):
            await self._process.wait()
        return time.monotonic() - began

    async def end(self) -> None:
        """Ends it, in order where it can be."""
        if self._process.returncode is not None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self._process.wait()


@asynccontextmanager
async def endpoint(folder: Path) -> AsyncIterator[str]:
    """The address of a model endpoint on a folder."""
    process = await Process.start("_endpoint", str(folder), log=folder / "endpoint.log")
    try:
        yield await process.ready()
    finally:
        await process.end()


async def start_worker(site: Site) -> Process:
    """A process that executes the runs of a site; it says when it is `ready`."""
    described = json.dumps(asdict(site), default=str)
    return await Process.start("_worker", described, log=site.folder / "worker.log")


@asynccontextmanager
async def worker(site: Site) -> AsyncIterator[Process]:
    """A process that executes the runs of a site, ready."""
    process = await start_worker(site)
    try:
        await process.ready()
        yield process
    finally:
        await process.end()
