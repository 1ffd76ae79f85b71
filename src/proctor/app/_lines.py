"""Where a key stands in a TOML file, for whoever has to mend it."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any

_HEADER = re.compile(r"\s*(\[\[?)(.+?)\]\]?\s*(?:#.*)?$")
_WORD = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEY = re.compile(rf"\s*({_WORD}(?:\s*\.\s*{_WORD})*)\s*=")
_FENCES = ('"""', "'''")


def line_of(text: str, place: Sequence[str]) -> int | None:
    """The number, from 1, of the line that gives a key, or the table above it; nothing where none does.

    `place` is the key with all above it; what stands in an array of tables is counted from 1.
    """
    best: tuple[int, int] | None = None
    for number, found in _places(text):
        shared = len(found) if list(place[: len(found)]) == found else 0
        if shared and (best is None or shared > best[0]):
            best = shared, number
    return best[1] if best else None


def _places(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each line that opens a table or gives a key, with the whole of that key."""
    table: list[str] = []
    counted: dict[str, int] = {}
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if fence:
            fence = "" if fence in line else fence
            continue
        if header := _HEADER.match(line):
            table = _numbered(_parts(header[2]), counted, opens=header[1] == "[[")
            yield number, table
        elif key := _KEY.match(line):
            yield number, [*table, *_parts(key[1])]
            rest = line[key.end() :]
            fence = next((each for each in _FENCES if rest.count(each) % 2), "")


def _numbered(parts: list[str], counted: dict[str, int], *, opens: bool) -> list[str]:
    """A table's key in which arrays above it, and the one it opens, carry the number of their last table."""
    place: list[str] = []
    for depth, part in enumerate(parts, start=1):
        place.append(part)
        name = ".".join(parts[:depth])
        if opens and depth == len(parts):
            counted[name] = counted.get(name, 0) + 1
        if name in counted:
            place.append(str(counted[name]))
    return place


def _parts(key: str) -> list[str]:
    try:
        value: Any = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        return []
    parts: list[str] = []
    while isinstance(value, dict):
        [(part, value)] = value.items()
        parts.append(part)
    return parts
