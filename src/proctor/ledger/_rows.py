"""The rows of budgets' accounts and of the pieces of them that workers and waiting requests hold.

`taken` of an account is what is spent of it, lost or set aside: the sum of its pieces and of what former ones
left. Every change holds the account's row, all rows of a transaction in one order: so nothing is taken twice,
and nobody waits for somebody who waits for him.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    Tuple,
    and_,
    bindparam,
    func,
    insert,
    select,
    tuple_,
    update,
)

from proctor.core import Micros
from proctor.ledger._counting import SUBJECTS, counts, within
from proctor.ledger._entries import ledger_entries
from proctor.ledger._rules import Claim, Key
from proctor.ledger._tables import budget_accounts as accounts
from proctor.ledger._tables import budget_pieces as pieces
from proctor.ledger._tables import budgets_in_force
from proctor.store import insert_into

LATE = timedelta(minutes=1)
"""Within so long after a budget came into force every worker that is alive goes by it."""


@dataclass(slots=True, kw_only=True)
class Account:
    """What stands in an account."""

    taken: Micros = 0
    """Spent, lost or set aside."""
    spent: Micros = 0
    lost: Micros = 0
    """Of dead workers: whether it was spent isn't known, and counts as if it were."""
    raised: Micros = 0
    """What people have added to the limit."""


@dataclass(slots=True, kw_only=True)
class Piece:
    """What a worker has of an account."""

    taken: Micros = 0
    spent: Micros = 0
    at: datetime
    """When the first call drew on it: what its holder spent before counts elsewhere."""


def lock(connection: Connection, claims: Iterable[Claim]) -> dict[Key, Account]:
    """The accounts of claims, for nobody else to change; those that weren't there are opened."""
    wanted = {claim.key: claim for claim in claims}
    held = locked(connection, wanted)
    missing = sorted(wanted.keys() - held.keys())
    if missing:
        for key in missing:
            _open(connection, wanted[key])
        held |= locked(connection, missing)
    return held


def locked(connection: Connection, keys: Collection[Key]) -> dict[Key, Account]:
    return accounts_of(connection, keys, lock=True) if keys else {}


def accounts_of(connection: Connection, keys: Collection[Key], *, lock: bool = False) -> dict[Key, Account]:
    return _accounts(connection, key_of(accounts).in_(sorted(keys)), lock=lock)


def accounts_open(connection: Connection, budgets: Collection[str], at: datetime) -> dict[Key, Account]:
    """All accounts of budgets whose periods haven't ended, for nobody else to change."""
    return _accounts(connection, and_(accounts.c.budget.in_(budgets), accounts.c.ends_at > at), lock=True)


def _accounts(connection: Connection, which: ColumnElement[bool], *, lock: bool) -> dict[Key, Account]:
    query = select(accounts).where(which).order_by(accounts.c.budget, accounts.c.subject, accounts.c.period)
    rows = connection.execute(query.with_for_update() if lock else query)
    return {
        (row.budget, row.subject, row.period): Account(
            taken=row.taken, spent=row.spent, lost=row.lost, raised=row.raised
        )
        for row in rows
    }


def pieces_of(connection: Connection, holder: str, keys: Collection[Key] | None = None) -> dict[Key, Piece]:
    query = select(pieces).where(pieces.c.holder == holder)
    if keys is not None:
        query = query.where(key_of(pieces).in_(sorted(keys)))
    return {
        (row.budget, row.subject, row.period): Piece(taken=row.taken, spent=row.spent, at=row.at)
        for row in connection.execute(query)
    }


def entered(connection: Connection, claim: Claim, *, of: tuple[str, datetime] | None = None) -> Micros:
    """What the ledger holds of an account's spending: of one worker since an instant, or of all."""
    entries, subject = ledger_entries.c, SUBJECTS[claim.budget.rule.scope]
    query = select(func.coalesce(func.sum(entries.cost_micros), 0)).where(
        counts(claim.budget), subject == claim.subject, within(claim.period)
    )
    if of is not None:
        query = query.where(entries.worker == of[0], entries.at >= of[1])
    return int(connection.execute(query).scalar_one())


def write_accounts(connection: Connection, held: Mapping[Key, Account]) -> None:
    rows = [
        {**_bound(key), "v_taken": account.taken, "v_spent": account.spent, "v_lost": account.lost}
        | {"v_raised": account.raised}
        for key, account in sorted(held.items())
    ]
    if rows:
        connection.execute(_set_account, rows)


def write_pieces(
    connection: Connection,
    holder: str,
    own: Mapping[Key, Piece],
    *,
    known: Collection[Key],
) -> None:
    changed = [
        {**_bound(key), "b_holder": holder, "v_taken": piece.taken, "v_spent": piece.spent}
        for key, piece in own.items()
        if key in known
    ]
    added = [
        {
            "budget": key[0],
            "subject": key[1],
            "period": key[2],
            "holder": holder,
            "taken": piece.taken,
            "spent": piece.spent,
            "at": piece.at,
        }
        for key, piece in own.items()
        if key not in known and (piece.taken or piece.spent)
    ]
    if changed:
        connection.execute(_set_piece, changed)
    if added:
        connection.execute(_add_piece, added)


def key_of(table: Table) -> Tuple:
    return tuple_(table.c.budget, table.c.subject, table.c.period)


def _open(connection: Connection, claim: Claim) -> None:
    """Opens an account with what the ledger holds of it: nothing, if the budget held all along."""
    query = select(budgets_in_force.c.since).where(budgets_in_force.c.name == claim.budget.name)
    since, start = connection.scalar(query), claim.period.start
    held_all_along = since is not None and start is not None and since + LATE <= start
    spent = 0 if held_all_along else entered(connection, claim)
    name, subject, label = claim.key
    row = {
        "budget": name,
        "subject": subject,
        "period": label,
        "taken": spent,
        "spent": spent,
        "lost": 0,
        "raised": 0,
        "ends_at": claim.period.end,
    }
    connection.execute(insert_into(connection, accounts).values(row).on_conflict_do_nothing())


def _bound(key: Key) -> dict[str, str]:
    return {"b_budget": key[0], "b_subject": key[1], "b_period": key[2]}


_set_account = (
    update(accounts)
    .where(
        accounts.c.budget == bindparam("b_budget"),
        accounts.c.subject == bindparam("b_subject"),
        accounts.c.period == bindparam("b_period"),
    )
    .values(
        taken=bindparam("v_taken"),
        spent=bindparam("v_spent"),
        lost=bindparam("v_lost"),
        raised=bindparam("v_raised"),
    )
)
_set_piece = (
    update(pieces)
    .where(
        pieces.c.budget == bindparam("b_budget"),
        pieces.c.subject == bindparam("b_subject"),
        pieces.c.period == bindparam("b_period"),
        pieces.c.holder == bindparam("b_holder"),
    )
    .values(taken=bindparam("v_taken"), spent=bindparam("v_spent"))
)
_add_piece = insert(pieces)
