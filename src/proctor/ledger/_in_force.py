"""Since when budgets count what they count. Where that changes, their accounts are counted anew.

The accounts of a budget that was removed, or that counted something else, know nothing of what was spent
meanwhile; the ledger does.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, func, not_, select

from proctor.core import Micros, canonical_json
from proctor.ledger._counting import SUBJECTS, counts, spent_in, within
from proctor.ledger._entries import ledger_entries
from proctor.ledger._holds import BATCH, FOLDED
from proctor.ledger._rows import Account, accounts_open, key_of, write_accounts
from proctor.ledger._rules import Budget, Key, Period, period_of
from proctor.ledger._tables import budget_accounts as accounts
from proctor.ledger._tables import budget_pieces as pieces
from proctor.ledger._tables import budgets_in_force
from proctor.store import insert_into

_COUNTS = {"scope", "of", "team", "period", "timezone"}
"""What of a rule says which spending it counts, and against which account."""


def in_force(connection: Connection) -> dict[str, str]:
    """What each budget counts that held when a worker last looked."""
    query = select(budgets_in_force.c.name, budgets_in_force.c.counts)
    return {row.name: row.counts for row in connection.execute(query)}


def counted(budgets: Iterable[Budget]) -> dict[str, str]:
    """What each budget of days or months counts."""
    return {
        budget.name: canonical_json(budget.rule.model_dump(mode="json", include=_COUNTS))
        for budget in budgets
        if budget.rule.period != "run"
    }


def take_up(connection: Connection, budgets: Iterable[Budget], at: datetime) -> None:
    """Takes note of the budgets that hold from now on, once whatever the number of workers that see them."""
    named = {budget.name: budget for budget in budgets}
    former, present = in_force(connection), counted(named.values())
    gone = delete(budgets_in_force).where(budgets_in_force.c.name.not_in(present))
    removed = connection.scalars(gone.returning(budgets_in_force.c.name)).all()
    begun = [name for name, counts in sorted(present.items()) if _begins(connection, name, counts, at)]
    held = accounts_open(connection, {*removed, *begun}, at)
    _end_pieces(connection, {*removed, *former.keys() & begun}, at)
    for name in begun:
        period = period_of(named[name].rule, at)
        mine = {key: each for key, each in held.items() if key[0] == name and key[2] == period.label}
        _count_anew(connection, named[name], period, mine)
    write_accounts(connection, held)


def _begins(connection: Connection, name: str, counts: str, at: datetime) -> bool:
    """Whether a budget counts this from now on; else it did already, or another worker was faster."""
    values = {"counts": counts, "since": at}
    statement = insert_into(connection, budgets_in_force).values(name=name, **values)
    differs = budgets_in_force.c.counts != counts
    statement = statement.on_conflict_do_update(index_elements=["name"], set_=values, where=differs)
    return connection.execute(statement.returning(budgets_in_force.c.name)).first() is not None


def _end_pieces(connection: Connection, names: Collection[str], at: datetime) -> None:
    """Ends what workers have of budgets: they find it so, as one does that was frozen, and draw anew."""
    key = select(accounts.c.budget, accounts.c.subject, accounts.c.period)
    is_open = key_of(pieces).in_(key.where(accounts.c.budget.in_(names), accounts.c.ends_at > at))
    connection.execute(delete(pieces).where(is_open, not_(pieces.c.holder.startswith(BATCH))))


def _count_anew(connection: Connection, budget: Budget, period: Period, held: Mapping[Key, Account]) -> None:
    """Lets accounts hold what the ledger does. What is set aside, lost or added by people stays."""
    mine = _of(budget, period)
    connection.execute(delete(pieces).where(mine, pieces.c.holder.startswith(FOLDED)))
    sums = select(pieces.c.subject, func.sum(pieces.c.taken), func.sum(pieces.c.spent))
    rows = connection.execute(sums.where(mine).group_by(pieces.c.subject))
    set_aside = {subject: (int(taken), int(said)) for subject, taken, said in rows}
    spent, of_pieces = spent_in(connection, budget, period), _spent_of_pieces(connection, budget, period)
    for (_, subject, _), account in held.items():
        # Of its piece a worker tells itself what it has spent, and may know more than the ledger does.
        taken, said = set_aside.get(subject, (0, 0))
        account.spent = spent.get(subject, 0) - of_pieces.get(subject, 0) + said
        account.taken = account.spent + account.lost + taken - said


def _spent_of_pieces(connection: Connection, budget: Budget, period: Period) -> dict[str, Micros]:
    entries = ledger_entries.c
    query = (
        select(pieces.c.subject, func.sum(entries.cost_micros))
        .where(_of(budget, period), pieces.c.holder == entries.worker, pieces.c.at <= entries.at)
        .where(SUBJECTS[budget.rule.scope] == pieces.c.subject, counts(budget), within(period))
        .group_by(pieces.c.subject)
    )
    return {subject: int(amount) for subject, amount in connection.execute(query)}


def _of(budget: Budget, period: Period) -> ColumnElement[bool]:
    return and_(pieces.c.budget == budget.name, pieces.c.period == period.label)
