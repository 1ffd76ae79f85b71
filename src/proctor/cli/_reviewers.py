"""`proctor approvals reviewers`."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, get_args

from cyclopts import Parameter
from rich.text import Text

from proctor.app import reviewers as read_reviewers
from proctor.approvals import Agreement, Reviewer
from proctor.cli._options import ConfigFile, Json, read_period
from proctor.cli._output import age, console, instant, print_json, print_table
from proctor.cli._reading import with_proctor
from proctor.core import DecisionKind


def reviewers(
    *,
    since: Annotated[str | None, Parameter(help="From this day or time on: 2026-12-01.")] = None,
    until: Annotated[str | None, Parameter(help="Up to this day or time.")] = None,
    last: Annotated[str | None, Parameter(help="In place of both: 7d, 12h. Absent: 30d.")] = None,
    role: Annotated[str, Parameter(help="Only questions that this role was asked.")] = "",
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Show how people decide: how much, how fast, whether others agree, and what looks like rubber stamping.

    A sign is a reason to ask, and no proof.
    """
    begin, end = read_period(since, until, last, datetime.now(UTC))
    found = with_proctor(
        config, lambda proctor: read_reviewers(proctor.database, since=begin, until=end, role=role)
    )
    if json:
        print_json({"since": begin, "until": end, "reviewers": [_as_json(each) for each in found]})
        return
    if not found:
        console().print(Text(f"Nobody decided anything from {instant(begin)} to {instant(end)}."))
        return
    _show(found)


def _show(found: Sequence[Reviewer]) -> None:
    out = console()
    columns = ("decided", "approved", "edited", "refused", "median", "p90", "others", "judge", "who")
    print_table(out, columns, [_row(each) for each in found], right=columns[:-1])
    signs = list(_signs(found))
    if signs:
        out.print()
        out.print(Text("worth asking about", style="bold"))
        for sign in signs:
            out.print(Text(f"  {sign}"), soft_wrap=True)


def _row(each: Reviewer) -> tuple[str, ...]:
    edited, refused = each.kinds["edit"], each.kinds["reject"] + each.kinds["respond"]
    return (
        f"{each.decisions:,}",
        f"{each.approved:.0%}",
        f"{edited:,}" if edited else "-",
        f"{refused:,}" if refused else "-",
        age(each.waited.median),
        age(each.waited.p90),
        _share(each.others),
        _share(each.judge),
        _name(each),
    )


def _signs(found: Sequence[Reviewer]) -> Iterator[str]:
    for each in found:
        for sign in each.signs:
            yield f"{_name(each)}: {sign.text}"


def _name(each: Reviewer) -> str:
    match each.who:
        case "person":
            return each.name
        case "link":
            return f"(link of {each.name})"
        case "unnamed":
            return "(without a name)"


def _share(agreement: Agreement) -> str:
    return f"{agreement.agreed / agreement.compared:.0%}" if agreement.compared else "-"


def _as_json(each: Reviewer) -> dict[str, Any]:
    return {
        "name": each.name,
        "who": each.who,
        "decisions": each.decisions,
        "kinds": {kind: each.kinds[kind] for kind in get_args(DecisionKind)},
        "approved": round(each.approved, 4),
        "waited_s": asdict(each.waited),
        "told_s": None if each.told is None else asdict(each.told),
        "looked_s": asdict(each.looked),
        "others": asdict(each.others),
        "judge": asdict(each.judge),
        "signs": [asdict(sign) for sign in each.signs],
    }
