"""All that checks read of a text: its plain view, and what it says beneath its layers.

A layer is what was encoded, escaped, spelt out, put in leet or written backwards. What says nothing beneath,
as most texts, has the plain view only, and that is decided by what is cheap to look for.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from proctor.policies.canonical._backwards import is_backwards, may_be_backwards
from proctor.policies.canonical._canonical import CanonicalText, canonical, invisible
from proctor.policies.canonical._decoding import (
    BYTES,
    encoded,
    encoded_apart,
    escapes,
    in_bits,
    moved_on,
    perhaps_encoded,
)
from proctor.policies.canonical._edits import Edit, apart, edited, replaced, turned
from proctor.policies.canonical._leet import leet
from proctor.policies.canonical._spelt_out import blanked, dotted, evenly, numerals

_ROOM = 2
"""How much longer than the plain view all others may be together."""

_LONG_WORD = 12
"""Characters of the shortest run that a decoder looks at."""
_SINGLES = 5
_PAIRS = 6
_LONG_PAIRS = 17
"""Characters of six pairs with a sign between each two."""
_WORD = re.compile(r"\S+")
_OVERRIDES = ("\u202e", "\u2067")
"""Marks that show what follows backwards."""


def views(text: str, plain: CanonicalText | None = None) -> tuple[CanonicalText, ...]:
    """The plain view of a text first, then views of what hides in it, nested ones behind their layer's.

    All together are at most three times as long as the plain view. Views of long texts show the surroundings
    of what hides in them, one line each.
    """
    plain = plain or canonical(text)
    found = [plain]
    room = _ROOM * len(plain.text)

    def take(further: Iterable[CanonicalText]) -> list[CanonicalText]:
        nonlocal room
        taken = []
        for view in further:
            if len(view.text) <= room and all(view.text != known.text for known in found):
                room -= len(view.text)
                found.append(view)
                taken.append(view)
        return taken

    if (hidden := invisible(text)) is not None:
        take([hidden])
    overridden = not text.isascii() and any(mark in text for mark in _OVERRIDES)
    level = [*found[1:], *take(_beneath(plain, overridden=overridden))]
    for view in level:
        take(_beneath(view, overridden=False))
    if not overridden and may_be_backwards(plain.text):
        take(_turned(plain))
    return tuple(found)


def _beneath(view: CanonicalText, *, overridden: bool) -> Iterator[CanonicalText]:
    text = view.text
    if even := evenly(text):
        yield edited(view, [even])
        return
    words = text.split()
    lengths = list(map(len, words))
    longest = max(lengths, default=0)
    escaped = list(escapes(text))
    finders: list[Iterable[Edit]] = [escaped, dotted(text), numerals(text), in_bits(text)]
    if not escaped:  # whose digits are no letters
        finders.append(leet(text))
    if longest >= _LONG_WORD and any(map(perhaps_encoded, words)):
        finders.append(encoded(text))
    if lengths.count(1) >= _SINGLES:
        finders.append(blanked(text))
    if longest >= _LONG_PAIRS or sum(map(BYTES.__contains__, words)) >= _PAIRS:
        finders.append(encoded_apart(text))
    if edits := apart(list(chain.from_iterable(finders))):
        yield edited(view, edits)
    if (other := moved_on(text, words)) is not None and "rot13" not in view.name:
        yield replaced(view, other, "rot13")
    if "reversed" in view.name:
        return
    if overridden or is_backwards(text, words):
        yield from _turned(view)


def _turned(view: CanonicalText) -> Iterator[CanonicalText]:
    yield turned(view, range(len(view.text) - 1, -1, -1))
    yield turned(view, _each_word(view.text))


def _each_word(text: str) -> list[int]:
    """The places of a text's characters with each word turned round where it stands."""
    order = list(range(len(text)))
    for word in _WORD.finditer(text):
        start, end = word.span()
        order[start:end] = range(end - 1, start - 1, -1)
    return order
