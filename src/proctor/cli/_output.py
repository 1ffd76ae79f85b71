"""What commands print: lines and tables for people on the console, JSON for programs."""

import csv
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

PLAIN_WIDTH = 100
"""Columns where the output goes into a file or pipe, unless COLUMNS says otherwise."""

GAP = 3
"""Columns between two cells of a table."""
LEAST_WIDTH = 10
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a spreadsheet take a cell for a formula."""
_COMMANDS = re.compile("\r(?=\n)|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys, and what turns the direction of writing."""
MINUTE, HOUR, DAY = 60, 3_600, 86_400
"""Seconds."""


def console(*, stderr: bool = False) -> Console:
    """A console on standard output or standard error."""
    plain = not (sys.stderr if stderr else sys.stdout).isatty() and "COLUMNS" not in os.environ
    return Console(stderr=stderr, width=PLAIN_WIDTH if plain else None, highlight=False, markup=False)


def put(renderable: RenderableType, to: Console) -> None:
    """Prints something; in a file or pipe without blanks at the ends of lines."""
    if to.is_terminal:
        to.print(renderable)
        return
    with to.capture() as captured:
        to.print(renderable)
    for line in captured.get().splitlines():
        to.out(line.rstrip())


def print_json(value: Any) -> None:
    """Prints one JSON value on one line."""
    print(json.dumps(value, ensure_ascii=False, default=_to_json), flush=True)  # noqa: T201 - this is the output


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[str | int | Decimal | None]]) -> None:
    """Prints rows for spreadsheets. A text that they would execute is led by an apostrophe."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(
            [f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell for cell in row]
        )
    sys.stdout.flush()


def print_error(code: str, message: str, hint: str, *, as_json: bool) -> None:
    """Prints what is wrong and what to do about it."""
    if as_json:
        print_json({"error": {"code": code, "message": message, "hint": hint}})
        return
    block = Table.grid(padding=(0, 1))
    block.add_row(Text("error:", style="bold red"), Text(message))
    if hint:
        block.add_row("", Text(hint))
    put(block, console(stderr=True))


def print_table(
    to: Console,
    columns: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    *,
    right: Sequence[str] = (),
    overflow: Literal["ellipsis", "fold"] = "fold",
) -> None:
    """Prints a table that reads well without colours. Columns without any content are left out.

    Where a line is too short its last column gives way, and then others, which break between words.
    """
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    full = [place for place in range(len(columns)) if not rows or any(str(row[place]) for row in rows)]
    cells = [[columns[place], *(str(row[place]) for row in rows)] for place in full]
    widths = _widths(cells, to.width - GAP * (len(full) - 1))
    for place, width in zip(full, widths, strict=True):
        name, is_last = columns[place], place == full[-1]
        justify: Literal["left", "right"] = "right" if name in right else "left"
        cut = overflow if is_last else "ellipsis"
        made.add_column(
            name, justify=justify, width=width, no_wrap=is_last and cut == "ellipsis", overflow=cut
        )
    for row in rows:
        kept = (row[place] for place in full)
        made.add_row(*(Text(harmless(cell)) if isinstance(cell, str) else cell for cell in kept))
    put(made, to)


def _widths(columns: Sequence[Sequence[str]], room: int) -> list[int]:
    """How wide columns are by their cells: if they can be, so that together they fit into the room."""
    widths = [max(map(cell_len, cells)) for cells in columns]
    *words, _ = (
        max((cell_len(word) for cell in cells for word in cell.split()), default=0) for cells in columns
    )
    least = [*words, min(widths[-1], LEAST_WIDTH)]
    last = len(widths) - 1
    for place in sorted(range(len(widths)), key=lambda one: (one != last, least[one] - widths[one])):
        widths[place] -= min(max(sum(widths) - room, 0), widths[place] - least[place])
    return widths


def fields(values: Mapping[str, str | Text]) -> Table:
    """Names and values, one below the other; empty values are left out."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in values.items():
        if value:
            made.add_row(name, value if isinstance(value, Text) else Text(harmless(value)))
    return made


def harmless(text: str) -> str:
    """A text of others, which a terminal doesn't obey: its commands are spelt out, `<U+001B>`."""
    return _COMMANDS.sub(lambda found: "" if found[0] == "\r" else f"<U+{ord(found[0]):04X}>", text)


def duration(seconds: float) -> str:
    """A duration for people: `0.42 s`, `12.3 s`, `2 min 5 s`, `3 h 20 min`, `4 d 2 h`."""
    if seconds < MINUTE:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"
    return f"{whole // DAY} d {whole % DAY // HOUR} h"


def offset(seconds: float) -> str:
    """A time from the start of something: `0:01.2`, `12:34.5`, `3:20:05`."""
    tenths = round(seconds * 10)
    if seconds < HOUR:
        return f"{tenths // 600}:{tenths // 10 % MINUTE:02}.{tenths % 10}"
    return f"{tenths // 36_000}:{tenths // 600 % MINUTE:02}:{tenths // 10 % MINUTE:02}"


def age(seconds: float) -> str:
    """How long ago something was, roughly: `40 s`, `3 min`, `5 h`, `2 d`."""
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


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
