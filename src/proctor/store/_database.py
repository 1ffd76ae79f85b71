"""The database: one door for reading, one for writing, on SQLite and on PostgreSQL."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from proctor.core import in_own_thread
from proctor.store._engines import LONG_READERS, READERS, close_engine, make_engine
from proctor.store._lock import Lock, open_lock
from proctor.store._marks import touch
from proctor.store._migrations import check, upgrade
from proctor.store._outage import PATIENCE, Outage, persist
from proctor.store._writer import GroupWriter, Job

log = logging.getLogger("proctor.store")

T = TypeVar("T")

CLOSING = timedelta(seconds=5)
"""How long queries under way are waited for at closing."""
TRIAL = 1.0
"""Seconds between two tries to write something after what was to be written was refused."""


class Database:
    """A migrated database and its writer. Blocking work is done in threads, never on the event loop."""

    def __init__(self, engine: Engine, *, patience: timedelta = PATIENCE) -> None:
        self.engine = engine
        self._outage = Outage(patience)
        self._writer = GroupWriter(engine, self._outage)
        # Its own threads: in the loop's own ones an application's blocking functions may hold all places.
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="proctor-reader")
        self._long_readers = ThreadPoolExecutor(LONG_READERS, thread_name_prefix="proctor-long-reader")
        # What goes on in threads, not who waits for it: a thread goes on where its caller was cancelled.
        self._reading: set[Future[Any]] = set()
        self._look: asyncio.Future[bool] | None = None
        self._unready = ""
        self._trial: asyncio.Future[None] | None = None
        self._tried = 0.0

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
            failing.callback(close_engine, engine)
            await asyncio.to_thread(persist, lambda: upgrade(engine), wait=wait)
            failing.pop_all()
        return cls(engine, patience=patience)

    async def read(self, query: Callable[[Connection], T]) -> T:
        """What a query finds, in one read transaction.

        Raises:
            DatabaseUnavailable: the database is away for longer than the patience.
        """
        return await self._in_thread(self._readers, partial(self._look_up, query))

    async def read_long(self, query: Callable[[Connection], T]) -> T:
        """As `read`, for what may take long: few of these go on at a time, and what is short waits for none.

        Raises:
            DatabaseUnavailable: the database is away for longer than the patience.
        """
        return await self._in_thread(self._long_readers, partial(self._look_up, query))

    def _look_up(self, query: Callable[[Connection], T]) -> T:
        with self.engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN")
            return query(connection)

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

        return await self._in_thread(self._readers, once)

    async def _in_thread(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        going = threads.submit(self._outage.persist, work)
        self._reading.add(going)
        going.add_done_callback(self._reading.discard)
        return await asyncio.wrap_future(going)

    async def is_ready(self, *, within: timedelta) -> bool:
        """Whether the database answers in time, has the schema that this version needs, and can be written.

        Doesn't wait for one that is away. Of many who ask at once one looks.
        """
        if self._look is None or self._look.done():
            refused = self._writer.refused
            if refused:
                self._try()  # for the next who asks
            # In a thread of its own: others hold all that there are where much is asked of this process.
            self._look = in_own_thread(partial(self._answers, refused=refused), name="proctor-ready")
        done, _ = await asyncio.wait([self._look], timeout=within.total_seconds())
        return any(look.result() for look in done)

    def _try(self) -> None:
        """Has something written: who isn't ready is sent nothing, and would never learn that it could be."""
        now = asyncio.get_running_loop().time()
        if self._trial is None or (self._trial.done() and now > self._tried + TRIAL):
            self._tried = now
            self._trial = self.commit(touch)
            self._trial.add_done_callback(lambda trial: trial.cancelled() or trial.exception())

    def _answers(self, *, refused: bool) -> bool:
        """Whether the database is ready; where that has changed, the log tells why it isn't."""
        try:
            why = "" if check(self.engine) else "its schema isn't the one that this version needs"
            why = why or "what was to be written last was refused" * refused
        except SQLAlchemyError as error:
            why = f"it doesn't answer ({type(error).__name__})"
        if why not in ("", self._unready):
            log.warning("the database isn't ready: %s", why)
        self._unready = why
        return not why

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
        try:
            await asyncio.to_thread(self._writer.close)
            reads, bound = [*self._reading], CLOSING.total_seconds()
            going: list[asyncio.Future[Any]] = [
                in_own_thread(lambda: wait(reads, bound), name="proctor-closing")
            ]
            if self._look is not None:
                going.append(self._look)
            await asyncio.wait(going, timeout=bound)
        finally:
            self._readers.shutdown(wait=False)
            self._long_readers.shutdown(wait=False)
            close_engine(self.engine)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
