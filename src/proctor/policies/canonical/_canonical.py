"""One plain view of a text, however its characters were dressed up, with the way back to the original."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from proctor.policies.canonical._lookalikes import lookalike, plain_words

_TAGS = "\U000e0020-\U000e007e"
"""Invisible doubles of ASCII. Models read them, people don't."""
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
"""256 invisible marks, one for each byte: four in a row choose no character's form."""
_HIDDEN = re.compile(f"[{_TAGS}]|[{_SELECTORS}]{{4,}}+")
_VISIBLE_BETWEEN = re.compile(r"[\n\r\t\u0080-\uffff]{1,40}")
"""Characters without an invisible double: between two that have one they are part of what is spelt."""
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2065\u3164\uffa0")
"""Default-ignorable characters that are neither format characters nor marks."""
_LONGEST_FOLD = 3
"""Compatibility forms that unfold to more (some to 18) hold no number and would let a text grow on us."""
_KEPT_FOLDS = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class CanonicalText:
    """A text as rules read it."""

    text: str
    origins: Sequence[int]
    """For each character the first place in the original that it stands for."""
    ends: Sequence[int] | None = None
    """For each character one past the last place; none where each stands for a single one."""
    name: str = "plain"
    """What was done to see it, outermost first: `plain`, `base64`, `html+leet`, `url > base64`."""

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Where a stretch of this text stands in the original."""
        if isinstance(self.origins, range):
            return self.origins[start], self.origins[end - 1] + 1
        first = min(self.origins[start:end])
        if self.ends is None:
            return first, max(self.origins[start:end]) + 1
        return first, max(self.ends[start:end])


def canonical(text: str) -> CanonicalText:
    """The text without invisible characters, and with the plain form of disguised ones.

    Plain form is NFKC, with all digits and look-alikes as ASCII. What tag characters and variation selectors
    spell is appended as a line of its own: so they neither break up a visible value nor carry a hidden one
    through.
    """
    if text.isascii():
        return CanonicalText(text=text, origins=range(len(text)))
    folds = {ord(character): _FOLDS[character] for character in set(text)}
    folded = text.translate(folds)
    if all(len(fold) == 1 for fold in folds.values()):
        return CanonicalText(text=plain_words(folded), origins=range(len(text)))
    origins: list[int] = []
    for place, character in enumerate(text):
        fold = folds[ord(character)]
        if len(fold) == 1:
            origins.append(place)
        elif fold:
            origins.extend([place] * len(fold))
    folded = plain_words(folded)
    if (hidden := invisible(text)) is not None:
        folded += "\n" + hidden.text
        origins += [hidden.origins[0], *hidden.origins]
    return CanonicalText(text=folded, origins=origins)


def invisible(text: str) -> CanonicalText | None:
    """What invisible characters spell; none where there are none that spell anything."""
    if text.isascii() or not _HIDDEN.search(text):
        return None
    letters: list[str] = []
    places: list[int] = []
    last = -1
    for hidden in _HIDDEN.finditer(text):
        start, end = hidden.span()
        if 0 <= last < start and (between := _VISIBLE_BETWEEN.fullmatch(text, last, start)):
            letters.extend(between[0])
            places.extend(range(last, start))
        if end - start == 1:
            letters.append(chr(ord(hidden[0]) - 0xE0000))
        else:
            letters.extend(bytes(_selected(ord(character)) for character in hidden[0]).decode("latin-1"))
        places.extend(range(start, end))
        last = end
    return CanonicalText(text="".join(letters), origins=places, name="invisible")


def _selected(code: int) -> int:
    """The byte that a variation selector can stand for: the first sixteen stand apart from the others."""
    return code - 0xFE00 if code <= 0xFE0F else code - 0xE0100 + 16  # noqa: PLR2004 - U+FE0F, the last of them


def _fold(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cf", "Mn", "Me") or character in _FILLERS:
        return ""
    if category in ("Nd", "No") and (digit := unicodedata.digit(character, None)) is not None:
        return str(digit)
    if category == "Pd":
        return "-"
    if category == "Zs":
        return " "
    if (like := lookalike(character)) is not None:
        return like
    folded = unicodedata.normalize("NFKC", character)
    folded = "".join(lookalike(each) or each for each in folded)
    return folded if len(folded) <= _LONGEST_FOLD else character


class _Folds(dict[str, str]):
    """Folded characters by character, remembered up to a limit that hostile text can't pass."""

    def __missing__(self, character: str) -> str:
        folded = _fold(character)
        if len(self) < _KEPT_FOLDS:
            self[character] = folded
        return folded


_FOLDS = _Folds()
