"""How a benchmark says what it found: one JSON object, or a table; and whether its promises hold.

Imports no team and no database: processes that only look at shops import it too.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Never

from rich.console import Console
from rich.table import Table

from proctor import ProctorError

if TYPE_CHECKING:
    from benchmarks._replay._check import Checked

SHOWN = 20
"""Faults that are told."""


def totals(checked: "Sequence[Checked]") -> dict[str, int]:
    """What all tasks come to."""
    counted = (
        "steps",
        "writes",
        "effects",
        "doubled",
        "missing",
        "approved",
        "errors",
        "errors_passed_on",
        "same_answers",
    )
    return {
        "completed": sum(one.completed for one in checked),
        "hashes_right": sum(one.hash_right for one in checked),
        **{name: sum(getattr(one, name) for one in checked) for name in counted},
    }


def finish(figures: Mapping[str, Any], *, as_json: bool) -> Never:
    """Prints the figures; ends the process with 1 where `ok` doesn't hold."""
    if as_json:
        print(json.dumps(figures, ensure_ascii=False))
    else:
        table = Table("figure", "value", title=str(figures.get("benchmark", "")))
        for name, value in figures.items():
            table.add_row(name.replace("_", " "), _shown(value))
        Console().print(table)
    sys.exit(0 if figures["ok"] else 1)


def fail(benchmark: str, error: ProctorError, *, as_json: bool) -> Never:
    """Says why nothing was measured, and ends the process with 2."""
    if as_json:
        told = {"code": error.code, "message": error.message, "hint": error.hint}
        print(json.dumps({"benchmark": benchmark, "ok": False, "error": told}, ensure_ascii=False))
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.exit(2)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {one}" for name, one in value.items())
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)
