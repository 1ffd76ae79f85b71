"""What is written letter by letter, and numbers in Chinese numerals."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from proctor.policies.canonical._edits import Edit
from proctor.policies.canonical._spelling import breaks

_BLANKED = re.compile(r"(?<!\S)\S(?:[ \t]{1,4}\S(?!\S)){4,}+")
_JOINED_BY = r"([-._*/|~+,:·•])"
_DOTS = re.compile(rf"{_JOINED_BY}.\1.\1")
_DOTTED = re.compile(rf"(?<![^\W_])[^\W_]{_JOINED_BY}(?:.\1){{3,}}+(?:[^\W_](?![^\W_]))?+")
_DOTTED_SHORT = re.compile(rf"(?<![^\W_])[^\W_]{_JOINED_BY}(?:.\1)*+(?:[^\W_](?![^\W_]))?+")
_FEWEST = 4
_SHORTEST = 7
_SIGNS = frozenset(" -._*/|~+,:·•\t")
_SPACED = "spaced"

_NUMERALS = str.maketrans(
    "〇零一二三四五六七八九壹贰貳叁參肆伍陆陸柒捌玖幺两兩", "00123456789122334566789122"
)
_NUMERAL = "〇零一二三四五六七八九壹贰貳叁參肆伍陆陸柒捌玖幺两兩"
_NUMBER = re.compile(rf"[0-9{_NUMERAL}](?:[ -]?[0-9{_NUMERAL}]){{5,}}+")
_FEWEST_NUMERALS = 4
_HAS_NUMERAL = re.compile(f"[{_NUMERAL}]")


def evenly(text: str) -> Edit | None:
    """A text that has the same sign between each two of its characters, without it."""
    sign = text[1:2]
    if len(text) < _SHORTEST or sign not in _SIGNS or text[1::2].strip(sign):
        return None
    return _apart(text[::2], range(0, len(text), 2), (0, len(text)))


def blanked(text: str) -> Iterator[Edit]:
    """Words and numbers whose letters stand apart, joined; words that ran into one another, apart again."""
    for match in _BLANKED.finditer(text):
        if edit := _joined(match):
            yield edit


def dotted(text: str) -> Iterator[Edit]:
    """Words and numbers with a sign between each two letters, without it."""
    if not _DOTS.search(text):
        return
    gate = _DOTTED.search(text)
    if gate and sum(map(str.isalnum, gate[0])) >= _FEWEST:
        for match in _DOTTED_SHORT.finditer(text):
            letters = match[0][::2]
            if sum(map(str.isalnum, letters)) > 1:
                yield _apart(letters, range(match.start(), match.end(), 2), match.span())


def _joined(match: re.Match[str]) -> Edit | None:
    """A row of single characters: what stands further apart than others is in two words."""
    run = match[0]
    if run.count(" ") * 2 + 1 == len(run) and " " not in run[::2]:
        letters, places = run[::2], list(range(match.start(), match.end(), 2))
    else:
        at = [each.start() for each in re.finditer(r"\S", run)]
        nearest = min(after - before for before, after in pairwise(at))
        characters: list[str] = []
        places = []
        for before, after in zip([at[0] - nearest, *at], at, strict=False):
            if after - before > nearest:
                characters.append(" ")
                places.append(match.start() + before + 1)
            characters.append(run[after])
            places.append(match.start() + after)
        letters = "".join(characters)
    if sum(map(str.isalnum, letters)) < _FEWEST:
        return None
    return _apart(letters, places, match.span())


def _apart(letters: str, places: Sequence[int], span: tuple[int, int]) -> Edit:
    if " " in letters or not letters.isascii():
        return Edit(*span, letters, _SPACED, places)
    pieces: list[str] = []
    further: list[int] = []
    last = 0
    for place in breaks(letters):
        pieces += [letters[last:place], " "]
        further += [*places[last:place], places[place] - 1]
        last = place
    return Edit(*span, "".join([*pieces, letters[last:]]), _SPACED, [*further, *places[last:]])


def numerals(text: str) -> Iterator[Edit]:
    """Long numbers in Chinese numerals, everyday ones and those of contracts, as digits."""
    if text.isascii() or not _HAS_NUMERAL.search(text):
        return
    for match in _NUMBER.finditer(text):
        if len(_HAS_NUMERAL.findall(match[0])) >= _FEWEST_NUMERALS:
            yield Edit(*match.span(), match[0].translate(_NUMERALS), "numerals", range(*match.span()))
