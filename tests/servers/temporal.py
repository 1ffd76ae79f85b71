"""A real Temporal server that can be killed and started again on the same data and address."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from proctor.core import EngineSettings
from servers.ports import free_port

PATIENCE = 30
"""Seconds for a server to come on a busy machine."""


class Temporal:
    """Temporal's development server on one file."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "temporal.db"
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Of its frontend, as `engine.address` takes it."""
        return f"127.0.0.1:{self._port}"

    def settings(self, queue: str, *, concurrency: int = 8) -> EngineSettings:
        """A configuration for workers on a task queue of their own."""
        return EngineSettings(kind="temporal", address=self.address, queue=queue, concurrency=concurrency)

    def start(self) -> None:
        """Starts the server; returns when it answers."""
        program = Path(sys.executable).parent / "temporal"
        options = ["--headless", "--ip", "127.0.0.1", "--port", str(self._port), "--log-level", "error"]
        command = [str(program), "server", "start-dev", *options, "--db-filename", str(self._file)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        asyncio.run(_answers(self.address))

    def kill(self) -> None:
        """Ends the server as a failing machine would; what it has written is kept."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None


async def _answers(address: str) -> None:
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
    from temporalio.client import Client
    from temporalio.service import RPCError

    end = time.monotonic() + PATIENCE
    while True:
        try:
            client = await Client.connect(address)
            await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
        except (RuntimeError, RPCError):
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.1)
        else:
            return


@contextmanager
def running_temporal() -> Iterator[Temporal]:
    """A server with an empty file; both are gone afterwards."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = Temporal(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.kill()
