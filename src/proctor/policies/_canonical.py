"""One plain view of a text, however it was dressed up, with the way back to the original."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_TAGS = range(0xE0020, 0xE007F)
"""Invisible doubles of ASCII. Models read them, people don't."""
_HAS_TAGS = re.compile("[\U000e0020-\U000e007e]")
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2065\u3164\uffa0")
"""Default-ignorable characters that are neither format characters nor marks."""
_LOOKALIKES = str.maketrans(
    "АВЕКМНОРСТХІЅЈаеорсхіѕјӏΑΒΕΖΗΙΚΜΝΟΡΤΧοƖӀ〇−“”„‘’‚",  # noqa: RUF001 - the point of the table
    "ABEKMHOPCTXISJaeopcxisjlABEZHIKMNOPTXoII0-\"\"\"'''",
)
_LONGEST_FOLD = 3
"""Compatibility forms that unfold to more (some to 18) hold no number and would let a text grow on us."""
_KEPT_FOLDS = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class CanonicalText:
    """A text as rules read it."""

    text: str
    origins: Sequence[int]
    """For each character its place in the original."""

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Where a stretch of this text stands in the original."""
        places = self.origins[start], self.origins[end - 1]
        return min(places), max(places) + 1


def canonical(text: str) -> CanonicalText:
    """The text without invisible characters, and with the plain form of disguised ones.

    Plain form is NFKC, with all digits and the usual look-alikes as ASCII. What tag characters spell is
    appended as a line of its own: so they neither break up a visible value nor carry a hidden one through.
    """
    if text.isascii():
        return CanonicalText(text=text, origins=range(len(text)))
    pieces: list[str] = []
    origins: list[int] = []
    for place, piece in enumerate(map(_FOLDS.__getitem__, text)):
        if piece:
            pieces.append(piece)
            origins.extend([place] * len(piece))
    if _HAS_TAGS.search(text):
        hidden = [place for place, character in enumerate(text) if ord(character) in _TAGS]
        pieces.extend(["\n", *(chr(ord(text[place]) - 0xE0000) for place in hidden)])
        origins.extend([hidden[0], *hidden])
    return CanonicalText(text="".join(pieces), origins=origins)


def _fold(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cf", "Mn", "Me") or character in _FILLERS:
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Pd":
        return "-"
    if category == "Zs":
        return " "
    folded = unicodedata.normalize("NFKC", character).translate(_LOOKALIKES)
    return folded if len(folded) <= _LONGEST_FOLD else character


class _Folds(dict[str, str]):
    """Folded characters by character, remembered up to a limit that hostile text can't pass."""

    def __missing__(self, character: str) -> str:
        folded = _fold(character)
        if len(self) < _KEPT_FOLDS:
            self[character] = folded
        return folded


_FOLDS = _Folds()
