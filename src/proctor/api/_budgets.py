"""Budgets: what may be spent, how they stand and will stand."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import Connection

from proctor.api._caller import Running
from proctor.api._platform import PlatformOperator, PlatformViewer
from proctor.api._tags import TAGGED, IfMatch, check_match, tag
from proctor.api._texts import STORABLE, WHOLE, Sent, Storable
from proctor.app import Proctor
from proctor.core import (
    LONGEST_NAME,
    BudgetOutcome,
    BudgetPeriod,
    BudgetRule,
    BudgetScope,
    Conflict,
    NotFound,
    canonical_json,
)
from proctor.ledger import (
    Balance,
    Budget,
    Forecast,
    balances,
    configured,
    forecasts,
    holdings,
    make_budget,
    remove_budget,
    set_budget,
    stored_budgets,
)

router = APIRouter(tags=["budgets"])

MOST_MICROS = 10**15
"""A billion dollars."""
MICROS = 1_000_000

BudgetName: TypeAlias = Annotated[
    str,
    Path(
        pattern=r"^(run\.)?[A-Za-z][A-Za-z0-9_-]*$", max_length=64, description="`run.TEAM` is a team's own."
    ),
]
Many: TypeAlias = Annotated[int, Query(ge=1, le=200, description="Values of each budget at most.")]
# Bounds that come after it would be no bounds in the description.
Amount: TypeAlias = Annotated[int, Field(ge=0, le=MOST_MICROS), WHOLE]
Step: TypeAlias = Annotated[int, Field(ge=1, le=MOST_MICROS), WHOLE]
RoleName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]


class _Rule(Sent):
    limit_micros: Amount = Field(description="Micro-dollars for each period, and each value of the scope.")
    team: Storable = Field(
        default="", max_length=LONGEST_NAME, description="Only what this team spends counts."
    )
    outcome: BudgetOutcome = Field(default="stop", description="What becomes of calls that don't fit.")
    at: float = Field(default=0.8, gt=0, le=1, description="The share from which it warns.")
    step_micros: Step | None = Field(
        default=None, description="What one approval of `ask` adds; absent: a tenth."
    )
    roles: list[RoleName] = Field(default=[], max_length=20, description="Who decides for `ask`.")


class _Timed(_Rule):
    period: Literal["day", "month"] = "day"
    timezone: Annotated[str, Field(max_length=64, pattern=STORABLE)] = Field(
        default="UTC", description="Where days and months begin: `Asia/Taipei`."
    )


class GlobalBudget(_Timed):
    """What all together, or each conversation, may spend in a period."""

    scope: Literal["global", "thread"]


class ScopedBudget(_Timed):
    """What each, or one, of a kind may spend in a period."""

    scope: Literal["tenant", "team", "agent", "model", "user"]
    of: Storable = Field(
        default="", max_length=LONGEST_NAME, description="The one that it is for; empty: each has its own."
    )


class RunBudget(_Rule):
    """What each run may spend over its whole life."""

    scope: Literal["run"]


NewRule: TypeAlias = Annotated[GlobalBudget | ScopedBudget | RunBudget, Body(discriminator="scope")]


class Stand(BaseModel):
    """How a budget stands for one of its values, in the present period."""

    subject: str
    period: str | None
    ends_at: AwareDatetime | None
    limit_micros: int = Field(description="With what people have added.")
    spent_micros: int
    set_aside_micros: int
    lost_micros: int = Field(description="Held by workers that died; counts as spent.")
    left_micros: int
    share: float
    warns: bool


class Outlook(Stand):
    """How it will stand at its period's end, if spending goes on as in the last 7 days."""

    budget: str
    is_founded: bool = Field(description="Whether enough is known to foretell anything.")
    per_day_micros: int | None
    expected_micros: int | None
    used_up_at: AwareDatetime | None


class Outlooks(BaseModel):
    """How budgets will stand."""

    forecasts: list[Outlook]


class BudgetLine(BaseModel):
    """A budget that holds."""

    name: str
    limit_micros: int
    scope: BudgetScope
    of: str
    team: str
    period: BudgetPeriod
    timezone: str
    outcome: BudgetOutcome
    at: float
    step_micros: int
    roles: list[str]
    origin: Literal["configuration", "set"]
    balances: list[Stand]


class BudgetList(BaseModel):
    """The budgets that hold."""

    budgets: list[BudgetLine]


class Holding(BaseModel):
    """Who holds how much of a budget."""

    budget: str
    subject: str
    period: str
    holder: str | None = Field(description="None: a worker that died.")
    amount_micros: int


class Holdings(BaseModel):
    """What is set aside of budgets, and what is lost."""

    held: list[Holding]


class Removed(BaseModel):
    """What holds after a budget was removed."""

    removed: str
    holds_again: bool = Field(description="Whether the configuration has one of the name.")


@router.get("/budgets", summary="Show how every budget stands")
async def list_budgets(_principal: PlatformViewer, proctor: Running, limit: Many = 5) -> BudgetList:
    """For each, the values that spent most of it in this period."""
    at = proctor.clock.now()

    def load(connection: Connection) -> BudgetList:
        rules, stored = _rules(connection, proctor)
        return BudgetList(
            budgets=[_line(connection, name, rules, stored, at=at, limit=limit) for name in sorted(rules)]
        )

    return await proctor.database.read(load)


@router.get("/budgets/{name}", summary="Show how one budget stands", responses=TAGGED)
async def show_budget(
    name: BudgetName, _principal: PlatformViewer, proctor: Running, response: Response, limit: Many = 5
) -> BudgetLine:
    """The values that spent most of it in this period; its ETag is for setting it anew."""
    at = proctor.clock.now()

    def load(connection: Connection) -> BudgetLine:
        rules, stored = _rules(connection, proctor)
        _find(name, rules)
        tag(response, *_version(name, rules, stored))
        return _line(connection, name, rules, stored, at=at, limit=limit)

    return await proctor.database.read(load)


@router.put("/budgets/{name}", summary="Set a budget, or another in its place", responses=TAGGED)
async def put_budget(
    *,
    name: BudgetName,
    rule: NewRule,
    principal: PlatformOperator,
    proctor: Running,
    response: Response,
    if_match: IfMatch = "",
) -> BudgetLine:
    """The budget, by which workers go within seconds. Where one of the name holds, If-Match is needed.

    It stands above that of the configuration until it is removed.
    """
    made, at = _made(rule, proctor), proctor.clock.now()

    def work(connection: Connection) -> BudgetLine:
        rules, stored = _rules(connection, proctor, lock=True)
        if name in rules:
            check_match(if_match, *_version(name, rules, stored))
        set_budget(connection, name, made, at=at, by=principal.name)
        rules, stored = _rules(connection, proctor)
        tag(response, *_version(name, rules, stored))
        return _line(connection, name, rules, stored, at=at, limit=5)

    return await proctor.database.commit(work)


@router.delete("/budgets/{name}", summary="Remove a budget that was set")
async def delete_budget(
    name: BudgetName, principal: PlatformOperator, proctor: Running, if_match: IfMatch = ""
) -> Removed:
    """Whether one of the same name in the configuration holds again."""

    def work(connection: Connection) -> Removed:
        rules, stored = _rules(connection, proctor, lock=True)
        if name not in stored:
            raise NotFound(f"no budget {name} was set", hint="What the configuration says stays.")
        check_match(if_match, *_version(name, rules, stored))
        remove_budget(connection, name, at=proctor.clock.now(), by=principal.name)
        return Removed(removed=name, holds_again=name in _configured(proctor))

    return await proctor.database.commit(work)


@router.get("/budget-forecasts", summary="Foretell how budgets will stand at their periods' ends")
async def foretell_budgets(_principal: PlatformViewer, proctor: Running, limit: Many = 5) -> Outlooks:
    """If spending goes on as in the last 7 days; nothing for budgets of runs."""
    at = proctor.clock.now()

    def load(connection: Connection) -> Outlooks:
        rules, _ = _rules(connection, proctor)
        made = [make_budget(name, rules[name]) for name in sorted(rules)]
        found = [each for budget in made for each in forecasts(connection, budget, at=at, limit=limit)]
        return Outlooks(forecasts=[_outlook(each) for each in found])

    return await proctor.database.read(load)


@router.get("/budget-holdings", summary="Show what is set aside of budgets, and what is lost")
async def show_holdings(_principal: PlatformViewer, proctor: Running) -> Holdings:
    """By workers and waiting requests."""
    found = await proctor.database.read(holdings)
    return Holdings(
        held=[
            Holding(
                budget=each.budget,
                subject=each.subject,
                period=each.period,
                holder=each.holder or None,
                amount_micros=each.amount,
            )
            for each in found
        ]
    )


def _configured(proctor: Proctor) -> Mapping[str, BudgetRule]:
    settings = proctor.settings
    return configured(settings.budget, settings.budgets, settings.teams)


def _rules(
    connection: Connection, proctor: Proctor, *, lock: bool = False
) -> tuple[Mapping[str, BudgetRule], Mapping[str, BudgetRule]]:
    """The budgets that hold, and those of them that were set."""
    stored = stored_budgets(connection, lock=lock)
    return {**_configured(proctor), **stored}, stored


def _find(name: str, rules: Mapping[str, BudgetRule]) -> BudgetRule:
    if name not in rules:
        raise NotFound(f"there is no budget {name}", hint=f"There are: {', '.join(sorted(rules))}.")
    return rules[name]


def _version(
    name: str, rules: Mapping[str, BudgetRule], stored: Mapping[str, BudgetRule]
) -> tuple[str, bool]:
    return canonical_json(rules[name].model_dump(mode="json")), name in stored


def _made(rule: GlobalBudget | ScopedBudget | RunBudget, proctor: Proctor) -> BudgetRule:
    """The rule as the ledger takes it.

    Raises:
        Conflict: it names a role or a time zone that isn't there.
    """
    roles = proctor.settings.roles
    if strange := [role for role in rule.roles if role not in roles]:
        raise Conflict(f"there is no role {strange[0]}", hint="Add it in [roles].")
    said: dict[str, Any] = rule.model_dump(exclude={"limit_micros", "step_micros"})
    if isinstance(rule, RunBudget):
        said["period"] = "run"
    else:
        _check_zone(rule.timezone)
    step = None if rule.step_micros is None else Decimal(rule.step_micros) / MICROS
    return BudgetRule.model_validate({**said, "usd": Decimal(rule.limit_micros) / MICROS, "step_usd": step})


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Conflict(
            f"this server knows no time zone {name!r}", hint="Write Asia/Taipei, or UTC."
        ) from None


def _line(
    connection: Connection,
    name: str,
    rules: Mapping[str, BudgetRule],
    stored: Mapping[str, BudgetRule],
    *,
    at: datetime,
    limit: int,
) -> BudgetLine:
    budget: Budget = make_budget(name, rules[name])
    rule = budget.rule
    return BudgetLine(
        name=name,
        limit_micros=budget.limit,
        scope=rule.scope,
        of=rule.of,
        team=rule.team,
        period=rule.period,
        timezone=rule.timezone,
        outcome=rule.outcome,
        at=rule.at,
        step_micros=budget.step,
        roles=list(rule.roles),
        origin="set" if name in stored else "configuration",
        balances=[Stand(**_stand(each)) for each in balances(connection, budget, at=at, limit=limit)],
    )


def _stand(balance: Balance) -> dict[str, Any]:
    period = balance.period
    return {
        "subject": balance.subject,
        "period": period.label if period else None,
        "ends_at": period.end if period else None,
        "limit_micros": balance.limit,
        "spent_micros": balance.spent,
        "set_aside_micros": balance.set_aside,
        "lost_micros": balance.lost,
        "left_micros": balance.left,
        "share": round(balance.share, 6),
        "warns": balance.warns,
    }


def _outlook(forecast: Forecast) -> Outlook:
    founded = forecast.is_founded
    return Outlook(
        **_stand(forecast.balance),
        budget=forecast.balance.budget.name,
        is_founded=founded,
        per_day_micros=forecast.per_day if founded else None,
        expected_micros=forecast.expected if founded else None,
        used_up_at=forecast.used_up_at if founded else None,
    )
