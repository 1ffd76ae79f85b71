"""A database that is away: who waits for it, how long, and what is told after that."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Literal, TypeVar

from sqlalchemy.exc import DBAPIError, OperationalError

from proctor.core import DatabaseUnavailable

log = logging.getLogger("proctor.store")

T = TypeVar("T")

PATIENCE = timedelta(minutes=5)
"""How long work waits for a database that is away, where nothing else is said."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds before a next attempt: doubled from the first to the longest."""
CONFLICTS = 5
"""Times in a row that work is executed again because it met other work."""
CLOSING = 2.0
"""Seconds that are left for a database that is away while it is closed."""

Fault = Literal["away", "conflict"]
"""What passes: the server can't be reached or has no room, or two transactions stood in each other's way."""

_AWAY = ("08", "53", "57P01", "57P02", "57P03")
"""SQLSTATE: connection exceptions, insufficient resources, shutting down, crashed, starting up."""
_CONFLICT = ("40001", "40P01")
"""SQLSTATE: serialization failure, deadlock."""
_SQLITE = {
    sqlite3.SQLITE_BUSY: (
        "another program has held the database's write lock for too long",
        "End what has the file open for writing: a backup, a shell, another tool.",
    ),
    sqlite3.SQLITE_FULL: ("the database's disk is full", "Make room on that disk; runs go on then."),
    sqlite3.SQLITE_IOERR: (
        "the database's disk can't be read or written",
        "Look at the disk, its quota and the system's log.",
    ),
}


class Outage:
    """Executes work until the database answers. All threads of a database share what they know of it."""

    def __init__(self, patience: timedelta) -> None:
        self._patience = patience.total_seconds()
        self._lock = threading.Lock()
        self._since: float | None = None
        self._closed = threading.Event()
        self._closed_at = 0.0

    def close(self) -> None:
        """Shortens the waiting of everybody to what is bearable at the end."""
        self._closed_at = time.monotonic()
        self._closed.set()

    def persist(self, work: Callable[[], T]) -> T:
        """What the work comes to, executed again where the database was away or refused it for other work.

        Raises:
            DatabaseUnavailable: it is away for longer than the patience, or its file can't be written.
        """
        conflicts, pause, since = 0, FIRST_PAUSE, None
        while True:
            try:
                value = work()
            except DBAPIError as error:
                fault = fault_of(error)
                if fault == "conflict" and conflicts < CONFLICTS:
                    conflicts += 1
                elif fault == "away":
                    since = self._wait(error, pause, since)
                    pause = min(2 * pause, LONGEST_PAUSE)
                elif (local := unavailable_file(error)) is not None:
                    raise local from error
                else:
                    raise
            else:
                self._answered()
                return value

    def _wait(self, error: DBAPIError, pause: float, since: float | None) -> float:
        """Pauses; gives when this work began to wait, which others that are answered don't change."""
        now = time.monotonic()
        with self._lock:
            if since is None:
                since = now if self._since is None else self._since
            end = since + self._patience
            if self._closed.is_set():
                end = min(end, self._closed_at + CLOSING)
            if now >= end:
                raise unavailable(error) from error
            if self._since is None:
                self._since = now
                log.warning("the database is away, and is tried again (%s)", kind(error))
        if self._closed.wait(min(pause, end - now)):
            time.sleep(FIRST_PAUSE)
        return since

    def _answered(self) -> None:
        if self._since is None:
            return
        with self._lock:
            if self._since is not None:
                log.warning("the database is back after %.1f s", time.monotonic() - self._since)
                self._since = None


def persist(work: Callable[[], T], *, wait: timedelta = timedelta(0)) -> T:
    """What one piece of work comes to, executed again for as long as `wait` where the database is away.

    Raises:
        DatabaseUnavailable: it still is; in the driver's own words, for whoever sits at this process.
    """
    try:
        return Outage(wait).persist(work)
    except DatabaseUnavailable as error:
        if isinstance(away := error.__cause__, DBAPIError) and fault_of(away) == "away":
            raise DatabaseUnavailable(f"the database is away: {reason(away)}", hint=error.hint) from away
        raise


def fault_of(error: DBAPIError) -> Fault | None:
    """Which fault that passes an error tells of, if any. SQLite's file is never away."""
    if isinstance(error.orig, sqlite3.Error):
        return None
    state = getattr(error.orig, "sqlstate", None)
    if state in _CONFLICT:
        return "conflict"
    # The driver gives no SQLSTATE where no session came about.
    refused = state is None and isinstance(error, OperationalError)
    lost = state is not None and state.startswith(_AWAY)
    return "away" if error.connection_invalidated or refused or lost else None


def unavailable(error: DBAPIError) -> DatabaseUnavailable:
    """What is told of a server that is away."""
    return DatabaseUnavailable(
        f"the database is away ({kind(error)})",
        hint="See that the server runs and takes connections, and that database.url is right.",
    )


def unavailable_file(error: DBAPIError) -> DatabaseUnavailable | None:
    """What is told of a SQLite file that can't be used, where the error tells of one."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    # The lower byte is the kind; what stands above tells the place in SQLite.
    told = None if code is None else _SQLITE.get(code & 0xFF)
    return None if told is None else DatabaseUnavailable(told[0], hint=told[1])


def kind(error: DBAPIError) -> str:
    """What is told of an error in logs and to callers: the driver's words name hosts and people."""
    return " ".join(filter(None, (type(error.orig).__name__, getattr(error.orig, "sqlstate", None))))


def reason(error: DBAPIError) -> str:
    """The driver's own words, on one line."""
    return " ".join(str(error.orig).split())
