"""`proctor budget`."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

from cyclopts import App as Commands
from cyclopts import Parameter
from pydantic import ValidationError
from rich.text import Text
from sqlalchemy import Connection

from proctor.app import Proctor, Settings
from proctor.cli._budget_report import (
    Named,
    balance_json,
    forecast_json,
    holding_json,
    print_balances,
    print_csv_of,
    print_forecasts,
    print_holdings,
    rule_json,
    says,
)
from proctor.cli._options import ConfigFile, Format, Json, Limit, WrongCall, this_user
from proctor.cli._output import console, print_json
from proctor.cli._reading import with_proctor
from proctor.core import (
    BudgetOutcome,
    BudgetPeriod,
    BudgetRule,
    BudgetScope,
    InvalidInput,
    Micros,
    NotFound,
    format_usd,
)
from proctor.ledger import (
    Budget,
    Holding,
    balances,
    configured,
    forecasts,
    holdings,
    make_budget,
    release_lost,
    remove_budget,
    set_budget,
    stored_budgets,
)

T = TypeVar("T")

OneBudget: TypeAlias = Annotated[str, Parameter(help="Only this budget.")]
Most: TypeAlias = Annotated[Limit, Parameter(help="At most so many values of each budget.")]
Form: TypeAlias = Annotated[Format, Parameter(help="table, csv or json.")]

budget = Commands(
    name="budget", help="Set budgets, and see how they stand and will stand.", help_format="plaintext"
)

NAME = re.compile(r"(?=.{1,64}$)(run\.)?[A-Za-z][A-Za-z0-9_-]*")
"""`run.TEAM` is the budget that a team's `max_cost_usd` makes."""


@budget.command(name="set")
def set_(
    name: str,
    /,
    *,
    usd: str | None = None,
    scope: BudgetScope | None = None,
    of: str | None = None,
    team: str | None = None,
    period: BudgetPeriod | None = None,
    timezone: str | None = None,
    outcome: BudgetOutcome | None = None,
    at: float | None = None,
    step_usd: str | None = None,
    roles: tuple[str, ...] | None = None,
    by: str | None = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Set a budget, or change one: what isn't said stays as it is. Workers go by it within seconds.

    It stands above the budget of the same name in the configuration, until `proctor budget remove`.

    Parameters
    ----------
    name
        What the budget is called; `daily` is the one of [budget] daily_usd.
    usd
        Dollars for each period, and for each value of the scope.
    scope
        Whose spending is limited; global: all together.
    of
        The one tenant, team, agent, model or user that it is for; else each has its own.
    team
        Only what this team spends counts.
    period
        run sums over a run's whole life; day and month are those of the time zone.
    timezone
        Where days and months begin, as Asia/Taipei; else UTC.
    outcome
        What becomes of calls that don't fit, or from --at on; see the documentation of [budgets].
    at
        The share of the budget, up to 1, from which it warns.
    step_usd
        What one approval of `ask` adds.
    roles
        Who decides for `ask`.
    by
        Who sets it; else the user of this machine.
    """
    given = {
        "usd": usd,
        "scope": scope,
        "of": of,
        "team": team,
        "period": period,
        "timezone": timezone,
        "outcome": outcome,
        "at": at,
        "step_usd": step_usd,
        "roles": roles,
    }
    if not NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} can't name a budget.", hint="Letters, digits, - and _.")

    who = this_user() if by is None else by

    async def work(proctor: Proctor) -> BudgetRule:
        known = {each.budget.name: each.budget.rule for each in await _all(proctor)}
        rule = read_rule(known.get(name), given, roles=proctor.settings.roles)
        await proctor.database.commit(
            lambda connection: set_budget(connection, name, rule, at=datetime.now(UTC), by=who)
        )
        return rule

    rule = with_proctor(config, work)
    if json:
        print_json(rule_json(Named(budget=make_budget(name, rule), origin="set")))
    else:
        console().print(Text(f"Budget {name}: {says(rule)}."))


@budget.command
def show(
    name: OneBudget = "",
    /,
    *,
    limit: Most = 5,
    format: Form = "table",
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Show how every budget stands: for each, the values that spent most of it in this period."""
    found = _of_each(config, name, partial(balances, at=datetime.now(UTC), limit=limit))
    stands = [each for _, of in found for each in of]
    if json or format == "json":
        print_json(
            [rule_json(named) | {"balances": [balance_json(each) for each in of]} for named, of in found]
        )
    elif format == "csv":
        print_csv_of([{"budget": each.budget.name} | balance_json(each) for each in stands])
    else:
        print_balances(stands)


@budget.command
def remove(name: str, /, *, config: ConfigFile = None, json: Json = False) -> None:
    """Remove a budget that was set. One of the same name in the configuration holds again.

    Parameters
    ----------
    name
        The budget's name.
    """

    async def work(proctor: Proctor) -> BudgetRule | None:
        rules = _configured(proctor.settings)
        if not await proctor.database.commit(
            partial(remove_budget, name=name, at=datetime.now(UTC), by=this_user())
        ):
            hint = (
                "It stands in the configuration; `proctor config show` tells where."
                if name in rules
                else "`proctor budget show` lists those that hold."
            )
            raise NotFound(f"No budget {name} was set.", hint=hint)
        return rules.get(name)

    rule = with_proctor(config, work)
    if json:
        print_json({"removed": name, "holds_again": rule is not None})
    elif rule is None:
        console().print(Text(f"Budget {name} is removed."))
    else:
        console().print(Text(f"Removed. That of the configuration holds again: {says(rule)}."))


@budget.command
def forecast(
    name: OneBudget = "",
    /,
    *,
    limit: Most = 5,
    format: Form = "table",
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Tell how budgets will stand at the end of their periods, if spending goes on as in the last 7 days."""
    made = _of_each(config, name, partial(forecasts, at=datetime.now(UTC), limit=limit))
    found = [each for _, of in made for each in of]
    if json or format == "json":
        print_json([forecast_json(each) for each in found])
    elif format == "csv":
        print_csv_of([forecast_json(each) for each in found])
    else:
        print_forecasts(found)


@budget.command
def reconcile(
    name: OneBudget = "",
    /,
    *,
    release: Annotated[bool, Parameter(negative="")] = False,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Settle what dead workers had set aside, and show who holds what. Workers settle by themselves as well.

    Parameters
    ----------
    release
        Give back what is lost: you know, from the provider's bill, that it wasn't spent.
    """

    async def work(proctor: Proctor) -> tuple[Micros, tuple[Holding, ...]]:
        await proctor.links.budgets.look()  # what was set counts too
        await proctor.links.reconciler.work()
        released = 0
        if release:
            released = await proctor.database.commit(
                partial(release_lost, budget=name, at=datetime.now(UTC), by=this_user())
            )
        return released, await proctor.database.read(lambda connection: holdings(connection, name=name))

    released, held = with_proctor(config, work)
    if json:
        print_json({"released_micros": released, "held": [holding_json(each) for each in held]})
        return
    out = console()
    if release:
        out.print(Text(f"Released: {format_usd(released)}."))
    print_holdings(held)
    if not release and any(not each.holder for each in held):
        out.print("Where no provider billed what is lost: proctor budget reconcile --release")


def _of_each(
    config: Path | None, name: str, read: Callable[[Connection, Budget], Sequence[T]]
) -> list[tuple[Named, Sequence[T]]]:
    """What is read for each budget that holds, or for the one of a name."""

    async def load(proctor: Proctor) -> list[tuple[Named, Sequence[T]]]:
        named = await _all(proctor, name)
        return await proctor.database.read(
            lambda connection: [(each, read(connection, each.budget)) for each in named]
        )

    return with_proctor(config, load)


async def _all(proctor: Proctor, name: str = "") -> list[Named]:
    """The budgets that hold, or the one of a name.

    Raises:
        NotFound: there is none of that name.
    """
    stored = await proctor.database.read(stored_budgets)
    rules = _configured(proctor.settings) | stored
    if name and name not in rules:
        raise NotFound(f"There is no budget {name}.", hint=f"There are: {', '.join(sorted(rules))}.")
    return [
        Named(budget=make_budget(each, rules[each]), origin="set" if each in stored else "configuration")
        for each in sorted(rules)
        if name in ("", each)
    ]


def _configured(settings: Settings) -> dict[str, BudgetRule]:
    return configured(settings.budget, settings.budgets, settings.teams)


def read_rule(known: BudgetRule | None, given: Mapping[str, Any], *, roles: Collection[str]) -> BudgetRule:
    """The rule that the options say, over one that holds.

    Raises:
        WrongCall: they don't make one.
    """
    values = {key: value for key, value in given.items() if value is not None}
    if known is None and "usd" not in values:
        raise WrongCall("A new budget needs an amount.", hint="Add --usd.")
    # Budgets of runs last as long as they do: either word says both.
    if "run" in (values.get("scope"), values.get("period")):
        values = {"scope": "run", "period": "run"} | values
    if strange := [role for role in values.get("roles", ()) if role not in roles]:
        raise WrongCall(f"There is no role {strange[0]}.", hint="Add it in [roles].")
    try:
        return BudgetRule.model_validate((known.model_dump() if known else {}) | values)
    except ValidationError as error:
        first = error.errors()[0]
        option = f"--{str(first['loc'][0]).replace('_', '-')}: " if first["loc"] else ""
        raise WrongCall(f"{option}{first['msg'].removeprefix('Value error, ')}.") from None
