"""`proctor roi`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.text import Text

from proctor.cli._options import ConfigFile, Format, Json, WrongCall, read_period
from proctor.cli._output import console, fields, print_csv, print_json, put
from proctor.cli._reading import with_proctor
from proctor.core import InvalidInput, Micros, NotFound, format_usd, to_micros
from proctor.ledger import Return, RunCost, Slice, cost_of_runs

MONTH = 30
"""Days."""
DAY = timedelta(days=1)
MOST_USD = Decimal(10**9)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Basis:
    """Where the cost of a query comes from."""

    runs: RunCost
    wanted: Slice
    days: Decimal
    """From the team's first spending within the time to its end; at least one."""

    @property
    def queries(self) -> Decimal:
        """Completed runs in 30 days, at the same pace."""
        return self.runs.completed * MONTH / self.days

    @property
    def cost(self) -> Decimal:
        """Micro-dollars for each completed run."""
        return Decimal(self.runs.cost) / self.runs.completed


def roi(
    *,
    human_usd: str,
    team: str = "",
    cost_usd: str | None = None,
    handed_over: str = "0",
    queries: Annotated[int | None, Parameter(validator=Number(gte=0))] = None,
    last: str | None = None,
    since: str | None = None,
    until: str | None = None,
    tenant: str = "",
    format: Format = "table",
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Compare what a query costs with what a person costs who answers it: (person - cost) / cost.

    A query is a completed run, and bears the cost of those that failed.

    Parameters
    ----------
    human_usd
        What one query costs where a person answers it, in dollars.
    team
        The team whose runs are counted.
    cost_usd
        What a query costs, in place of a team's runs.
    handed_over
        The share of queries that people had to take over all the same: 0.2 or 20%.
    queries
        Queries in a month; else as many as the team completed.
    last
        Runs and spending of so long ago: 7d, 2w. Else the last 30 days.
    since
        From this day or time on, in UTC: 2026-12-01.
    until
        Up to this day, which belongs to it, or up to this time.
    tenant
        Only this tenant's.
    format
        table, csv or json.
    """
    human, share = read_usd(human_usd), read_share(handed_over)
    if (cost_usd is None) == (not team):
        raise WrongCall("One of --team and --cost-usd says what a query costs.")
    basis = None
    if cost_usd is None:
        begin, end = read_period(since, until, last, datetime.now(UTC))
        basis = _load(config, Slice(since=begin, until=end, team=team, tenant=tenant))
    cost = basis.cost if basis else Decimal(read_usd(cost_usd or ""))
    found = Return(cost=cost, human=human, handed_over=share)
    month = Decimal(queries) if queries is not None else basis.queries if basis else None
    form = "json" if json else format
    if form == "table":
        _print(found, basis, month)
        return
    values = _values(found, basis, month)
    if form == "json":
        print_json(
            {name: float(value) if isinstance(value, Decimal) else value for name, value in values.items()}
        )
    else:
        print_csv(list(values), [list(values.values())])


def read_usd(text: str) -> Micros:
    """The amount in dollars that an option names.

    Raises:
        InvalidInput: it names none, or one below 0.
    """
    try:
        amount = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal(-1)
    if not (amount.is_finite() and 0 <= amount <= MOST_USD):
        raise InvalidInput(f"{text!r} is no amount of dollars.", hint="Write 5 or 0.50.")
    return to_micros(amount)


def read_share(text: str) -> Decimal:
    """The share that an option names: 0.2 or 20%.

    Raises:
        InvalidInput: it names none from 0 up to, but without, 1.
    """
    try:
        share = Decimal(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except InvalidOperation:
        share = Decimal(-1)
    if not (share.is_finite() and 0 <= share < 1):
        raise InvalidInput(f"{text!r} is no share below the whole.", hint="Write 0.2 or 20%.")
    return share


def _load(config: Path | None, wanted: Slice) -> _Basis:
    found = with_proctor(
        config, lambda proctor: proctor.database.read(lambda connection: cost_of_runs(connection, wanted))
    )
    runs = next((each for each in found if each.team == wanted.team), None)
    if runs is None or not runs.completed:
        raise NotFound(
            f"No run of {wanted.team} completed in that time.",
            hint="Choose another time with --since, or say --cost-usd.",
        )
    begun = max(wanted.since, runs.first_at or wanted.since)
    days = Decimal((wanted.until - begun) / DAY)
    return _Basis(runs=runs, wanted=wanted, days=max(days, Decimal(1)))


def _print(found: Return, basis: _Basis | None, month: Decimal | None) -> None:
    percent = found.percent
    each = "nothing was spent" if percent is None else f"   {_times(found)} for each dollar"
    told: dict[str, str | Text] = {
        "team": basis.runs.team if basis else "",
        "cost a query": _dollars(found.cost) + (f"   {_told(basis)}" if basis else ""),
        "handed over": f"{found.handed_over:.1%} of queries" if found.handed_over else "",
        "cost a resolved query": _dollars(found.cost_per_resolved) if found.handed_over else "",
        "a person's cost": format_usd(found.human),
        "saved a query": _dollars(found.saving),
        "return": Text.assemble(("" if percent is None else f"{percent:,.0f} %", "bold"), each),
        "saved a month": "",
    }
    if month is not None:
        how = ", at the same pace" if basis and month == basis.queries else ""
        saved = found.saving_of(month).scaleb(-6)
        told["saved a month"] = f"{'-' * (saved < 0)}${abs(saved):,.2f}   {month:,.0f} queries{how}"
    put(fields(told), console())


def _times(found: Return) -> str:
    gain = (found.percent or Decimal(0)) / 100
    return f"saves ${gain:,.2f}" if gain >= 0 else f"loses ${-gain:,.2f}"


def _told(basis: _Basis) -> str:
    runs = basis.runs
    return (
        f"{format_usd(runs.cost)} for {runs.completed:,} completed runs, of {runs.ended:,} that ended "
        f"in {basis.days:,.1f} days"
    )


def _values(
    found: Return, basis: _Basis | None, month: Decimal | None
) -> dict[str, str | int | Decimal | None]:
    """All figures; amounts are dollars."""
    runs = basis.runs if basis else None
    return {
        "team": runs.team if runs else None,
        "since": basis.wanted.since.isoformat() if basis else None,
        "until": basis.wanted.until.isoformat() if basis else None,
        "completed_runs": runs.completed if runs else None,
        "ended_runs": runs.ended if runs else None,
        "total_usd": _usd(Decimal(runs.cost)) if runs else None,
        "usd_per_query": _usd(found.cost),
        "human_usd_per_query": _usd(Decimal(found.human)),
        "handed_over": found.handed_over,
        "usd_per_resolved_query": _usd(found.cost_per_resolved),
        "saved_usd_per_resolved_query": _usd(found.saving),
        "return_percent": None if found.percent is None else round(found.percent, 2),
        "queries_per_month": None if month is None else round(month, 1),
        "saved_usd_per_month": None if month is None else _usd(found.saving_of(month)),
    }


def _dollars(micros: Decimal) -> str:
    amount = format_usd(to_micros(abs(micros).scaleb(-6)))
    return f"-{amount}" if micros < 0 else amount


def _usd(value: Decimal) -> Decimal:
    return value.scaleb(-6).quantize(Decimal("0.000001"))
