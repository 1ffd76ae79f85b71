"""The right to execute runs on a database: one process at a time, given back by the system when it dies."""

import fcntl
import os
from pathlib import Path
from typing import IO, Protocol

from sqlalchemy import Connection, Engine, text

from proctor.core import DatabaseInUse

_ADVISORY_KEY = 0x50_52_4F_43
"""PostgreSQL names advisory locks by number: this one spells PROC."""

_HINT = "Stop the other process, or let it take up the run: it sees new decisions by itself."


class Lock(Protocol):
    """A right that is taken at once or not at all."""

    def acquire(self) -> None:
        """Takes the right.

        Raises:
            DatabaseInUse: another process has it.
        """

    def release(self) -> None:
        """Gives it back."""


class _FileLock:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        file = self._path.open("a+", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            raise DatabaseInUse(
                f"process {holder or '?'} executes runs on this database", hint=_HINT
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _AdvisoryLock:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def acquire(self) -> None:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_KEY}):
            connection.close()
            raise DatabaseInUse("another process executes runs on this database", hint=_HINT)
        self._connection = connection

    def release(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def open_lock(engine: Engine) -> Lock:
    """The lock that fits the database: a file beside SQLite's, an advisory lock on PostgreSQL."""
    if engine.dialect.name == "sqlite":
        return _FileLock(Path(f"{Path(engine.url.database or '').resolve()}.lock"))
    return _AdvisoryLock(engine)
