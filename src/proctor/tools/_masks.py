"""Parts of an answer taken out: fields and columns for which whoever reads it has no clearance.

What can be read as data, JSON and tables, is masked where the fields stand. Of other text nobody can tell
what it holds: it stays only where every field was found as data beside it, and what was found isn't in it.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import islice

from proctor.core import JsonObject, JsonValue
from proctor.tools._fields import NOWHERE, Fields, Place, plain
from proctor.tools._text import clean

DEEPEST = 64
"""Levels of values in values that are looked through; what lies deeper is taken out."""

SHORTEST = 4
"""Characters of a masked value that is looked for in texts; a shorter one would be found everywhere."""

MANY = 500
"""Masked values that are looked for in texts."""

TRIES = 200
"""Places in a text that look as if JSON began there, and where none does."""

_NAMING = frozenset({"name", "key", "field", "column", "label", "property", "attribute", "header"})
"""Entries whose value names a field: `{"name": "card", "value": …}`."""

_AGAIN = "[masked]"
"""What stands where a value that was taken out stands again."""

_OPENING = re.compile(r"[\[{]")
_RULER = re.compile(r"[\s|:-]*-[\s|:-]*")
_BETWEEN = re.compile(r"(^[ \t]*```[A-Za-z]{0,10}[ \t]*$|\n[ \t]*\n)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """An answer as it may be read."""

    text: str
    structured: JsonObject | None
    kinds: tuple[str, ...]
    """Kinds of data of which something was taken out, or may have been."""


def mask(fields: Fields, text: str, structured: JsonObject | None) -> Masked:
    """An answer without the fields."""
    masking = _Masking(fields)
    # A tool that returns a text gives it as structured content of one entry: it is treated as a text.
    only = _only_text(fields, structured)
    within = None if only is None else masking.pieces(only, 0)
    first = None if structured is None or only is not None else masking.value(structured, NOWHERE, 0)
    pieces = masking.pieces(text, 0)
    masking.look_for_found()
    if structured is not None and within is not None:
        last: JsonObject | None = dict.fromkeys(structured, masking.joined(within))
    else:
        rest = masking.rest(first)
        last = rest if isinstance(rest, Mapping) else None
    text = masking.joined(pieces)
    if text == masking.left_out and last is not None and within is None:
        text = f"{text}\n{json.dumps(last, ensure_ascii=False)}"
    return Masked(text=clean(text), structured=last, kinds=masking.kinds)


@dataclass(frozen=True, slots=True)
class _Prose:
    """A piece of a text of which nothing is known."""

    text: str


@dataclass(frozen=True, slots=True)
class _Data:
    """A piece of a text that was masked: a JSON value, or a table as it is written."""

    value: JsonValue
    source: str


class _Masking:
    """One answer on its way: first data is masked, then what was found is looked for in the rest."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._found: set[int] = set()
        self._values: set[str] = set()
        self._is_loose = False
        """Whether something was masked that can't be looked for in a text."""
        self._is_left_out = False
        self._sought = re.compile("(?!)")
        self.left_out = f"[left out: text that may hold {' and '.join(sorted(set(fields.kinds)))} data]"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of data of which something was taken out, or may have been."""
        kinds = self._fields.kinds
        return tuple(sorted(set(kinds) if self._is_left_out else {kinds[index] for index in self._found}))

    def value(self, value: JsonValue, place: Place, depth: int) -> JsonValue:
        """A JSON value without the fields."""
        if isinstance(value, str):
            return self._text_within(value, depth)
        if not isinstance(value, Mapping | Sequence):
            return value
        if depth >= DEEPEST:
            self._is_left_out = self._is_loose = True
            return self.left_out
        if isinstance(value, Mapping):
            return self._object(value, place, depth)
        return self._list(value, place, depth)

    def _list(self, value: Sequence[JsonValue], place: Place, depth: int) -> list[JsonValue]:
        header = self._header(value[0]) if value else {}
        if header and all(map(_is_list, value)):
            return [value[0], *self._rows(value[1:], header, depth)]
        found, beyond = self._fields.item(place)
        if found is not None:
            return [self._take(item, found) for item in value]
        return [self.value(item, beyond, depth + 1) for item in value]

    def _object(self, value: JsonObject, place: Place, depth: int) -> JsonObject:
        about = self._fields.columns.get(_name_in(value))
        header = next(filter(None, map(self._header, value.values())), {})
        masked: dict[str, JsonValue] = {}
        for name, item in value.items():
            found, beyond = self._fields.entry(place, name)
            if found is None and plain(name) not in _NAMING:
                found = about
            if found is not None:
                masked[name] = self._take(item, found)
            elif header and _is_list(item) and any(map(_is_list, _items(item))):
                masked[name] = self._rows(_items(item), header, depth)
            else:
                masked[name] = self.value(item, beyond, depth + 1)
        return masked

    def _header(self, value: JsonValue) -> dict[int, int]:
        """The paths of the columns that a list of names, or of what has names, says to take out."""
        if not _is_list(value):
            return {}
        names = (_name_in(item) if isinstance(item, Mapping) else plain(str(item)) for item in _items(value))
        columns = self._fields.columns
        return {at: columns[name] for at, name in enumerate(names) if name in columns}

    def _rows(self, rows: Iterable[JsonValue], header: Mapping[int, int], depth: int) -> list[JsonValue]:
        """The rows of a table without the columns."""
        return [
            [
                self._take(cell, header[at]) if at in header else self.value(cell, NOWHERE, depth + 2)
                for at, cell in enumerate(_items(row))
            ]
            for row in rows
        ]

    def _take(self, value: JsonValue, index: int) -> str:
        """The note that stands in the place of a value, which is kept in mind."""
        self._found.add(index)
        for scalar in _scalars(value):
            if isinstance(scalar, bool) or len(text := str(scalar).strip()) < SHORTEST:
                self._is_loose = True
            else:
                self._values.add(text)
        return self._fields.note(index)

    def _text_within(self, text: str, depth: int) -> str:
        """A text that stands in data, masked where it is data itself."""
        if "\n" not in text and not _OPENING.search(text):
            return text
        pieces = self.pieces(text, depth + 1)
        return "".join(each.text if isinstance(each, _Prose) else _written(each) for each in pieces)

    def pieces(self, text: str, depth: int) -> list[_Prose | _Data]:
        """A text with what is data in it masked."""
        if not text.lstrip().startswith(("{", "[")) and (table := self._table(text)) is not None:
            return [table]
        pieces: list[_Prose | _Data] = []
        at = 0
        for start, end, value in _json_in(text):
            pieces += self._blocks(text[at:start])
            pieces.append(_Data(self.value(value, NOWHERE, depth), text[start:end]))
            at = end
        return [*pieces, *self._blocks(text[at:])]

    def _blocks(self, text: str) -> list[_Prose | _Data]:
        return [self._table(block) or _Prose(block) for block in _BETWEEN.split(text) if block]

    def _table(self, text: str) -> _Data | None:
        """The text as a table: in Markdown, or, where a column is to be taken out, with separated values."""
        for above, below, by in _tables_in(text.strip("\n")):
            header = self._header(above[0])
            if by and not header:
                continue
            rows = _read(below)
            if rows and all(len(row) == len(above[0]) for row in rows):
                masked = [*above, *self._rows(rows, header, 0)]
                return _Data("".join(_line(_items(row), by) for row in masked), text)
        return None

    def look_for_found(self) -> None:
        """From here on what was taken out is known, and the rest can be looked through."""
        if self._values and len(self._values) <= MANY:
            words = sorted(self._values, key=len, reverse=True)
            self._sought = re.compile("|".join(map(re.escape, words)))

    def rest(self, value: JsonValue) -> JsonValue:
        """A value that was masked, without what was taken out of it or of the text where it stands again."""
        if isinstance(value, str):
            text = self._without(value)
            if self._fields.named_in(text):
                self._is_left_out = True
                return self.left_out
            return text
        if isinstance(value, Mapping):
            return {self._without(name): self.rest(item) for name, item in value.items()}
        if isinstance(value, Sequence):
            return [self.rest(item) for item in value]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return _AGAIN if is_number and str(value) in self._values else value

    def joined(self, pieces: Sequence[_Prose | _Data]) -> str:
        """A text of which the data was masked: of the rest only what can't hold what was taken out."""
        written: list[str] = []
        for piece in pieces:
            if isinstance(piece, _Data):
                written.append(_written(_Data(self.rest(piece.value), piece.source)))
            elif not plain(piece.text) or _BETWEEN.fullmatch(piece.text):
                written.append(piece.text)
            elif (text := self._prose(piece.text)) is not None:
                written.append(text)
            elif self.left_out not in written:
                self._is_left_out = True
                written.append(self.left_out)
        return "".join(written)

    def _prose(self, text: str) -> str | None:
        """A text of which nothing is known, or nothing where it may hold a field."""
        is_all_known = len(self._found) == len(self._fields.kinds) and len(self._values) <= MANY
        if not is_all_known or self._is_loose:
            return None
        text = self._without(text)
        if self._fields.named_in(text):
            return None
        compared = plain(text)
        return None if any(plain(value) in compared for value in self._values) else text

    def _without(self, text: str) -> str:
        return _AGAIN if text in self._values else self._sought.sub(_AGAIN, text)


def _only_text(fields: Fields, structured: JsonObject | None) -> str | None:
    if structured is None or len(structured) != 1:
        return None
    [(name, value)] = structured.items()
    return value if isinstance(value, str) and fields.entry(NOWHERE, name)[0] is None else None


def _json_in(text: str) -> Iterator[tuple[int, int, JsonValue]]:
    """The JSON objects and arrays that stand in a text, with their begin and end."""
    decoder = json.JSONDecoder()
    at = tries = 0
    while tries < TRIES and (opening := _OPENING.search(text, at)) is not None:
        try:
            value, end = decoder.raw_decode(text, opening.start())
        except json.JSONDecodeError:
            at, tries = opening.end(), tries + 1
        except (RecursionError, ValueError):  # too deep, or a number that is too long
            return
        else:
            yield opening.start(), end, value
            at = end


def _tables_in(text: str) -> Iterator[tuple[list[list[str]], Iterator[list[str]], str]]:
    """The text read as a table in all possible ways: what stands above, its rows, what separates cells."""
    lines = text.splitlines()
    if len(lines) < 2:  # noqa: PLR2004 - a header and a row
        return
    if _RULER.fullmatch(lines[1]) and all("|" in line for line in lines):
        inner = (line.strip().removeprefix("|").removesuffix("|") for line in lines)
        rows = [re.split(r"(?<!\\)\|", line) for line in inner]
        yield rows[:2], iter(rows[2:]), ""
    for by in ",;\t|":
        reader = csv.reader(StringIO(text, newline=""), delimiter=by, strict=True)
        first = _read(islice(reader, 1))
        if first:
            yield first, reader, by


def _read(rows: Iterable[list[str]]) -> list[list[str]]:
    """The rows of a table; none where they can't be read."""
    try:
        return list(rows)
    except csv.Error:
        return []


def _line(row: Iterable[JsonValue], by: str) -> str:
    cells = list(map(str, row))
    if not by:
        return f"|{'|'.join(cells)}|\n"
    out = StringIO(newline="")
    csv.writer(out, delimiter=by, lineterminator="\n").writerow(cells)
    return out.getvalue()


def _written(piece: _Data) -> str:
    """The piece as text: JSON on several lines and with escapes where it was so."""
    if isinstance(piece.value, str):
        return piece.value
    escaped = "\\u" in piece.source
    return json.dumps(piece.value, ensure_ascii=escaped, indent=2 if "\n" in piece.source else None)


def _name_in(value: JsonValue) -> str:
    """The field that an object names: `{"name": "card"}`."""
    if not isinstance(value, Mapping):
        return ""
    named = (item for name, item in value.items() if plain(name) in _NAMING and isinstance(item, str))
    return plain(next(named, ""))


def _scalars(value: JsonValue) -> Iterator[JsonValue]:
    """What a value holds that is no container; no empty ones."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, Sequence) and not isinstance(item, str):
            waiting.extend(item)
        elif item not in (None, ""):
            yield item


def _is_list(value: JsonValue) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _items(value: JsonValue) -> Sequence[JsonValue]:
    return value if isinstance(value, Sequence) else ()
