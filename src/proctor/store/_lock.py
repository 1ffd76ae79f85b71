"""The right to execute runs on a database: alone or shared, given back by the system when a process dies."""

import fcntl
import os
from pathlib import Path
from typing import IO, Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from proctor.core import DatabaseInUse
from proctor.store._engines import poolless
from proctor.store._outage import fault_of, unavailable

_ADVISORY_KEY = 0x50_52_4F_43
"""PostgreSQL names advisory locks by number: this one spells PROC."""

_HELD = text(
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 0 AND objid = :key"
    " AND pid = pg_backend_pid() AND granted)"
)

_HINT = (
    "Stop the other process, or let it take up the run: it sees new decisions by itself. "
    'Several processes execute runs of one database with kind = "temporal" under [engine].'
)


class Lock(Protocol):
    """A right that is taken at once or not at all."""

    def acquire(self) -> None:
        """Takes the right.

        Raises:
            DatabaseInUse: another process has it, and doesn't share it.
            DatabaseUnavailable: the database can't be reached.
        """

    def held(self) -> bool:
        """Whether it is still had. A server that goes away takes it back, and others may have it since."""

    def release(self) -> None:
        """Gives it back."""


class _FileLock:
    def __init__(self, path: Path, mode: int) -> None:
        self._path = path
        self._mode = mode
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        file = self._path.open("a+", encoding="ascii")
        try:
            fcntl.flock(file, self._mode | fcntl.LOCK_NB)
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

    def held(self) -> bool:
        return self._file is not None

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _AdvisoryLock:
    """Lives and ends with a connection of its own."""

    def __init__(self, engine: Engine, function: str) -> None:
        self._engine = poolless(engine)
        self._take = text(f"SELECT {function}(:key)")
        self._connection: Connection | None = None

    def acquire(self) -> None:
        self.release()
        try:
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            taken = self._connection.scalar(self._take, {"key": _ADVISORY_KEY})
        except DBAPIError as error:
            self.release()
            if fault_of(error) == "away":
                raise unavailable(error) from error
            raise
        if not taken:
            self.release()
            raise DatabaseInUse("another process executes runs on this database", hint=_HINT)

    def held(self) -> bool:
        if self._connection is None:
            return False
        try:
            return bool(self._connection.scalar(_HELD, {"key": _ADVISORY_KEY}))
        except DBAPIError:
            self.release()
            return False

    def release(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def open_lock(engine: Engine, *, shared: bool = False) -> Lock:
    """The lock that fits the database: a file beside SQLite's, an advisory lock on PostgreSQL."""
    if engine.dialect.name == "sqlite":
        file = Path(f"{Path(engine.url.database or '').resolve()}.lock")
        return _FileLock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    return _AdvisoryLock(engine, "pg_try_advisory_lock_shared" if shared else "pg_try_advisory_lock")
