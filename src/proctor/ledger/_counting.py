"""Which entries of the ledger count for a budget."""

from sqlalchemy import ColumnElement, Connection, and_, func, literal, select, true

from proctor.core import BudgetScope, Micros
from proctor.ledger._entries import ledger_entries
from proctor.ledger._rules import Budget, Period

_entries = ledger_entries.c

SUBJECTS: dict[BudgetScope, ColumnElement[str]] = {
    "global": literal(""),
    "tenant": _entries.tenant,
    "team": _entries.team,
    "agent": _entries.agent,
    "model": _entries.deployment,
    "user": _entries.requester,
    "run": _entries.run_id,
    "thread": _entries.thread_id,
}
"""Where an entry holds the value for which it counts."""


def counts(budget: Budget) -> ColumnElement[bool]:
    """Which entries count for a budget, of whatever time."""
    rule = budget.rule
    subject = SUBJECTS[rule.scope]
    of = true() if rule.scope == "global" else subject == rule.of if rule.of else subject != ""
    team = _entries.team == rule.team if rule.team else true()
    return and_(_entries.kind.in_(("model", "tool")), of, team)


def within(period: Period) -> ColumnElement[bool]:
    """Which entries are of a period; all, where a run's end is its end."""
    if period.start is None or period.end is None:
        return true()
    return and_(_entries.at >= period.start, _entries.at < period.end)


def spent_in(
    connection: Connection, budget: Budget, period: Period, *, limit: int | None = None
) -> dict[str, Micros]:
    """What the ledger holds of a period for each value of a budget, or for those that spent most."""
    subject, cost = SUBJECTS[budget.rule.scope], func.sum(_entries.cost_micros)
    query = select(subject.label("subject"), cost).where(counts(budget), within(period))
    if budget.rule.scope != "global":
        query = query.group_by(subject).order_by(cost.desc(), subject).limit(limit)
    return {name: int(amount) for name, amount in connection.execute(query) if amount is not None}
