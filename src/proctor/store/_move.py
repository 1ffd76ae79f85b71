"""A whole installation in another database: every row of every room, or none.

Knows no room: it copies the tables that the rooms have described, through the types that they gave them. What
a database builds for itself, such as its full text, the target builds anew.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Table, func, insert, select, text
from sqlalchemy.exc import DataError, IntegrityError

from proctor.core import Conflict
from proctor.store._lock import open_lock
from proctor.store._marks import writers
from proctor.store._migrations import newest, revision, upgrade_on
from proctor.store._outage import reason
from proctor.store._types import metadata
from proctor.store._writer import begin_write

CHUNK = 500
"""Rows that are read and written at a time."""

Told = Callable[[str, int, int], None]
"""Hears the table, its rows so far, and how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A table that is the same in both databases now."""

    table: str
    rows: int
    digest: str
    """Of all rows together, in whatever order."""


def move(source: Engine, target: Engine, *, told: Told) -> tuple[Moved, ...]:
    """All tables, copied into an empty PostgreSQL in one transaction, and compared row by row in the end.

    Meanwhile nobody executes runs on the source, and nobody else writes to it. It is left as it was.

    Raises:
        DatabaseInUse: a process executes runs on one of the two.
        Conflict: the target holds something, refuses a row or keeps it differently, or the source's schema
            isn't this version's.
    """
    if (found := revision(source)) != newest():
        raise Conflict(
            f"the schema to move is {found or 'none'}, not {newest()}",
            hint="`proctor db upgrade` brings it up to date.",
        )
    locks = open_lock(source), open_lock(target)
    try:
        for lock in locks:
            lock.acquire()
        with source.connect() as reading, target.connect() as writing:
            _still(reading)
            upgrade_on(writing)
            _refuse_rows(writing)
            moved = tuple(_move(table, reading, writing, told) for table in _tables())
            writing.commit()
    finally:
        for lock in locks:
            lock.release()
    return moved


def _still(connection: Connection) -> None:
    """Lets nobody write until this transaction ends."""
    begin_write(connection)
    if connection.dialect.name == "postgresql":
        names = ", ".join(table.name for table in _tables())
        connection.execute(text(f"LOCK TABLE {names} IN SHARE MODE"))


def _tables() -> Sequence[Table]:
    """What is moved, each table behind those that it refers to. Who writes to a database stays with it."""
    return [table for table in metadata.sorted_tables if table is not writers]


def _refuse_rows(target: Connection) -> None:
    for table in _tables():
        if target.execute(select(1).select_from(table).limit(1)).first() is not None:
            raise Conflict(
                f"the target isn't empty: it holds rows of {table.name}",
                hint="Give it a database of its own: CREATE DATABASE proctor.",
            )


def _move(table: Table, source: Connection, target: Connection, told: Told) -> Moved:
    total = source.scalar(select(func.count()).select_from(table)) or 0
    told(table.name, 0, total)
    read = _Digest()
    for rows in _chunks(table, source):
        try:
            target.execute(insert(table), [row._asdict() for row in rows])
        except (DataError, IntegrityError) as error:
            raise Conflict(f"the target refuses a row of {table.name}: {reason(error)}") from error
        read.add(rows)
        told(table.name, read.rows, total)
    kept = _Digest()
    for rows in _chunks(table, target):
        kept.add(rows)
    if kept.values != read.values:
        raise Conflict(f"the target keeps {table.name} differently: {read.rows} rows read, {kept.rows} kept")
    _count_on(table, target)
    return Moved(table=table.name, rows=read.rows, digest=kept.values[1])


def _chunks(table: Table, connection: Connection) -> Iterator[Sequence[Any]]:
    with connection.execute(select(table), execution_options={"yield_per": CHUNK}) as found:
        yield from found.partitions()


def _count_on(table: Table, target: Connection) -> None:
    """New numbers begin behind those that were copied."""
    column = table.autoincrement_column
    if column is not None:
        sequence = func.pg_get_serial_sequence(table.name, column.name)
        target.execute(select(func.setval(sequence, func.coalesce(func.max(column), 0) + 1, False)))


class _Digest:
    """A digest of rows in any order: the sum of their digests."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, rows: Sequence[Any]) -> None:
        """Takes rows in."""
        for row in rows:
            line = repr([_plain(value) for value in row]).encode("utf-8", "surrogatepass")
            self._sum += int.from_bytes(hashlib.sha256(line).digest())
        self.rows += len(rows)

    @property
    def values(self) -> tuple[int, str]:
        """How many rows, and their digest."""
        return self.rows, f"{self._sum % 2**256:064x}"


def _plain(value: Any) -> Any:
    """A value as both databases hand it out."""
    match value:
        case datetime():
            return value.astimezone(UTC)
        case bytes() | memoryview():
            return bytes(value)
        case _:
            return value
