"""Engines of SQLAlchemy with the settings that Proctor relies on."""

import sqlite3
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from proctor.core import ConfigurationError

READERS = 4
"""Queries at a time."""
LONG_READERS = 2
"""Queries that may take long, at a time: beside the others."""

_CONNECTION: dict[str, Any] = {
    "application_name": "proctor",
    "connect_timeout": 10,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""A network that is dead is noticed within 15 s; what the address itself says stands above these."""
_SESSION = (
    "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 "
    "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3"
)
"""No statement is cut off; and the server notices as soon that a holder of locks has lost its network."""


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
        return _postgresql(address, pool_size=READERS + LONG_READERS + 1, max_overflow=2)
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


def close_engine(engine: Engine) -> None:
    """Closes the connections: those that threads still use when they give them back."""
    event.listen(engine, "checkin", lambda _connection, entry: entry.invalidate())
    engine.dispose()


def poolless(engine: Engine) -> Engine:
    """An engine on the same PostgreSQL that opens each connection anew, and ends it when it is given back."""
    return _postgresql(engine.url, poolclass=NullPool)


def _postgresql(address: URL, **pool: Any) -> Engine:
    given = address.query
    arguments = {name: value for name, value in _CONNECTION.items() if name not in given}
    arguments["options"] = f"{_SESSION} {given.get('options', '')}".strip()
    engine = create_engine(
        address.set(drivername="postgresql+psycopg"), connect_args=arguments, hide_parameters=True, **pool
    )
    event.listen(engine, "handle_error", _close_cursor)
    return engine


def _close_cursor(error: ExceptionContext) -> None:
    """SQLAlchemy leaves the cursor of a lost connection open; psycopg complains of a streamed one."""
    context = error.execution_context
    if error.is_disconnect and context is not None and context.cursor is not None:
        context.cursor.close()


def _prepare_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """WAL with a full sync at each commit: what was committed survives a power cut."""
    assert isinstance(connection, sqlite3.Connection)
    connection.isolation_level = None  # transactions begin where we say, not at the first INSERT
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")
