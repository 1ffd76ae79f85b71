"""How budgets stand, and how they will at the end of their periods."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, literal, not_, select, true, union_all

from proctor.core import Micros
from proctor.ledger._counting import SUBJECTS, counts, spent_in
from proctor.ledger._entries import ledger_entries
from proctor.ledger._holds import FOLDED
from proctor.ledger._rules import Budget, Period, period_of
from proctor.ledger._tables import budget_accounts, budget_pieces
from proctor.store import metadata

PAST = timedelta(days=7)
"""Spending of this time tells how it goes on."""
ENOUGH = timedelta(days=1)
"""From less than this nothing can be foretold."""
ENDED = ("completed", "failed", "cancelled", "refused")
"""States in which a run spends nothing any more."""

_entries = ledger_entries.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """How one budget stands for one of its values, in the present period."""

    budget: Budget
    subject: str
    """The tenant, team, agent, model, user, run or thread; empty for all together."""
    period: Period | None
    """None for a run: its life is its period."""
    limit: Micros
    """With what people have added."""
    spent: Micros
    """What the ledger holds."""
    set_aside: Micros
    """By calls that are under way, and by workers for their next ones."""
    lost: Micros
    """What dead workers held of it: whether it was spent isn't known, and counts as if it were."""

    @property
    def left(self) -> Micros:
        """What may still be set aside; less than 0 where a budget that only warns is passed."""
        return self.limit - self.spent - self.set_aside - self.lost

    @property
    def share(self) -> float:
        """The share that is spent or lost."""
        gone = self.spent + self.lost
        return gone / self.limit if self.limit else float(gone > 0)

    @property
    def warns(self) -> bool:
        """Whether so much is spent that the budget is told of."""
        return self.share >= self.budget.rule.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """How a budget will stand at the end of its period, if spending goes on as it did.

    What was spent in the last seven days, or since the first entry where that is later, gives the spending of
    an hour; the hours that are left are added at that pace to what is spent so far.
    """

    balance: Balance
    past: Micros
    """What was spent in the time that was looked at."""
    over: timedelta
    """How long that time is."""
    at: datetime

    @property
    def is_founded(self) -> bool:
        """Whether the time that was looked at is long enough to tell anything."""
        return self.over >= ENOUGH

    @property
    def per_day(self) -> Micros:
        """What is spent in 24 hours at this pace."""
        return self._in(timedelta(days=1))

    @property
    def expected(self) -> Micros:
        """What will be spent at the end of the period, as far as the budget lets it."""
        period = self.balance.period
        assert period is not None
        assert period.end is not None
        return self.balance.spent + self.balance.lost + self._in(period.end - self.at)

    @property
    def used_up_at(self) -> datetime | None:
        """When the budget will be used up; nothing where it lasts to the end of its period."""
        gone = self.balance.spent + self.balance.lost
        if gone >= self.balance.limit:
            return self.at
        if self.expected <= self.balance.limit:
            return None
        return self.at + self.over * (self.balance.limit - gone) / self.past

    def _in(self, time: timedelta) -> Micros:
        return round(self.past * (time / self.over)) if self.over else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Money of a budget that isn't spent as far as the budget knows, and isn't free."""

    budget: str
    subject: str
    period: str
    holder: str
    """The worker, or the request that waits for its provider; empty for what dead workers lost."""
    amount: Micros


def holdings(connection: Connection, *, name: str = "") -> tuple[Holding, ...]:
    """What workers and waiting requests have set aside of budgets, and what is lost; of one budget or of all.

    A worker tells only now and then what it has spent of what it holds.
    """
    held, accounts = budget_pieces.c, budget_accounts.c
    set_aside = select(
        held.budget, held.subject, held.period, held.holder, (held.taken - held.spent).label("amount")
    ).where(held.taken > held.spent, not_(held.holder.startswith(FOLDED)))
    lost = select(
        accounts.budget,
        accounts.subject,
        accounts.period,
        literal("").label("holder"),
        accounts.lost.label("amount"),
    ).where(accounts.lost > 0)
    if name:
        set_aside, lost = set_aside.where(held.budget == name), lost.where(accounts.budget == name)
    query = union_all(set_aside, lost).order_by("budget", "subject", "period", "holder")
    return tuple(Holding(**row._asdict()) for row in connection.execute(query))


def balances(connection: Connection, budget: Budget, *, at: datetime, limit: int) -> tuple[Balance, ...]:
    """How a budget stands for those of its values that spent most; where none did, for the one it names."""
    if budget.rule.scope == "run":
        return _of_runs(connection, budget, limit)
    period = period_of(budget.rule, at)
    spent = spent_in(connection, budget, period, limit=limit)
    accounts = _accounts(connection, budget, period, spent, limit)
    subjects = [*spent, *(subject for subject in accounts if subject not in spent)][:limit]
    return tuple(
        _balance(budget, period, subject, spent.get(subject, 0), accounts.get(subject))
        for subject in subjects or [budget.rule.of]
    )


def forecasts(connection: Connection, budget: Budget, *, at: datetime, limit: int) -> tuple[Forecast, ...]:
    """How a budget will stand for those of its values that spent most; nothing for one of runs."""
    if budget.rule.scope == "run":
        return ()
    made = []
    for balance in balances(connection, budget, at=at, limit=limit):
        subject = SUBJECTS[budget.rule.scope] == balance.subject
        query = select(func.sum(_entries.cost_micros), func.min(_entries.at)).where(
            counts(budget), subject, _entries.at >= at - PAST, _entries.at < at
        )
        past, first = connection.execute(query).one()
        over = at - first if first is not None else timedelta()
        # Where there was spending before, a quiet beginning of the week belongs to it.
        earlier = select(1).where(counts(budget), subject, _entries.at < at - PAST).limit(1)
        if connection.execute(earlier).first() is not None:
            over = PAST
        made.append(Forecast(balance=balance, past=int(past or 0), over=over, at=at))
    return tuple(made)


def _balance(budget: Budget, period: Period | None, subject: str, spent: Micros, account: Any) -> Balance:
    taken, lost, raised = (account.taken, account.lost, account.raised) if account else (0, 0, 0)
    return Balance(
        budget=budget,
        subject=subject,
        period=period,
        limit=budget.limit + raised,
        spent=spent,
        set_aside=max(0, taken - spent - lost),
        lost=lost,
    )


def _accounts(
    connection: Connection, budget: Budget, period: Period, spent: Collection[str], limit: int
) -> Mapping[str, Any]:
    """The accounts of some values, and those of which most is taken."""
    of = budget_accounts.c
    mine = and_(of.budget == budget.name, of.period == period.label)
    if budget.rule.of:
        mine = and_(mine, of.subject == budget.rule.of)
    most = select(of.subject).where(mine).order_by(of.taken.desc(), of.subject).limit(limit)
    names = [*spent, *connection.scalars(most)]
    rows = connection.execute(select(budget_accounts).where(mine, of.subject.in_(names)))
    return {row.subject: row for row in rows}


def _of_runs(connection: Connection, budget: Budget, limit: int) -> tuple[Balance, ...]:
    """How the budget of each run stands for those that go on."""
    runs = metadata.tables["runs"].c
    query = (
        select(runs.id, runs.cost)
        .where(
            runs.state.not_in(ENDED),
            runs.cost > 0,
            runs.team == budget.rule.team if budget.rule.team else true(),
        )
        .order_by(runs.cost.desc(), runs.id)
        .limit(limit)
    )
    found = [_balance(budget, None, row.id, row.cost, None) for row in connection.execute(query)]
    return tuple(found) or (_balance(budget, None, "", 0, None),)
