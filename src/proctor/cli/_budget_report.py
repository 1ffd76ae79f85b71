"""How budgets are shown: to people as tables, to programs as JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from rich.text import Text

from proctor.cli._figures import Column, amounts, print_figures, usd
from proctor.cli._output import console, print_csv
from proctor.core import BudgetRule, format_usd
from proctor.ledger import Balance, Budget, Forecast, Holding

LOST = Text("lost by dead workers", style="yellow")
WARNING, USED_UP = Text("warns", style="yellow"), Text("used up", style="bold red")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A budget that holds, and who made it."""

    budget: Budget
    origin: Literal["configuration", "set"]


def says(rule: BudgetRule) -> str:
    """What a budget says, in words."""
    if rule.scope == "global":
        whose = "all together"
    else:
        whose = f"{rule.scope} {rule.of}" if rule.of else f"each {rule.scope}"
    if rule.team:
        whose += f" with team {rule.team}"
    zone = f" ({rule.timezone})" if rule.period != "run" else ""
    period = "" if rule.period == "run" else f" a {rule.period}{zone}"
    return f"${rule.usd:,f}{period} for {whose}, then {rule.outcome}"


def _whose(balance: Balance) -> str:
    scope, of = balance.budget.rule.scope, balance.subject
    return "all" if scope == "global" else f"{scope} {of}" if of else f"each {scope}"


def _is_of_somebody(balance: Balance) -> bool:
    """Whether it is somebody's, and not of a scope of which nobody has spent anything."""
    return bool(balance.subject) or balance.budget.rule.scope == "global"


def print_balances(found: Sequence[Balance]) -> None:
    """Prints how budgets stand."""
    out = console()
    keys = [(each.budget.name, _whose(each)) for each in found]
    money = [
        amounts([each.limit, each.spent + each.lost, each.set_aside, max(each.left, 0)], of=each.limit)
        for each in found
    ]
    limit, spent, aside, left = zip(*money, strict=True)
    used = [f"{each.share:.0%}" for each in found]

    def where(said: Callable[[Balance], object], cells: Sequence[str]) -> list[str]:
        return [cell if said(each) else "" for cell, each in zip(cells, found, strict=True)]

    columns = (
        Column(name="limit", cells=limit),
        Column(name="spent", cells=where(_is_of_somebody, spent)),
        Column(name="set aside", cells=where(lambda each: each.set_aside, aside), dispensable=2),
        Column(name="left", cells=where(_is_of_somebody, left), dispensable=1),
        Column(name="used", cells=where(_is_of_somebody, used)),
        Column(
            name="",
            cells=[USED_UP if each.share >= 1 else WARNING if each.warns else "" for each in found],
            side="left",
        ),
        Column(name="period", cells=[_label(each) for each in found], dispensable=3, side="left"),
    )
    print_figures(out, ("budget", "for"), keys, columns)
    for each in found:
        if each.lost:
            out.print(
                Text(
                    f"{each.budget.name}, {_whose(each)}: {format_usd(each.lost)} of what is spent was held "
                    "by workers that died. Where no provider billed it: proctor budget reconcile --release"
                )
            )


def print_forecasts(found: Sequence[Forecast]) -> None:
    """Prints how budgets will stand."""
    out = console()
    if not found:
        out.print("Nothing to foretell: the budget of a run ends with it.")
        return
    keys = [(each.balance.budget.name, _whose(each.balance)) for each in found]
    money = [
        amounts(
            [each.balance.limit, each.balance.spent + each.balance.lost, each.per_day, each.expected],
            of=each.balance.limit,
        )
        for each in found
    ]
    limit, spent, per_day, expected = zip(*money, strict=True)

    def founded(cells: Sequence[str]) -> list[str]:
        return [cell if each.is_founded else "" for cell, each in zip(cells, found, strict=True)]

    columns = (
        Column(name="limit", cells=limit),
        Column(name="spent", cells=spent),
        Column(name="a day", cells=founded(per_day), dispensable=1),
        Column(name="at its end", cells=founded(expected)),
        Column(name="used up", cells=[_end(each) for each in found], side="left"),
        Column(name="period", cells=[_label(each.balance) for each in found], dispensable=2, side="left"),
    )
    print_figures(out, ("budget", "for"), keys, columns)
    out.print(
        Text(
            "From what was spent in the last 7 days, or since the first spending where that is later: at "
            "that pace it goes on to the end of the period. From less than a day nothing is foretold.",
            style="dim",
        )
    )


def _label(balance: Balance) -> str:
    return balance.period.label if balance.period else "run"


def _end(forecast: Forecast) -> str | Text:
    """When the budget is used up."""
    if forecast.balance.share >= 1:
        return USED_UP
    if not forecast.is_founded:
        return Text("too little is known", style="dim")
    at = forecast.used_up_at
    return Text(f"{at.astimezone():%m-%d %H:%M}", style="yellow") if at else "lasts"


def print_holdings(held: Sequence[Holding]) -> None:
    """Prints who holds what."""
    if not held:
        console().print("Nothing is set aside, and nothing is lost.")
        return
    columns = (
        Column(name="amount", cells=[format_usd(each.amount) for each in held]),
        Column(name="period", cells=[each.period for each in held], side="left"),
        Column(name="held by", cells=[each.holder or LOST for each in held], side="left"),
    )
    keys = [(each.budget, each.subject or "all") for each in held]
    print_figures(console(), ("budget", "for"), keys, columns)


def rule_json(named: Named) -> dict[str, Any]:
    """A budget for programs."""
    rule = named.budget.rule
    return {
        "name": named.budget.name,
        "limit_micros": named.budget.limit,
        "scope": rule.scope,
        "of": rule.of,
        "team": rule.team,
        "period": rule.period,
        "timezone": rule.timezone,
        "outcome": rule.outcome,
        "at": rule.at,
        "step_micros": named.budget.step,
        "roles": rule.roles,
        "origin": named.origin,
    }


def balance_json(balance: Balance) -> dict[str, Any]:
    """How a budget stands, for programs."""
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


def holding_json(holding: Holding) -> dict[str, Any]:
    """Who holds how much of a budget, for programs."""
    return {
        "budget": holding.budget,
        "subject": holding.subject,
        "period": holding.period,
        "holder": holding.holder or None,
        "amount_micros": holding.amount,
    }


def forecast_json(forecast: Forecast) -> dict[str, Any]:
    """How a budget will stand, for programs."""
    founded = forecast.is_founded
    return (
        {"budget": forecast.balance.budget.name}
        | balance_json(forecast.balance)
        | {
            "past_micros": forecast.past,
            "past_seconds": forecast.over,
            "is_founded": founded,
            "per_day_micros": forecast.per_day if founded else None,
            "expected_micros": forecast.expected if founded else None,
            "used_up_at": forecast.used_up_at if founded else None,
        }
    )


def print_csv_of(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints what programs get as CSV; amounts become dollars."""
    names = list(rows[0]) if rows else []
    columns = [f"{name.removesuffix('_micros')}_usd" if name.endswith("_micros") else name for name in names]
    print_csv(columns, [[_cell(name, row[name]) for name in names] for row in rows])


def _cell(name: str, value: Any) -> str | int | Decimal | None:
    match value:
        case int() if name.endswith("_micros"):
            return usd(value)
        case datetime():
            return value.isoformat()
        case timedelta():
            return str(value.total_seconds())
        case None | int():
            return value
        case _:
            return str(value)
