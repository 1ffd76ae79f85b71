"""Findings about the configuration and the machine, and how they are shown."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from rich.text import Text

from proctor.cli._output import console, print_json, print_table
from proctor.core import ProctorError

State = Literal["ok", "note", "unchecked", "broken"]

STYLES: dict[State, str] = {"ok": "green", "note": "yellow", "unchecked": "yellow", "broken": "bold red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found about one thing."""

    what: str
    state: State
    found: str
    todo: str = ""
    """What to do about it."""


def broken(what: str, error: ProctorError) -> Finding:
    """The finding that an error stands for."""
    return Finding(what=what, state="broken", found=error.message, todo=error.hint)


def print_findings(findings: Sequence[Finding], *, json: bool) -> int:
    """Prints the findings; gives the exit code, 1 where something is broken or couldn't be checked."""
    bad = [finding for finding in findings if finding.state in ("broken", "unchecked")]
    if json:
        print_json({"ok": not bad, "findings": [asdict(finding) for finding in findings]})
        return int(bool(bad))
    out = console()
    rows = [
        (finding.what, Text(finding.state, style=STYLES[finding.state]), finding.found)
        for finding in findings
    ]
    print_table(out, ("what", "state", "found"), rows)
    todo = [finding for finding in findings if finding.todo]
    if todo:
        out.print()
        out.print(Text("to do", style="bold"))
        for finding in todo:
            out.print(
                Text.assemble((f"  {finding.what}: ", STYLES[finding.state]), finding.todo), soft_wrap=True
            )
    out.print()
    out.print(Text(_summary(findings), style="bold"))
    return int(bool(bad))


def _summary(findings: Sequence[Finding]) -> str:
    states = Counter(finding.state for finding in findings)
    if states["broken"]:
        return f"{states['broken']} of {len(findings)} are broken."
    if states["unchecked"]:
        return f"{states['unchecked']} of {len(findings)} could not be checked."
    return "Nothing is broken." if states["note"] else "All is well."
