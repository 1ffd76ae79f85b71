"""The database: one door for reading, one for writing, on SQLite and on PostgreSQL."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from proctor.core import ConfigurationError
from proctor.store._lock import Lock, open_lock
from proctor.store._migrations import upgrade
from proctor.store._writer import GroupWriter, Job

T = TypeVar("T")

READERS = 4
"""Queries at a time."""


class Database:
    """A migrated database and its writer. Blocking work is done in threads, never on the event loop."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = GroupWriter(engine)
        # Its own threads: in the loop's own ones an application's blocking functions may hold all places.
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="proctor-reader")

    @classmethod
    async def open(cls, url: str) -> Self:
        """A database ready for use: its file or schema is created and migrated where needed.

        Raises:
            ConfigurationError: the address can't be read, or names an engine that isn't supported.
        """
        engine = make_engine(url)
        await asyncio.to_thread(upgrade, engine)
        return cls(engine)

    async def read(self, query: Callable[[Connection], T]) -> T:
        """What a query finds, in one read transaction."""

        def work() -> T:
            with self.engine.connect() as connection:
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql("BEGIN")
                return query(connection)

        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    def commit(self, job: Job[T]) -> "asyncio.Future[T]":
        """A future of a job's value, set when its statements are durable; jobs are committed in groups."""
        return self._writer.submit(job)

    @property
    def commits(self) -> int:
        """Transactions that this process has committed."""
        return self._writer.commits

    def lock(self) -> Lock:
        """The right to execute runs on this database, which one process at a time has."""
        return open_lock(self.engine)

    async def close(self) -> None:
        """Commits what is waiting and gives the connections back."""
        await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._readers.shutdown)
        self.engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def make_engine(url: str) -> Engine:
    """A SQLAlchemy engine with the settings that Proctor relies on.

    Errors don't repeat the values of a statement: those are people's texts, and errors are logged. PostgreSQL
    itself names the row that broke a constraint.

    Raises:
        ConfigurationError: the address can't be read, or names an engine that isn't supported.
    """
    try:
        address = make_url(url)
    except ArgumentError:
        # Neither the text nor the library's error is passed on: both may hold a password.
        raise ConfigurationError(
            "database.url can't be read", hint="Write sqlite:///FILE or postgresql+psycopg://…"
        ) from None
    backend = address.get_backend_name()
    if backend == "postgresql":
        if find_spec("psycopg") is None:
            raise ConfigurationError(
                "database.url names PostgreSQL, whose driver isn't installed",
                hint="Install it: pip install 'proctor-runtime[postgres]'",
            )
        return create_engine(
            address.set(drivername="postgresql+psycopg"), pool_pre_ping=True, hide_parameters=True
        )
    if backend != "sqlite":
        raise ConfigurationError(
            f"database.url names {backend}, which Proctor doesn't run on",
            hint="Use sqlite:///FILE or postgresql+psycopg://…",
        )
    if not address.database or address.database == ":memory:":
        raise ConfigurationError(
            "a database in memory would lose every run", hint="Name a file: sqlite:///proctor.db"
        )
    file = Path(address.database).expanduser()
    file.resolve().parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        address.set(database=str(file)), connect_args={"timeout": 30}, hide_parameters=True
    )
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """WAL with a full sync at each commit: what was committed survives a power cut."""
    assert isinstance(connection, sqlite3.Connection)
    connection.isolation_level = None  # transactions begin where we say, not at the first INSERT
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")
