"""Numbers on transactions: after a lost answer they tell whether the COMMIT went through."""

from sqlalchemy import BigInteger, Column, Connection, String, Table, bindparam, delete, update
from sqlalchemy.dialects.postgresql import insert

from proctor.core import new_id
from proctor.store._types import metadata

writers = Table(
    "writers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("transactions", BigInteger, nullable=False),
)
"""One row for each process that writes to PostgreSQL: how many transactions it has committed. Who closes its
database deletes its row; a process that is killed leaves it."""

_FIRST = (
    insert(writers)
    .values(id=bindparam("own"), transactions=1)
    .on_conflict_do_nothing()
    .returning(writers.c.id)
)
_NEXT = (
    update(writers)
    .where(writers.c.id == bindparam("own"), writers.c.transactions == bindparam("done"))
    .values(transactions=writers.c.transactions + 1)
    .returning(writers.c.id)
)


def touch(connection: Connection) -> None:
    """Writes something of which nothing stays."""
    own = new_id("wri")
    connection.execute(writers.insert().values(id=own, transactions=0))
    connection.execute(delete(writers).where(writers.c.id == own))


class Marks:
    """Marks each of a writer's transactions with its number, by a row of the writer's own.

    The row is locked from the mark to the transaction's end. So who marks the same number again learns the
    truth: it waits for an earlier attempt that still runs at the server, and is refused where that was
    committed. `pg_xact_status` can't be asked instead: after a crash PostgreSQL gives the numbers of
    transactions that never reached its disk to others.
    """

    def __init__(self) -> None:
        self._id = new_id("wri")
        self._done = 0

    def take(self, connection: Connection) -> bool:
        """Whether this transaction is the next one; if not, an earlier attempt at it was committed."""
        statement = _NEXT if self._done else _FIRST
        return connection.scalar(statement, {"own": self._id, "done": self._done}) is not None

    def done(self) -> None:
        """Counts: the transaction is committed."""
        self._done += 1

    def forget(self) -> None:
        """Begins anew: whether the last transaction was committed won't be known."""
        self._id, self._done = new_id("wri"), 0

    def remove(self, connection: Connection) -> None:
        """Deletes the row."""
        connection.execute(delete(writers).where(writers.c.id == self._id))
