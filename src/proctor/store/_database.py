"""The database: one door for reading, one for writing, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from proctor.store._engines import READERS, make_engine
from proctor.store._lock import Lock, open_lock
from proctor.store._migrations import check, upgrade
from proctor.store._outage import PATIENCE, Outage, persist
from proctor.store._writer import GroupWriter, Job

T = TypeVar("T")

CLOSING = timedelta(seconds=5)
"""How long queries under way are waited for at closing."""


class Database:
    """A migrated database and its writer. Blocking work is done in threads, never on the event loop."""

    def __init__(self, engine: Engine, *, patience: timedelta = PATIENCE) -> None:
        self.engine = engine
        self._outage = Outage(patience)
        self._writer = GroupWriter(engine, self._outage)
        # Its own threads: in the loop's own ones an application's blocking functions may hold all places.
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="proctor-reader")
        self._reading: set[asyncio.Future[Any]] = set()
        self._look: asyncio.Task[bool] | None = None

    @classmethod
    async def open(cls, url: str, *, patience: timedelta = PATIENCE, wait: timedelta = timedelta(0)) -> Self:
        """A database ready for use: its file or schema is created and migrated where needed.

        From then on work waits for it as long as `patience` where it goes away, and at the opening itself as
        long as `wait`.

        Raises:
            ConfigurationError: the address can't be read, or names an engine that isn't supported.
            DatabaseUnavailable: it can't be reached.
        """
        engine = make_engine(url)
        with ExitStack() as failing:
            failing.callback(engine.dispose)
            await asyncio.to_thread(persist, lambda: upgrade(engine), wait=wait)
            failing.pop_all()
        return cls(engine, patience=patience)

    async def read(self, query: Callable[[Connection], T]) -> T:
        """What a query finds, in one read transaction.

        Raises:
            DatabaseUnavailable: the database is away for longer than the patience.
        """

        def once() -> T:
            with self.engine.connect() as connection:
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql("BEGIN")
                return query(connection)

        return await self._in_thread(once)

    def commit(self, job: Job[T]) -> "asyncio.Future[T]":
        """A future of a job's value, set when its statements are durable; jobs are committed in groups.

        It fails with `DatabaseUnavailable` where the database is away for longer than the patience.
        """
        return self._writer.submit(job)

    async def apart(self, job: Job[T]) -> T:
        """A job's value from a transaction of its own: for rows that other processes are waiting for.

        Where the answer to its COMMIT is lost, a job may take effect twice. SQLite lets one write at a time:
        there it is committed with others.

        Raises:
            DatabaseUnavailable: the database is away for longer than the patience.
        """
        if self.engine.dialect.name == "sqlite":
            return await self.commit(job)

        def once() -> T:
            with self.engine.begin() as connection:
                return job(connection)

        return await self._in_thread(once)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        going = asyncio.get_running_loop().run_in_executor(self._readers, self._outage.persist, work)
        self._reading.add(going)
        going.add_done_callback(self._reading.discard)
        return await going

    async def is_ready(self, *, within: timedelta) -> bool:
        """Whether the database answers in time, and has the schema that this version needs.

        Doesn't wait for one that is away. Of many who ask at once one looks.
        """
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(asyncio.to_thread(self._answers))
        done, _ = await asyncio.wait([self._look], timeout=within.total_seconds())
        return any(look.result() for look in done)

    def _answers(self) -> bool:
        try:
            return check(self.engine)
        except SQLAlchemyError:
            return False

    @property
    def commits(self) -> int:
        """Transactions that this process has committed."""
        return self._writer.commits

    def lock(self, *, shared: bool = False) -> Lock:
        """The right to execute runs on this database: one process has it, or several that all share it."""
        return open_lock(self.engine, shared=shared)

    async def close(self) -> None:
        """Commits what is waiting and gives the connections back; a database that is away gets 2 s for it."""
        self._outage.close()
        await asyncio.to_thread(self._writer.close)
        if under_way := {*self._reading, *([self._look] if self._look else [])}:
            await asyncio.wait(under_way, timeout=CLOSING.total_seconds())
        self._readers.shutdown(wait=False)
        self.engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
