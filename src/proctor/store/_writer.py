"""One thread that commits the work of many runs together."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")
Job: TypeAlias = Callable[[Connection], T]
"""Statements that belong together. It may be executed again after a failed commit: no other effect in it."""

MAX_GROUP = 256
"""Jobs in one transaction: bounds how long the first of them waits for the last."""


@dataclass(slots=True)
class _Pending:
    job: Job[Any]
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[Any]"


class GroupWriter:
    """Executes jobs in the order in which they were given, as many as are waiting in one transaction.

    A job's future is set when its transaction is durable. When a job of a group fails, the group is rolled
    back and its jobs are executed again one by one, so that only the failing one is refused.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pending: deque[_Pending] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self.commits = 0
        """Transactions so far."""
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
        """Commits what is waiting and ends the thread."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self._pending and not self._closed:
                    self._wake.wait()
                if not self._pending:
                    return
                group = [self._pending.popleft() for _ in range(min(len(self._pending), MAX_GROUP))]
            self._execute(group)

    def _execute(self, group: list[_Pending]) -> None:
        try:
            values = self._transact(group)
        except BaseException as error:  # noqa: BLE001 - the thread hands every failure to its caller
            if len(group) == 1:
                _hand_over(group[0].loop, [(group[0], None, error)])
            else:
                for pending in group:
                    self._execute([pending])
            return
        for loop in {pending.loop for pending in group}:
            answers = zip(group, values, strict=True)
            _hand_over(loop, [(pending, value, None) for pending, value in answers if pending.loop is loop])

    def _transact(self, group: list[_Pending]) -> list[Any]:
        with self._engine.connect() as connection:
            begin_write(connection)
            values = [pending.job(connection) for pending in group]
            connection.commit()
        self.commits += 1
        return values


def begin_write(connection: Connection) -> None:
    """Takes SQLite's write lock at once: a transaction that reads first would fail instead of wait."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _hand_over(
    loop: asyncio.AbstractEventLoop, answers: list[tuple[_Pending, Any, BaseException | None]]
) -> None:
    """Wakes the loop once for all of a group's answers."""

    def settle() -> None:
        for pending, value, error in answers:
            if pending.done.done():
                continue
            if error is None:
                pending.done.set_result(value)
            else:
                pending.done.set_exception(error)

    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)
