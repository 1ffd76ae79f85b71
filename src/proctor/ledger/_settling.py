"""The end of pieces: of a worker that leaves, and of those that died."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select

from proctor import audit
from proctor.core import Micros
from proctor.ledger._rows import Piece, entered, key_of, locked, pieces_of, write_accounts
from proctor.ledger._rules import Claim, Key
from proctor.ledger._tables import budget_accounts as accounts
from proctor.ledger._tables import budget_pieces as pieces

KEPT = timedelta(days=62)
"""How long an account is kept after its period."""


def leave(connection: Connection, *, holder: str, spent: Mapping[Key, Micros], but: Collection[Key]) -> None:
    """Ends a holder's pieces, but for some: what it has spent stays in the accounts, the rest comes back."""
    own = {key: piece for key, piece in _own(connection, holder).items() if key not in but}
    final = {key: spent.get(key, piece.spent) for key, piece in own.items()}
    _end(connection, holder, own, final, lost=())


def end(connection: Connection, *, holder: str, keys: Collection[Key]) -> None:
    """Ends pieces of which nothing is left: what was spent of them stands in the accounts."""
    own = _own(connection, holder, keys)
    _end(connection, holder, own, {key: piece.spent for key, piece in own.items()}, lost=())


def reconcile(connection: Connection, *, holder: str, claims: Sequence[Claim], gives_back: bool) -> Micros:
    """Ends a dead worker's pieces by what the ledger holds; gives what is lost.

    Claims are those of the budgets that hold now; an account of another budget is ended as it stands.
    """
    own = _own(connection, holder)
    where = {claim.key: claim for claim in claims}
    final = {
        key: entered(connection, where[key], of=(holder, piece.at)) if key in where else piece.spent
        for key, piece in own.items()
    }
    lost = () if gives_back else own.keys()
    _end(connection, holder, own, final, lost=lost)
    return sum(max(0, own[key].taken - final[key]) for key in lost)


def release_lost(connection: Connection, budget: str = "", *, at: datetime, by: str) -> Micros:
    """Gives back what is lost, of one budget or of all: an operator knows that it wasn't spent."""
    query = select(accounts.c.budget, accounts.c.subject, accounts.c.period).where(accounts.c.lost > 0)
    if budget:
        query = query.where(accounts.c.budget == budget)
    held = locked(connection, {(row[0], row[1], row[2]) for row in connection.execute(query)})
    of_each: Counter[str] = Counter()
    for (name, _, _), account in held.items():
        of_each[name] += account.lost
        account.taken -= account.lost
        account.lost = 0
    write_accounts(connection, held)
    for name, micros in of_each.items():
        audit.append(
            connection, at=at, actor=by, action="budget.released", thing=name, data={"micros": micros}
        )
    return of_each.total()


def prune(connection: Connection, at: datetime) -> None:
    """Forgets accounts whose period ended long ago."""
    is_old = accounts.c.ends_at < at - KEPT
    old = select(accounts.c.budget, accounts.c.subject, accounts.c.period).where(is_old)
    connection.execute(delete(pieces).where(key_of(pieces).in_(old)))
    connection.execute(delete(accounts).where(is_old))


def holders(connection: Connection, before: datetime) -> tuple[str, ...]:
    """All that have pieces, and have taken none since an instant."""
    query = select(pieces.c.holder).group_by(pieces.c.holder).having(func.max(pieces.c.at) <= before)
    return tuple(connection.scalars(query.order_by(pieces.c.holder)))


def held_keys(connection: Connection, holder: str) -> tuple[Key, ...]:
    """The accounts of which a holder has a piece."""
    return tuple(pieces_of(connection, holder))


def _own(connection: Connection, holder: str, keys: Collection[Key] | None = None) -> dict[Key, Piece]:
    """A holder's pieces, which nobody else can end before this transaction has.

    Read again behind the lock of their accounts: several workers may settle for the same dead one.
    """
    found = pieces_of(connection, holder, keys)
    locked(connection, found)
    return pieces_of(connection, holder, found)


def _end(
    connection: Connection,
    holder: str,
    own: Mapping[Key, Piece],
    final: Mapping[Key, Micros],
    *,
    lost: Collection[Key],
) -> None:
    held = locked(connection, own)
    for key, piece in own.items():
        account = held[key]
        account.spent += final[key] - piece.spent
        left = piece.taken - final[key]
        if key in lost and left > 0:
            account.lost += left
        else:
            account.taken -= left
    write_accounts(connection, held)
    if own:
        connection.execute(delete(pieces).where(pieces.c.holder == holder, key_of(pieces).in_(sorted(own))))
