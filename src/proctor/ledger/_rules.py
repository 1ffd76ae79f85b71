"""Which budgets a call falls under, for which of their values, and in which period."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TypeAlias
from zoneinfo import ZoneInfo

from proctor.core import (
    BudgetOutcome,
    BudgetPeriod,
    BudgetRule,
    BudgetScope,
    BudgetSettings,
    Micros,
    Payer,
    TeamSettings,
    to_micros,
)

Key: TypeAlias = tuple[str, str, str]
"""Of an account: the budget's name, the value that it is for, and the period."""

SAVING: frozenset[BudgetOutcome] = frozenset(("degrade", "wrap_up"))
"""Outcomes that change a call before its budget is used up."""

KNOWN = 10_000
"""Callers whose budgets are remembered."""

SUBJECT = 255
"""Characters of a value that are told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A rule under its name, its amounts as micro-dollars."""

    name: str
    rule: BudgetRule
    limit: Micros
    step: Micros
    """What one approval adds."""

    @property
    def blocks(self) -> bool:
        """Whether a call that doesn't fit isn't made."""
        return self.rule.outcome != "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The time that an account is for."""

    label: str
    """`2026-11-22` for a day, `2026-11` for a month; for a run, its id."""
    start: datetime | None = None
    end: datetime | None = None
    """The first instant that doesn't belong to it; none where a run's end is its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A budget under which a call falls, with the account that it is held against."""

    budget: Budget
    subject: str
    period: Period
    key: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a caller's calls are held against, for as long as no period ends."""

    start: datetime
    end: datetime
    shared: tuple[Claim, ...]
    """Accounts that several workers draw on."""
    of_run: tuple[Claim, ...]
    """Budgets of the run, which one worker at a time executes."""
    saves: bool
    """Whether calls may have to be made cheaper, or the last ones, before a budget is used up."""


def configured(
    settings: BudgetSettings, budgets: Mapping[str, BudgetRule], teams: Mapping[str, TeamSettings]
) -> dict[str, BudgetRule]:
    """All budgets that a configuration names: `daily`, `run.TEAM` from `max_cost_usd`, and its own."""
    rules = {"daily": BudgetRule(usd=settings.daily_usd)}
    for name, team in teams.items():
        if team.max_cost_usd is not None:
            rules[f"run.{name}"] = BudgetRule(usd=team.max_cost_usd, scope="run", period="run", team=name)
    return rules | dict(budgets)


def make_budget(name: str, rule: BudgetRule) -> Budget:
    """The budget that a rule says."""
    limit = to_micros(rule.usd)
    step = to_micros(rule.step_usd) if rule.step_usd is not None else max(1, limit // 10)
    return Budget(name=name, rule=rule, limit=limit, step=step)


class Rules:
    """The budgets that hold now."""

    def __init__(self, rules: Mapping[str, BudgetRule]) -> None:
        self.budgets = tuple(make_budget(name, rule) for name, rule in sorted(rules.items()))
        self._of_runs = any(budget.rule.scope == "run" for budget in self.budgets)
        self._claims: dict[tuple[str, ...], Claims] = {}

    def claims(self, payer: Payer, model: str, at: datetime) -> Claims:
        """What a call to a deployment is held against; a tool is no deployment: its `model` is empty."""
        run = payer.run_id if self._of_runs else ""
        caller = (payer.tenant, payer.team, payer.agent, payer.requester, payer.thread, model, run)
        known = self._claims.get(caller)
        if known is None or not known.start <= at < known.end:
            if len(self._claims) >= KNOWN:
                self._claims.clear()
            known = self._claims[caller] = self._find(payer, model, at)
        return known

    def _find(self, payer: Payer, model: str, at: datetime) -> Claims:
        shared: list[Claim] = []
        of_run: list[Claim] = []
        start, end = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        for budget in self.budgets:
            subject = _subject(budget.rule, payer, model)
            if subject is None:
                continue
            if budget.rule.scope == "run":
                of_run.append(claim_of(budget, subject, Period(label=subject)))
                continue
            period = period_of(budget.rule, at)
            assert period.start is not None
            assert period.end is not None
            start, end = max(start, period.start), min(end, period.end)
            shared.append(claim_of(budget, subject, period))
        saves = any(claim.budget.rule.outcome in SAVING for claim in (*shared, *of_run))
        return Claims(start=start, end=end, shared=tuple(shared), of_run=tuple(of_run), saves=saves)


def claim_at(budgets: Iterable[Budget], key: Key) -> Claim | None:
    """The claim on the account of a key, where its budget still is one of days or months."""
    name, subject, label = key
    budget = next((each for each in budgets if each.name == name and each.rule.period != "run"), None)
    if budget is None:
        return None
    try:
        day = date.fromisoformat(label if budget.rule.period == "day" else f"{label}-01")
    except ValueError:  # of the time when the budget was of another period
        return None
    period = _calendar(budget.rule.period, budget.rule.timezone, day.toordinal())
    return claim_of(budget, subject, period)


def claim_of(budget: Budget, subject: str, period: Period) -> Claim:
    """The claim on one account."""
    subject = subject[:SUBJECT]
    key = (budget.name, subject, period.label)
    return Claim(budget=budget, subject=subject, period=period, key=key)


def period_of(rule: BudgetRule, at: datetime) -> Period:
    """The day or month of an instant, where the rule's clock stands.

    Raises:
        ValueError: the rule is for runs, which have no such time.
    """
    if rule.period == "run":
        raise ValueError("a run's budget has no calendar")
    return _calendar(rule.period, rule.timezone, at.astimezone(_zone(rule.timezone)).date().toordinal())


@lru_cache(maxsize=256)
def _calendar(period: BudgetPeriod, timezone: str, ordinal: int) -> Period:
    day = datetime.fromordinal(ordinal)
    if period == "day":
        begin, after, label = day, day + timedelta(days=1), f"{day:%Y-%m-%d}"
    else:
        begin = day.replace(day=1)
        after, label = (begin + timedelta(days=32)).replace(day=1), f"{day:%Y-%m}"
    start, end = (each.replace(tzinfo=_zone(timezone)).astimezone(UTC) for each in (begin, after))
    return Period(label=label, start=start, end=end)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _subject(rule: BudgetRule, payer: Payer, model: str) -> str | None:
    """The value for which a call counts; nothing where it doesn't count."""
    if rule.team and rule.team != payer.team:
        return None
    if rule.scope == "global":
        return ""
    values: dict[BudgetScope, str] = {
        "tenant": payer.tenant,
        "team": payer.team,
        "agent": payer.agent,
        "model": model,
        "user": payer.requester,
        "run": payer.run_id,
        "thread": payer.thread,
    }
    value = values[rule.scope]
    return value if value and rule.of in ("", value) else None
