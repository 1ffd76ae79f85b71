"""Choosing cases, so that pairs of a road, a denial, a time and a disguise are met as soon as they can be."""

from collections.abc import Iterator
from itertools import combinations
from random import Random

from benchmarks._escape._denials import DENIALS, When
from benchmarks._escape._disguises import DISGUISES, HELD_BACK
from benchmarks._escape._play import Case
from benchmarks._escape._roads import ROADS

TRIES = 80
"""Cases among which the next one is chosen."""


def cases_of(number: int, seed: int) -> list[Case]:
    """So many different cases: half of them call the tool by its name, half disguise it."""
    rng = Random(seed)
    plain, disguised = [list(part) for part in (_by_name(), _disguised())]
    chosen = [*_spread(plain, (number + 1) // 2, rng), *_spread(disguised, number // 2, rng)]
    rng.shuffle(chosen)
    return chosen


def _by_name() -> Iterator[Case]:
    """What the policy alone holds back."""
    for road, denial, when, disguise, streamed in _all():
        repeats = disguise != "itself"
        if disguise in HELD_BACK and not (repeats and when in ("again", "interrupted", "underway")):
            yield Case(road=road, denial=denial, when=when, disguise=disguise, streamed=streamed)


def _disguised() -> Iterator[Case]:
    for road, denial, when, disguise, streamed in _all():
        if disguise not in HELD_BACK and when == "start" and not DENIALS[denial].bypass:
            yield Case(road=road, denial=denial, when=when, disguise=disguise, streamed=streamed)


def _all() -> Iterator[tuple[str, str, When, str, bool]]:
    for road, way in ROADS.items():
        for name, denial in DENIALS.items():
            if denial.fits(way):
                for when in denial.whens:
                    for disguise in DISGUISES:
                        for streamed in (False, True):
                            yield road, name, when, disguise, streamed


def _spread(pool: list[Case], number: int, rng: Random) -> list[Case]:
    """So many cases of a pool, each with as many pairs as can be found that none before it has."""
    left = set(pool)
    met: set[tuple[object, ...]] = set()
    chosen: list[Case] = []
    while left and len(chosen) < number:
        some = [case for case in rng.sample(pool, min(TRIES, len(pool))) if case in left]
        best = max(some or left, key=lambda case: len(_pairs(case) - met))
        left.discard(best)
        met |= _pairs(best)
        chosen.append(best)
    return chosen


def _pairs(case: Case) -> set[tuple[object, ...]]:
    axes = enumerate((case.road, case.denial, case.when, case.disguise, case.streamed))
    return set(combinations(axes, 2))
