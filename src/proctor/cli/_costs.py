"""`proctor costs`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, cast, get_args

from cyclopts import App as Commands
from cyclopts import Parameter
from rich.console import Console
from rich.text import Text
from sqlalchemy import Connection

from proctor.app import Proctor
from proctor.cli._figures import Column, amount_kept, amounts, count, print_figures, usd
from proctor.cli._options import ConfigFile, Format, Json, Limit, WrongCall, read_period
from proctor.cli._output import console, instant, print_csv, print_json, print_table
from proctor.cli._reading import with_proctor
from proctor.core import Micros, SystemClock
from proctor.ledger import (
    Audited,
    Difference,
    Dimension,
    Kept,
    RunCost,
    Slice,
    Spending,
    Storage,
    cost_of_runs,
    last_audit,
    reconcile_ledger,
    spending,
    total,
)

costs = Commands(name="costs", help="See what was spent, and check the books.", help_format="plaintext")

MOST_DIMENSIONS = 2
MOST_ROWS = 50
"""Of a table, unless more are asked for."""
FIGURES = (
    "requests",
    "cached",
    "failed",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    wanted: Slice
    by: tuple[Dimension, ...]
    rows: tuple[Spending, ...]
    total: Spending
    runs: tuple[RunCost, ...]

    @property
    def is_of_teams(self) -> bool:
        return self.by == ("team",)

    def runs_of(self, row: Spending) -> RunCost | None:
        return next((each for each in self.runs if self.is_of_teams and each.team == row.key[0]), None)


@costs.default
def show(
    *,
    by: Annotated[
        str, Parameter(help=f"{', '.join(get_args(Dimension))}; or two of them: day,team.")
    ] = "team",
    last: str | None = None,
    since: str | None = None,
    until: str | None = None,
    team: str = "",
    tenant: str = "",
    limit: Limit | None = None,
    format: Format = "table",
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Show what was spent, dearest first, and what a completed run costs.

    Parameters
    ----------
    last
        Only so long ago: 24h, 7d, 2w. Else the last 30 days.
    since
        From this day or time on, in UTC: 2026-12-01.
    until
        Up to this day, which belongs to it, or up to this time.
    team
        Only what this team spent.
    tenant
        Only what was spent for this tenant.
    limit
        At most so many rows; else 50 of a table, and all of CSV and JSON.
    format
        table, csv or json.
    """
    begin, end = read_period(since, until, last, datetime.now(UTC))
    wanted = Slice(since=begin, until=end, team=team, tenant=tenant)
    dimensions = read_dimensions(by)
    form = "json" if json else format
    most = limit or (MOST_ROWS if form == "table" else None)

    def load(connection: Connection) -> _Report:
        return _Report(
            wanted=wanted,
            by=dimensions,
            rows=spending(connection, wanted, by=dimensions, limit=most),
            total=total(connection, wanted, by=dimensions),
            runs=cost_of_runs(connection, wanted),
        )

    report = with_proctor(config, lambda proctor: proctor.database.read(load))
    match form:
        case "json":
            print_json(_report_json(report))
        case "csv":
            _print_csv(report)
        case "table":
            _print_report(report, console(), most)


@costs.command
def audit(*, config: ConfigFile = None, json: Json = False) -> int:
    """Check that the ledger agrees with the journal, to the micro-dollar. Exit code 1 where it doesn't.

    Workers do the same once a day.
    """

    def load(connection: Connection) -> tuple[tuple[Difference, ...], Audited | None]:
        return reconcile_ledger(connection), last_audit(connection)

    found, last = with_proctor(config, lambda proctor: proctor.database.read(load))
    if json:
        differences = [asdict(each) | {"off": each.off} for each in found]
        print_json({"agrees": not found, "differences": differences, "last": asdict(last) if last else None})
        return int(bool(found))
    out = console()
    for each in found:
        out.print(Text(str(each), style="red"))
    verdict = f"{len(found)} runs don't agree." if found else "The ledger agrees with the journal."
    out.print(Text(verdict, style="bold"))
    if last:
        said = f"{last.differences} runs didn't agree" if last.differences else "all agreed"
        out.print(Text(f"The last audit by schedule was at {instant(last.at)}: {said}."))
    return int(bool(found))


@costs.command
def storage(*, config: ConfigFile = None, format: Format = "table", json: Json = False) -> None:
    """Measure what is kept now, and what that costs a month: conversations by tenant and team, and knowledge.

    Parameters
    ----------
    format
        table, csv or json.
    """

    async def measure(proctor: Proctor) -> tuple[tuple[Kept, ...], Storage]:
        price = proctor.settings.storage.usd_per_gb_month
        measuring = Storage(proctor.database, clock=SystemClock(), usd_per_gb_month=price)
        return await measuring.measure(), measuring

    found, prices = with_proctor(config, measure)
    match "json" if json else format:
        case "json":
            print_json([asdict(each) | {"cost_micros": prices.cost_of_month(each.bytes)} for each in found])
        case "csv":
            rows = [
                (each.what, each.tenant, each.team, each.bytes, usd(prices.cost_of_month(each.bytes)))
                for each in found
            ]
            print_csv(("what", "tenant", "team", "bytes", "usd_per_month"), rows)
        case "table":
            _print_storage(found, prices)


def read_dimensions(text: str) -> tuple[Dimension, ...]:
    """The dimensions that `--by` names.

    Raises:
        WrongCall: it names none, more than two, one twice, or one that isn't there.
    """
    named = [part.strip() for part in text.split(",")]
    known = get_args(Dimension)
    if strange := [name for name in named if name not in known]:
        raise WrongCall(f"Nothing is added up by {strange[0]!r}.", hint=f"Known: {', '.join(known)}.")
    if len(named) > MOST_DIMENSIONS or len(set(named)) < len(named):
        raise WrongCall("--by takes one dimension, or two different ones.", hint="Write --by day,team.")
    return cast("tuple[Dimension, ...]", tuple(named))


def _print_report(report: _Report, out: Console, most: int | None) -> None:
    out.print(Text(f"{instant(report.wanted.since)} to {instant(report.wanted.until)}", style="dim"))
    if not report.rows:
        out.print("Nothing was spent.")
        return
    keys = [[value or "(none)" for value in row.key] for row in report.rows]
    keys.append(["total", *[""] * (len(report.by) - 1)])
    print_figures(out, report.by, keys, _columns(report), last="bold")
    if len(report.rows) == most:
        out.print(f"These are the first {most}; --limit takes more, and --format csv all.")
    if report.runs and not report.is_of_teams:
        out.print()
        _print_runs(report.runs, out)


def _columns(report: _Report) -> list[Column]:
    lines = (*report.rows, report.total)

    def counts(name: str, read: str, dispensable: int) -> Column:
        cells = [count(getattr(line, read)) for line in lines]
        return Column(name=name, cells=cells, dispensable=dispensable)

    def money(name: str, read: str) -> Column:
        values = [getattr(line, read) for line in lines]
        return Column(name=name, cells=_or_blank(values, of=report.total.cost), dispensable=3)

    costs_of = amounts([line.cost for line in lines], of=report.total.cost)
    shares = [f"{line.share_of(report.total):.1%}" if line.cost else "" for line in lines]
    columns = [
        counts("requests", "requests", 0),
        counts("failed", "failed", 5),
        counts("from cache", "cached", 6),
        counts("input", "input_tokens", 1),
        counts("read", "cached_input_tokens", 7),
        counts("written", "cache_write_tokens", 8),
        counts("output", "output_tokens", 2),
        counts("reasoning", "reasoning_tokens", 9),
        Column(name="cost", cells=costs_of),
        Column(name="share", cells=shares, dispensable=4),
        money("saved", "saved"),
        money("wasted", "wasted"),
    ]
    if report.is_of_teams:
        of_runs = [report.runs_of(row) for row in report.rows]
        per_run = [(runs.per_completed or 0) if runs else 0 for runs in of_runs]
        columns += [
            Column(
                name="completed", cells=[*(count(runs.completed) if runs else "" for runs in of_runs), ""]
            ),
            Column(name="per run", cells=[*_or_blank(per_run, of=max(per_run, default=0)), ""]),
        ]
    return columns


def _or_blank(values: Sequence[Micros], *, of: Micros) -> list[str]:
    return [cell if value else "" for value, cell in zip(values, amounts(values, of=of), strict=True)]


def _print_runs(runs: Sequence[RunCost], out: Console) -> None:
    per_run = [each.per_completed or 0 for each in runs]
    costs_of = amounts([each.cost for each in runs], of=max(each.cost for each in runs))
    cells = amounts(per_run, of=max(per_run))
    rows = [
        (f"{each.completed:,} of {each.ended:,}", cost, cell if each.completed else "", each.team)
        for each, cost, cell in zip(runs, costs_of, cells, strict=True)
    ]
    columns = ("completed runs", "cost", "per completed run", "team")
    print_table(out, columns, rows, right=columns[:3])


def _print_csv(report: _Report) -> None:
    columns = (*report.by, *FIGURES, "cost_usd", "saved_usd", "wasted_usd", "share")
    of_teams = ("completed_runs", "usd_per_completed_run") if report.is_of_teams else ()

    def row(line: Spending) -> list[str | int | Decimal | None]:
        figures = [getattr(line, name) for name in FIGURES]
        money = [usd(line.cost), usd(line.saved), usd(line.wasted)]
        share = Decimal(line.share_of(report.total)).quantize(Decimal("0.000001"))
        more: list[int | Decimal | None] = []
        if report.is_of_teams:
            of = report.runs_of(line)
            each = of.per_completed if of else None
            more = [of.completed if of else 0, None if each is None else usd(each)]
        return [*line.key, *figures, *money, share, *more]

    print_csv((*columns, *of_teams), map(row, report.rows))


def _report_json(report: _Report) -> dict[str, Any]:
    def line(each: Spending) -> dict[str, Any]:
        return {
            **{name: getattr(each, name) for name in FIGURES},
            "cost_micros": each.cost,
            "saved_micros": each.saved,
            "wasted_micros": each.wasted,
            "share": round(each.share_of(report.total), 6),
        }

    return {
        "since": report.wanted.since,
        "until": report.wanted.until,
        "by": report.by,
        "rows": [dict(zip(report.by, row.key, strict=True)) | line(row) for row in report.rows],
        "total": line(report.total),
        "runs": [
            {
                "team": each.team,
                "completed": each.completed,
                "ended": each.ended,
                "cost_micros": each.cost,
                "cost_per_completed_micros": each.per_completed,
            }
            for each in report.runs
        ],
    }


def _print_storage(found: Sequence[Kept], prices: Storage) -> None:
    out = console()
    size = sum(each.bytes for each in found)
    values = [prices.cost_of_month(each.bytes) for each in found]
    months = amounts([*values, sum(values)], of=sum(values))
    names = [
        "knowledge" if each.what == "knowledge" else f"conversations of {each.team}, {each.tenant}"
        for each in found
    ]
    rows = [
        (amount_kept(kept), month, name)
        for kept, month, name in zip(
            [*(each.bytes for each in found), size], months, [*names, "total"], strict=True
        )
    ]
    print_table(out, ("size", "a month", "what is kept"), rows, right=("size", "a month"))
    if not any(values):
        out.print("It costs nothing, as long as [storage] usd_per_gb_month says no price.")
