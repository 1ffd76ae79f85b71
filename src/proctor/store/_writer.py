"""One thread that commits the work of many runs together."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from proctor.core import DatabaseUnavailable
from proctor.store._marks import Marks
from proctor.store._outage import Outage, fault_of, unavailable_file

T = TypeVar("T")
Job: TypeAlias = Callable[[Connection], T]
"""Statements that belong together. It may be executed again after a failed commit: no other effect in it."""

MAX_GROUP = 256
"""Jobs in one transaction: bounds how long the first of them waits for the last."""

STUCK = 5.0
"""Seconds without any transaction, at closing, after which the server is taken for lost."""


@dataclass(slots=True)
class _Pending:
    job: Job[Any]
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[Any]"


class GroupWriter:
    """Executes jobs in the order in which they were given, as many as are waiting in one transaction.

    A job's future is set when its transaction is durable. When a job of a group fails, the group is rolled
    back and its jobs are executed again one by one, so that only the failing one is refused. While the
    database is away jobs wait; also where the answer to a COMMIT was lost, each takes effect exactly once.
    """

    def __init__(self, engine: Engine, outage: Outage) -> None:
        self._engine = engine
        self._outage = outage
        # A file can't lose the answer to a COMMIT.
        self._marks = Marks() if engine.dialect.name == "postgresql" else None
        self._pending: deque[_Pending] = deque()
        self._group: list[_Pending] = []
        self._wake = threading.Condition()
        self._closed = False
        self.commits = 0
        """Transactions so far."""
        self.refused = False
        """Whether the last attempt at one was: the database is away, or its disk is full."""
        self._thread = threading.Thread(target=self._work, name="proctor-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job[T]) -> "asyncio.Future[T]":
        """A future of the job's value; it is set after the commit."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        with self._wake:
            if self._closed:
                raise RuntimeError("the database is closed")
            self._pending.append(_Pending(job, loop, done))
            self._wake.notify()
        return done

    def close(self) -> None:
        """Commits what is waiting and ends the thread. What a lost server still holds is refused."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._marks is None:
            self._thread.join()  # the file's own time-out bounds it
            return
        before = -1
        while self._thread.is_alive() and self.commits > before:
            before = self.commits
            self._thread.join(STUCK)
        if self._thread.is_alive():
            self._abandon()

    def _abandon(self) -> None:
        with self._wake:
            left = [*self._group, *self._pending]
            self._pending.clear()
        _settle(left, error=DatabaseUnavailable("the database was closed while its server gave no answer"))

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self._pending and not self._closed:
                    self._wake.wait()
                if not self._pending:
                    break
                self._group = [self._pending.popleft() for _ in range(min(len(self._pending), MAX_GROUP))]
            self._execute(self._group)
            self._group = []
        self._leave()

    def _execute(self, group: list[_Pending]) -> None:
        try:
            values = self._transact(group)
        except BaseException as error:  # noqa: BLE001 - the thread hands every failure to its caller
            if len(group) == 1 or isinstance(error, DatabaseUnavailable):
                _settle(group, error=error)
            else:
                for pending in group:
                    self._execute([pending])
            return
        _settle(group, values)

    def _transact(self, group: list[_Pending]) -> list[Any]:
        values: list[Any] = []

        def attempt() -> None:
            try:
                transact()
            except DBAPIError as error:
                self.refused = fault_of(error) == "away" or unavailable_file(error) is not None
                raise

        def transact() -> None:
            with self._engine.connect() as connection:
                begin_write(connection)
                if self._marks is not None and not self._marks.take(connection):
                    assert values, "another writer has this writer's name"
                    return  # an earlier attempt was committed, and the values are its
                values[:] = [pending.job(connection) for pending in group]
                connection.commit()

        try:
            self._outage.persist(attempt)
        except DatabaseUnavailable:
            if self._marks is not None:
                self._marks.forget()
            raise
        if self._marks is not None:
            self._marks.done()
        self.commits += 1
        self.refused = False
        return values

    def _leave(self) -> None:
        """Takes the writer's row away; where that fails it stays, and harms nobody."""
        if self._marks is None or self.commits == 0:
            return
        with suppress(DBAPIError), self._engine.begin() as connection:
            self._marks.remove(connection)


def begin_write(connection: Connection) -> None:
    """Takes SQLite's write lock at once: a transaction that reads first would fail instead of wait."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _settle(
    group: Sequence[_Pending], values: Sequence[Any] = (), *, error: BaseException | None = None
) -> None:
    """Sets the futures; wakes each loop once for all of its own."""

    def settle(answers: list[tuple["asyncio.Future[Any]", Any]]) -> None:
        for done, value in answers:
            if done.done():
                continue
            if error is None:
                done.set_result(value)
            else:
                done.set_exception(error)

    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for pending, value in zip(group, [None] * len(group) if error else values, strict=True):
        by_loop.setdefault(pending.loop, []).append((pending.done, value))
    for loop, own in by_loop.items():
        with suppress(RuntimeError):  # it is closed: asked before, it may be in the meantime
            loop.call_soon_threadsafe(settle, own)
