"""Money that is set aside under the name of a request that waits, and not by a worker."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, not_, select, update

from proctor.core import Micros
from proctor.ledger._accounts import Shortage, Wish, take
from proctor.ledger._rows import Piece, key_of, locked, pieces_of, write_accounts, write_pieces
from proctor.ledger._rules import Key
from proctor.ledger._tables import budget_pieces as pieces

BATCH = "batch:"
"""Begins the name of what is set aside for a request that waits; no worker is called so."""

FOLDED = "settled:"
"""Begins the holder's name of a piece that is over, and that no account has taken note of yet."""


def hold(
    connection: Connection, *, holder: str, at: datetime, wish: Wish, of_run: Sequence[Key]
) -> Shortage | None:
    """Sets a wish aside under a name, once; or says why not. Budgets of the run have no account for it."""
    if pieces_of(connection, holder):
        return None
    answer = take(connection, holder=holder, wishes=[wish], spent={}).answers[0]
    if isinstance(answer, Shortage):
        return answer
    own = {key: Piece(taken=wish.need, at=at) for key in of_run}
    write_pieces(connection, holder, own, known=())
    return None


def held_of(connection: Connection, keys: Collection[Key]) -> dict[Key, dict[str, Micros]]:
    """What is set aside of accounts under names, by name."""
    query = select(pieces).where(key_of(pieces).in_(sorted(keys)), not_(pieces.c.holder.startswith(FOLDED)))
    found: dict[Key, dict[str, Micros]] = {}
    for row in connection.execute(query):
        found.setdefault((row.budget, row.subject, row.period), {})[row.holder] = row.taken
    return found


def held_since(connection: Connection, holder: str) -> datetime | None:
    """When something was set aside under a name, where it is."""
    query = select(pieces.c.at).where(pieces.c.holder == holder).order_by(pieces.c.at).limit(1)
    at: datetime | None = connection.scalar(query)
    return at


def settle(connection: Connection, holder: str, cost: Micros) -> None:
    """Ends what was set aside under a name. The accounts take note of it at the next `fold`.

    It touches no account: it may stand in the transaction of any run, beside any other.
    """
    connection.execute(
        update(pieces).where(pieces.c.holder == holder).values(spent=cost, holder=FOLDED + pieces.c.holder)
    )


def fold(connection: Connection) -> None:
    """Lets the accounts take note of pieces that were settled."""
    rows = connection.execute(select(pieces).where(pieces.c.holder.startswith(FOLDED)).limit(500)).all()
    if not rows:
        return
    held = locked(connection, {(row.budget, row.subject, row.period) for row in rows})
    for holder in sorted({row.holder for row in rows}):
        # Another worker may have been faster: what is deleted here is this one's to count.
        gone = connection.execute(delete(pieces).where(pieces.c.holder == holder).returning(pieces)).all()
        for row in gone:
            account = held.get((row.budget, row.subject, row.period))
            if account is not None:  # a run has none: what it has spent stands with it
                account.spent += row.spent
                account.taken += row.spent - row.taken
    write_accounts(connection, held)
