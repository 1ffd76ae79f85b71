"""`[budget]`, `[budgets.NAME]` and `[storage]`: what may be spent, and what storage costs."""

from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, model_validator

from proctor.core._model_settings import Share, Usd
from proctor.core._section import Name, Section

BudgetScope = Literal["global", "tenant", "team", "agent", "model", "user", "run", "thread"]
BudgetPeriod = Literal["run", "day", "month"]
BudgetOutcome = Literal["warn", "degrade", "ask", "wrap_up", "stop"]


class BudgetRule(Section):
    """One budget: `[budgets.NAME]`. Each call is held against every budget that it falls under."""

    usd: Usd
    """Dollars for each period, and for each value of the scope."""
    scope: BudgetScope = "global"
    of: str = ""
    """The one tenant, team, agent, model, user, run or thread that it is for. Empty: each has its own."""
    team: str = ""
    """Only what this team spends counts. Empty: all teams."""
    period: BudgetPeriod = "day"
    """`run` sums over a run's whole life, whatever the day."""
    timezone: str = "UTC"
    """Where days and months begin."""
    outcome: BudgetOutcome = "stop"
    """`stop` refuses what doesn't fit. `warn` only tells. `degrade` takes the next cheaper tier from `at` on,
    `wrap_up` tells agents from `at` on to finish with what is left; both stop at the end. `ask` lets a person
    decide whether more is spent, and how much."""
    at: Share = 0.8
    """The share of the budget at which it is told of, and from which `degrade` and `wrap_up` hold."""
    step_usd: Annotated[Usd, Field(gt=0)] | None = None
    """What one approval of `ask` adds. Absent: a tenth of the budget."""
    roles: tuple[Name, ...] = ()
    """Who decides for `ask`. Empty: anybody who may decide approvals."""

    @model_validator(mode="after")
    def _fits(self) -> "BudgetRule":
        if self.scope == "global" and self.of:
            raise ValueError("a global budget is of nobody: leave `of` out, or name the scope")
        if self.scope in ("run", "thread") and self.of:
            raise ValueError(f"a budget is for each {self.scope}: leave `of` out")
        if (self.scope == "run") != (self.period == "run"):
            raise ValueError('scope = "run" and period = "run" belong together')
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"there is no time zone {self.timezone!r}") from None
        return self


class BudgetSettings(Section):
    """`[budget]`."""

    daily_usd: Usd = Decimal(100)
    """What all runs together may spend in one UTC day; calls beyond it are refused."""
    piece: Share = 0.01
    """What a worker sets aside at once for its next calls, as a share of a budget: so not every call waits
    for a commit. Near the end of a budget each call is set aside alone."""


class StorageSettings(Section):
    """`[storage]`: what keeping conversations and knowledge costs."""

    usd_per_gb_month: Usd = Decimal(0)
    """Dollars for a gigabyte (10⁹ bytes) kept for 30 days."""
