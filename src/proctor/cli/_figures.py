"""Tables of figures: amounts and counts for people, and which columns are shown where a line is short."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from proctor.cli._output import GAP, print_table
from proctor.core import Micros

LEAST_KEY, WHOLE_KEY = 10, 40
"""Columns that the name of a thing has at least, and up to which figures give way to it."""
PLACES = ((2, 10_000_000), (4, 100_000))
"""Decimal places of amounts that stand together, and from how many micro-dollars on they do; else 6."""
UNITS = ((10**3, "k"), (10**6, "M"), (10**9, "G"))
SIZES = ((10**9, "GB"), (10**6, "MB"), (10**3, "KB"))
EXACT = 10_000
"""Counts below it are told to the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One figure of every line."""

    name: str
    cells: Sequence[str | Text]
    dispensable: int = 0
    """The greater, the sooner it is left out where a line is too short; 0: never."""
    side: Literal["left", "right"] = "right"

    @property
    def width(self) -> int:
        """What it takes of a line."""
        return max(cell_len(str(cell)) for cell in (self.name, *self.cells)) + GAP


def print_figures(
    to: Console,
    names: Sequence[str],
    keys: Sequence[Sequence[str]],
    columns: Sequence[Column],
    *,
    last: str = "",
) -> None:
    """Prints lines that begin with what they are about, and leaves out figures that none of them has.

    `last` is the style of the last line.
    """
    columns = [column for column in columns if any(map(str, column.cells))]
    widest = [max(cell_len(each) for each in values) for values in zip(names, *keys, strict=True)]
    line = to.width + GAP  # behind the last column there is none
    shown = _fitting(columns, line - sum(min(width, WHOLE_KEY) + GAP for width in widest))
    room = line - sum(column.width for column in shown) - GAP * len(names)
    widths = _shared(widest, room)
    rows = []
    for number, key in enumerate(keys):
        cells = [Text(value) for value in key]
        for name, width in zip(cells, widths, strict=True):
            name.truncate(width, overflow="ellipsis")
        for column in shown:
            figure = column.cells[number]
            cells.append(Text(figure) if isinstance(figure, str) else figure)
        if last and number == len(keys) - 1:
            cells = [Text(str(cell), style=last) for cell in cells]
        rows.append(cells)
    right = [column.name for column in shown if column.side == "right"]
    print_table(to, (*names, *(column.name for column in shown)), rows, right=right)


def usd(micros: Micros) -> Decimal:
    """An amount for spreadsheets: dollars with six places."""
    return Decimal(micros).scaleb(-6)


def amounts(values: Sequence[Micros], *, of: Micros) -> list[str]:
    """Amounts that stand together, with as many places as the largest one, `of`, calls for."""
    places = next((places for places, least in PLACES if of >= least), 6)
    least = 10 ** (6 - places)
    return [
        f"<${usd(least):.{places}f}" if 0 < value < least else f"${usd(value):,.{places if value else 2}f}"
        for value in values
    ]


def count(number: int) -> str:
    """A count for people: `9,999`, `12.3k`, `4.56M`; nothing for none."""
    if number < EXACT:
        return f"{number:,}" if number else ""
    size, unit = next(((size, unit) for size, unit in UNITS if number < 999.5 * size), UNITS[-1])
    return (f"{number / size:#.3g}".rstrip(".") if number < 999.5 * size else f"{number / size:,.0f}") + unit


def amount_kept(size: int) -> str:
    """A size for people: `3.4 KB`, `21.0 MB`, `13.4 GB`."""
    unit, name = next((each for each in SIZES if size >= each[0]), SIZES[-1])
    return f"{size / unit:,.1f} {name}"


def _shared(widest: Sequence[int], room: int) -> list[int]:
    """The width of each key: a narrow one leaves what it doesn't need to the others."""
    widths = list(widest)
    for taken, place in enumerate(sorted(range(len(widths)), key=widest.__getitem__)):
        widths[place] = min(widths[place], max(room // (len(widths) - taken), LEAST_KEY))
        room -= widths[place]
    return widths


def _fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """The columns for which there is room; what can be done without goes first."""
    kept = list(columns)
    while sum(column.width for column in kept) > width:
        least = max(kept, key=lambda column: column.dispensable)
        if not least.dispensable:
            break
        kept.remove(least)
    return kept
