"""How the record is shown: as tables, as JSON, and as the Markdown of a report."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, get_args

from rich.text import Text

from proctor.audit import Deeds, Entry, Verified
from proctor.cli._output import console, instant, one_line, print_table
from proctor.core import canonical_json
from proctor.inspection import Filed, Part, Report, part_of

SHOWN = 120
"""Characters of an entry's details in a table."""


def entry_json(entry: Entry) -> dict[str, Any]:
    """An entry for programs."""
    return asdict(entry) | {"data": entry.details}


def print_entries(found: Sequence[Entry]) -> None:
    """A table of entries."""
    if not found:
        console().print("There are no such entries.")
        return
    rows = [
        (
            str(entry.seq),
            instant(entry.at),
            entry.actor,
            entry.action,
            entry.thing,
            one_line(
                canonical_json({key: value for key, value in entry.details.items() if key != "leaves"}), SHOWN
            ),
        )
        for entry in found
    ]
    columns = ("entry", "time", "who", "did", "to", "details")
    print_table(console(), columns, rows, right=("entry",), overflow="ellipsis")


def verified_json(found: Verified) -> dict[str, Any]:
    """What a check came to, for programs."""
    return {"sound": found.sound, **asdict(found)}


def print_verified(found: Verified) -> None:
    """What a check came to."""
    out = console()
    for fault in found.faults:
        out.print(Text(f"{fault.kind}: {fault.text}", style="bold red"))
    against = f", held against {found.heads:,} signed heads" if found.heads else ""
    if found.sound:
        out.print(Text(f"{found.entries:,} entries are as they were written{against}."))
    else:
        out.print(Text(f"{found.entries:,} entries were checked{against}: {len(found.faults)} faults."))
    for sentence in found.unproven:
        out.print(Text(f"Not proven: {sentence}"))


def finding_json(filed: Filed) -> dict[str, Any]:
    """A finding for programs."""
    return asdict(filed) | {"todo": filed.todo}


def print_findings(found: Sequence[Filed], *, new: int) -> None:
    """A table of findings, and what to do about each kind."""
    out = console()
    if not found:
        out.print("Nothing was found.")
        return
    rows = [
        (filed.id, filed.severity, filed.kind, instant(filed.first_at), filed.run_id, filed.text)
        for filed in found
    ]
    print_table(out, ("finding", "severity", "kind", "since", "run", "what"), rows)
    for kind, todo in sorted({(filed.kind, filed.todo) for filed in found}):
        out.print(Text(f"{kind}: {todo}"))
    out.print(Text(f"{len(found):,} findings, {new:,} of them new."))


def report_json(made: Report) -> dict[str, Any]:
    """A report for programs."""
    parts: dict[str, list[dict[str, Any]]] = {part: [] for part in get_args(Part)}
    for deed in made.deeds:
        parts[part_of(deed.action)].append(asdict(deed))
    return {
        "since": made.since,
        "until": made.until,
        **parts,
        "overruled": [entry_json(entry) for entry in made.overruled],
        "settings": [_change(entry) for entry in made.settings],
        "findings": [finding_json(filed) for filed in made.findings],
        "record": None if made.position is None else asdict(made.position),
    }


def report_markdown(made: Report) -> str:
    """A report for people."""
    return "\n".join(_lines(made))


def _lines(made: Report) -> Iterator[str]:
    yield f"# Audit report, {_utc(made.since)} to {_utc(made.until)}"
    for part in get_args(Part):
        deeds = [deed for deed in made.deeds if part_of(deed.action) == part]
        yield from _table(part.capitalize(), deeds)
    yield from _list("Where people overruled an agent", [_overruled(entry) for entry in made.overruled])
    yield from _list("Changes of the configuration", [_changed(entry) for entry in made.settings])
    yield from _list("Findings", [_finding(filed) for filed in made.findings] or ["None."])
    if made.position is not None:
        yield ""
        yield f"Record {made.position.chain}: {made.position.seq} entries, the last `{made.position.hash}`."


def _table(title: str, deeds: Sequence[Deeds]) -> Iterator[str]:
    if deeds:
        yield from ("", f"## {title}", "", "| who | what | times | last |", "|---|---|---:|---|")
    for deed in deeds:
        who = _cell(deed.actor or "(nobody named)")
        yield f"| {who} | {deed.action} | {deed.times} | {_utc(deed.last_at)} |"


def _list(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from ("", f"## {title}", "")
    for line in lines:
        yield f"- {line}"


def _overruled(entry: Entry) -> str:
    decision, run = entry.details.get("decision"), entry.details.get("run", "")
    return f"{_utc(entry.at)}: {_cell(entry.actor or 'somebody')}, {decision}, {entry.thing}, run {run}"


def _changed(entry: Entry) -> str:
    names = ", ".join(f"`{_cell(name)}`" for name in _change(entry)["changed"])
    return f"{_utc(entry.at)}, {_cell(entry.thing)}: {names or 'the first one that is known'}"


def _finding(filed: Filed) -> str:
    gone = f", gone since {_utc(filed.gone_at)}" if filed.gone_at else ""
    since = f"since {_utc(filed.first_at)}{gone}"
    return f"{filed.severity}, {filed.kind}, {since}: {_cell(filed.text)}. {filed.todo}"


def _change(entry: Entry) -> dict[str, Any]:
    return {"at": entry.at, "process": entry.thing, "changed": entry.details.get("changed", {})}


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _cell(text: str) -> str:
    """A text that breaks no table and no line."""
    return one_line(text).replace("|", "\\|").replace("`", "'").replace("<", "&lt;")
