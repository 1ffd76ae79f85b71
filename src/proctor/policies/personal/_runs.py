"""The runs of digits in a text, one by one, as they may be numbers of something."""

import re
from collections.abc import Iterator
from functools import cached_property

from proctor.policies.personal._labels import Label, label_after, label_before, word_label

_RUN = re.compile(r"[0-9]++(?:(?:[ .\-/]|\)[ .\-]?| ?\(| - )[0-9]++)*+")
"""Digits with what people write between them. More than that ends a number."""
_FEWEST_DIGITS = 6
_MOST_PARTS = 24
"""What has more is a table of figures: its parts are read one by one."""
_LONGEST_ROW = 400
_WIDEST = 6
_PART = re.compile(r"[^ ]+")
_LONG_PART = re.compile(r"[^ ]{7,60}+")
_MOST_DIGITS = 24
_JOINED_BEFORE = re.compile(r"[0-9A-Za-z][-./_#]\Z|(?<![0-9])0,\Z")
_JOINED_AFTER = re.compile(r"[0-9A-Za-z_@]|[-/][0-9A-Za-z]|\.[0-9a-z]|,[0-9]{1,2}(?![0-9])")
_LETTERS = re.compile(r"[A-Za-z]")
_EXTENSION = re.compile(r",? ?(?:x|ext\.? ?|extension |转|分机)[0-9]{1,6}(?![0-9A-Za-z])", re.IGNORECASE)
_GROUP_BEFORE = re.compile(r"(?<![0-9])[0-9]{2,5} \Z")
_GROUP_AFTER = re.compile(r" [0-9]{2,5}(?![0-9])")
_NAMED_BEFORE = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]{2,8}\Z")
_WORD_AFTER = re.compile(r"-(?:office|fax|mobile|home|work|cell|phone|tel)\b", re.IGNORECASE)


class Run:
    """Digits with what stands between them, and what the words around them say."""

    def __init__(self, text: str, start: int, end: int, *, within: tuple[int, int] | None = None) -> None:
        self.text = text
        self.start = start
        self.end = end
        self._within = within or (start, end)
        self.written = text[start:end]

    @cached_property
    def digits(self) -> str:
        """The digits alone."""
        return "".join(filter(str.isdigit, self.written))

    @cached_property
    def label(self) -> Label | None:
        """What the words before it call it, or else the words after it."""
        before = label_before(self.text, self.start)
        if before is None or before in ("address", "account", "payment"):
            return label_after(self.text, self.end) or before
        return before

    @cached_property
    def grouped_on(self) -> bool:
        """Whether more groups of digits stand before or after it, as if it were a part of their row."""
        first, last = self._within
        return bool(
            " " in self.written
            and (
                _GROUP_BEFORE.search(self.text, max(first, self.start - 8), self.start)
                or _GROUP_AFTER.match(self.text, self.end, last)
            )
        )

    @cached_property
    def joined(self) -> bool:
        """Whether it is a part of something longer: `a1-23`, `1.234,5`, `x=12e5`."""
        start, end = self.start, self.end
        if start and _LETTERS.match(self.text, start - 1):
            return not _is_name(self.text, start)
        if _JOINED_BEFORE.search(self.text, max(0, start - 3), start):
            return not _is_name(self.text, start - 1)
        if _EXTENSION.match(self.text, end) or _WORD_AFTER.match(self.text, end):
            return False
        return _JOINED_AFTER.match(self.text, end) is not None


def runs(text: str) -> Iterator[list[Run]]:
    """For each run of digits the ways to read it, the whole first and then parts of it, longer ones first.

    Whoever finds a number in one leaves those that overlap it.
    """
    for match in _RUN.finditer(text):
        start, end = match.span()
        if end - start < _FEWEST_DIGITS:
            continue
        if " " not in match[0]:
            yield [Run(text, start, end)] if end - start <= 2 * _MOST_DIGITS else []
        elif end - start < _LONGEST_ROW and match[0].count(" ") < _MOST_PARTS:
            yield list(_readings(text, start, end))
        else:
            yield from ([Run(text, *part.span())] for part in _LONG_PART.finditer(text, start, end))


def _readings(text: str, start: int, end: int) -> Iterator[Run]:
    parts = [part.span() for part in _PART.finditer(text, start, end)]
    for size in range(len(parts), 0, -1):
        if size > _WIDEST and size != len(parts):
            continue
        for first in range(len(parts) - size + 1):
            where = parts[first][0], parts[first + size - 1][1]
            if _FEWEST_DIGITS <= where[1] - where[0] <= 2 * _MOST_DIGITS:
                yield Run(text, *where, within=(start, end))


def extension_end(text: str, end: int) -> int:
    """Where a phone number's extension ends, where it has one."""
    match = _EXTENSION.match(text, end)
    return match.end() if match else end


def _is_name(text: str, end: int) -> bool:
    """Whether the letters right before a place are a name of what follows: `tel138…`, `SSN536…`."""
    match = _NAMED_BEFORE.search(text, max(0, end - 9), end)
    return match is not None and word_label(match[0]) is not None
