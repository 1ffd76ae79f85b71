"""How entries get into the ledger."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert

from proctor.ledger._entries import LedgerRow, ledger_entries

_insert_entry = insert(ledger_entries)


def record(connection: Connection, row: LedgerRow) -> None:
    """Adds an entry."""
    connection.execute(_insert_entry, row)


class Entry:
    """One row on its way into the ledger."""

    __slots__ = ("row", "written")

    def __init__(self, row: LedgerRow) -> None:
        self.row = row
        self.written = False
        """Whether it reached the database: entries of an attempt that was overtaken never do."""

    def __call__(self, connection: Connection) -> None:
        """Adds the row."""
        enter(connection, (self,))


def enter(connection: Connection, entries: Sequence[Entry]) -> None:
    """Adds the rows of entries."""
    connection.execute(_insert_entry, [entry.row for entry in entries])
    for entry in entries:
        entry.written = True
