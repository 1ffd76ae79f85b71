"""What the injection check reads in a text: its words, the ideas behind them, and where each stands.

Knows no weights. Training reads texts by the same functions.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Final
from unicodedata import normalize

from proctor.policies._reading import in_small
from proctor.policies.canonical._canonical import canonical

LETTERS: Final = {
    "ignore": "I",
    "prior": "P",
    "all": "A",
    "rules": "R",
    "limits": "L",
    "system": "S",
    "assistant": "B",
    "you": "Y",
    "become": "E",
    "now": "N",
    "new": "W",
    "reveal": "V",
    "say": "T",
    "reply": "O",
    "secrets": "K",
    "send": "D",
    "act": "X",
    "user": "U",
    "not": "Z",
    "mention": "M",
    "mode": "Q",
    "alert": "H",
    "game": "G",
    "harm": "F",
    "code": "C",
    "task": "J",
    "anything": "a",
    "free": "f",
    "talk": "t",
}
"""Ideas as letters: a text's ideas become a string, one character a word, in which signs are searched."""
NONE: Final = "."
"""A word without an idea."""

_ASIAN = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_ASIAN_RUN = re.compile(f"[{_ASIAN}]+")
"""Kana and Chinese characters: scripts without blanks."""
_WORD = re.compile(rf"[^\W\d_{_ASIAN}]{{2,}}(?:['\u2019][a-z]{{1,2}}(?![a-z]))?")
_WORD_OR_RUN = re.compile(rf"{_WORD.pattern}|{_ASIAN_RUN.pattern}")
_LONGEST_WORD = 24
_MOST_WORDS = 50_000
_SHORTEST_STEM = 2
_BLOCK = 200
_ASIAN_BLOCK = 90
_ACCENTS = {
    code: base
    for code in (*range(0xE0, 0x250), *range(0x1E00, 0x1F00))
    if (base := normalize("NFD", chr(code))[0]).isascii() and base.islower()
}
_ENDS = ("\n", ". ", "! ", "? ", "\u3002", "\uff01", "\uff1f", "; ", ", ", "\uff0c", " ")
"""Where a block may end, the best first."""
_REACH = 7
"""As far apart, in words, two ideas still belong together."""
_FOLLOWERS = 3


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of a text, about two sentences long."""

    start: int
    end: int
    words: Sequence[str]
    ideas: str
    """One letter for each word."""
    asian: bool = False
    """Whether its text is in a script without blanks."""


class _Ideas(dict[str, str]):
    """Letters by word, remembered up to a limit that hostile text can't pass."""

    def __init__(self, whole: dict[str, str], stems: dict[str, str]) -> None:
        super().__init__(whole)
        self._stems = stems

    def __missing__(self, word: str) -> str:
        letter = NONE
        for length in range(min(len(word), _LONGEST_WORD), _SHORTEST_STEM - 1, -1):
            if found := self._stems.get(word[:length]):
                letter = found
                break
        if len(word) <= _LONGEST_WORD and len(self) < _MOST_WORDS:
            self[word] = letter
        return letter


@cache
def _ideas() -> tuple[_Ideas, dict[str, str], dict[str, int]]:
    """The letters of words; of phrases in scripts without blanks; their longest by first character."""
    lexicon = tomllib.loads((files("proctor.policies") / "data" / "injection_ideas.toml").read_text("utf-8"))
    whole: dict[str, str] = {}
    stems: dict[str, str] = {}
    asian: dict[str, str] = {}
    for idea, words in lexicon.items():
        for written in words.split():
            word = folded(canonical(written.removesuffix("*")).text)
            kind = asian if _ASIAN_RUN.match(word) else stems if written.endswith("*") else whole
            kind.setdefault(word, LETTERS[idea])
    longest: dict[str, int] = {}
    for phrase in asian:
        longest[phrase[0]] = max(len(phrase), longest.get(phrase[0], 0))
    return _Ideas(whole, stems), asian, longest


def folded(text: str) -> str:
    """The text in small Latin letters without accents, character for character: one may leave them out."""
    lowered = in_small(text)
    return lowered if lowered.isascii() else lowered.translate(_ACCENTS)


def blocks(lowered: str) -> Iterator[Block]:
    """A text in small letters, cut at its sentences and lines."""
    asian = _ASIAN_RUN.search(lowered) is not None
    size = _ASIAN_BLOCK if asian else _BLOCK
    start = 0
    while start < len(lowered):
        end = _cut(lowered, start, size)
        words, ideas = _read_asian(lowered[start:end]) if asian else _read(lowered[start:end])
        yield Block(start, end, words, ideas, asian)
        start = end


def block_of(lowered: str, start: int, end: int) -> Block:
    """One stretch of a text in small letters as a block."""
    part = lowered[start:end]
    words, ideas = _read_asian(part) if _ASIAN_RUN.search(part) else _read(part)
    return Block(start, end, words, ideas)


def _cut(text: str, start: int, size: int) -> int:
    if len(text) - start <= size:
        return len(text)
    for mark in _ENDS:
        place = text.rfind(mark, start + size // 3, start + size)
        if place >= 0:
            return place + len(mark)
    return start + size


def _read(text: str) -> tuple[list[str], str]:
    words = _WORD.findall(text)
    return words, "".join(map(_ideas()[0].__getitem__, words))


def _read_asian(text: str) -> tuple[list[str], str]:
    """Words; in scripts without blanks known phrases, and single characters between them."""
    letters, phrases, longest = _ideas()
    words: list[str] = []
    ideas: list[str] = []
    for match in _WORD_OR_RUN.finditer(text):
        run = match[0]
        if not _ASIAN_RUN.match(run):
            words.append(run)
            ideas.append(letters[run])
            continue
        place = 0
        while place < len(run):
            length, letter = 1, NONE
            for size in range(min(longest.get(run[place], 0), len(run) - place), 0, -1):
                if known := phrases.get(run[place : place + size]):
                    length, letter = size, known
                    break
            words.append(run[place : place + length])
            ideas.append(letter)
            place += length
    return words, "".join(ideas)


def word_features(block: Block, before: Block | None) -> set[str]:
    """The words, pairs of words, ideas and pairs of ideas of a block, and what joins it to the one before."""
    words = block.words
    found = {*words, *map(" ".join, pairwise(words))}
    tail = before.ideas[-_REACH:] if before else ""
    ideas = [(place, idea) for place, idea in enumerate(tail + block.ideas) if idea != NONE]
    for position, (place, idea) in enumerate(ideas):
        found.add(f"#{idea}")
        for later, other in ideas[position + 1 : position + 1 + _FOLLOWERS]:
            if later - place > _REACH:
                break
            found.add(f"#{idea}{other}")
    return found
