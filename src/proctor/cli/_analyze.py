"""`proctor analyze`."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from proctor.app import Analysis, Pattern
from proctor.cli._options import DURATION, ConfigFile, Json, Limit, read_duration, read_period
from proctor.cli._output import console, harmless, instant, print_json, print_table
from proctor.cli._reading import with_proctor
from proctor.core import InvalidInput


def analyze(
    *,
    since: Annotated[str, Parameter(help="So long before the end: 24h, 7d; or from this time on.")] = "24h",
    until: Annotated[str | None, Parameter(help="Up to this day or time; else now.")] = None,
    team: Annotated[str, Parameter(help="Only runs of this team.")] = "",
    tenant: Annotated[str, Parameter(help="Only runs of this tenant.")] = "",
    limit: Limit = 20,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Find the patterns among failures and refusals, the most frequent first, and what stands out in each.

    A suspect is what a pattern comes with far more often than calls do otherwise: a reason to look there, no
    proof. What runs, agents and tools said isn't shown: of errors only the wording, without values.

    Parameters
    ----------
    limit
        At most so many patterns.
    """
    begin, end = _period(since, until)
    found = with_proctor(config, lambda proctor: proctor.analyze(begin, end, team=team, tenant=tenant))
    if json:
        print_json(_as_json(found, limit))
    else:
        _show(found, limit)


def _period(since: str, until: str | None) -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    if not DURATION.fullmatch(since):
        return read_period(since, until, None, now)
    if until is None:
        return read_period(None, None, since, now)
    _, end = read_period(None, until, None, now)
    try:
        begin = end - read_duration(since)
    except OverflowError:
        raise InvalidInput(f"{since!r} before {until!r} is before all time.") from None
    return read_period(begin.isoformat(), end.isoformat(), None, now)


def _show(found: Analysis, limit: int) -> None:
    out = console()
    out.print(Text(f"{instant(found.since)} to {instant(found.until)}", style="dim"))
    out.print(Text(f"{found.runs:,} runs ended: {found.failed:,} failed, {found.refused:,} refused."))
    if not found.patterns:
        out.print(Text("The log tells of no failures and no refusals."))
        return
    columns = ("count", "runs", "what", "code", "pattern")
    rows = [_row(each) for each in found.patterns[:limit]]
    print_table(out, columns, rows, right=("count", "runs"))
    out.print(Text("proctor runs show RUN tells what happened in one of them.", style="dim"))
    if (left := len(found.patterns) - limit) > 0:
        out.print(Text(f"{left:,} less frequent patterns are left out; --limit shows more.", style="dim"))
    if found.is_cut:
        out.print(
            Text(f"Only the newest {found.read:,} entries were read: take a shorter time.", style="yellow")
        )


def _row(each: Pattern) -> tuple[str | Text, ...]:
    lines = Text("\n").join(_lines(each))
    return f"{each.count:,}", f"{each.runs:,}", each.kind, each.code, lines


def _lines(each: Pattern) -> Iterator[Text]:
    often = "" if each.calls is None else f", in {each.count:,} of {each.calls:,} calls"
    yield Text(harmless(each.message) + often)
    suspect = each.suspect
    if suspect is not None:
        yield Text(harmless(f"suspect: {suspect.dimension} {suspect.value}"), style="bold yellow")
        whose = "the tool's" if each.calls is not None and suspect.dimension != "tool" else "all"
        yield Text(f"in {suspect.share:.0%} of these, and in {suspect.usual:.0%} of {whose} calls")
    else:
        yield Text("too few runs to suspect anything" if each.is_small else "nothing stands out", style="dim")
    when = dict.fromkeys((instant(each.first), instant(each.last)))
    yield Text(f"{' to '.join(when)}, last in {each.example}", style="dim")


def _as_json(found: Analysis, limit: int) -> dict[str, Any]:
    return {
        "since": found.since,
        "until": found.until,
        "runs": {"ended": found.runs, "failed": found.failed, "refused": found.refused},
        "entries": {"read": found.read, "cut": found.is_cut},
        "patterns": [{**asdict(each), "few_runs": each.is_small} for each in found.patterns[:limit]],
        "left_off": max(len(found.patterns) - limit, 0),
    }
