"""What commands print: lines and tables for people on the console, JSON for programs."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from proctor.core import ProctorError

PLAIN_WIDTH = 100
"""Columns where the output goes into a file or pipe, unless COLUMNS says otherwise."""


def console(*, stderr: bool = False) -> Console:
    """A console on standard output or standard error."""
    plain = not (sys.stderr if stderr else sys.stdout).isatty() and "COLUMNS" not in os.environ
    return Console(stderr=stderr, width=PLAIN_WIDTH if plain else None, highlight=False, markup=False)


def print_json(value: Any) -> None:
    """Prints one JSON value on one line."""
    print(json.dumps(value, ensure_ascii=False, default=_to_json), flush=True)  # noqa: T201 - this is the output


def print_error(error: ProctorError, *, as_json: bool) -> None:
    """Prints what is wrong and what to do about it."""
    if as_json:
        print_json({"error": {"code": error.code, "message": error.message, "hint": error.hint}})
        return
    block = Table.grid(padding=(0, 1))
    block.add_row(Text("error:", style="bold red"), Text(error.message))
    if error.hint:
        block.add_row("", Text(error.hint))
    console(stderr=True).print(block)


def table(*columns: str, right: Sequence[str] = (), flexible: str = "") -> Table:
    """A table that reads well without colours; one flexible column gives way where the line is too short."""
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for name in columns:
        made.add_column(
            name,
            justify="right" if name in right else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if name == flexible else None,
        )
    return made


def fields(values: Mapping[str, str | Text]) -> Table:
    """Names and values, one below the other; empty values are left out."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in values.items():
        if value:
            made.add_row(name, value if isinstance(value, Text) else Text(value))
    return made


def duration(seconds: float) -> str:
    """A duration for people: `0.42 s`, `12.3 s`, `2 min 5 s`, `3 h 20 min`, `4 d 2 h`."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def instant(at: datetime) -> str:
    """An instant in the user's own time."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def one_line(text: str, limit: int = 400) -> str:
    """A text on one line, cut where it is long."""
    line = " ".join(text[: 2 * limit].split())
    return line if len(line) <= limit and len(text) <= 2 * limit else f"{line[:limit]}…"


def _to_json(value: Any) -> str | float:
    match value:
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case _:
            return str(value)
