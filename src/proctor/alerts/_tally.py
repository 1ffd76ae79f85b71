"""What a stretch of time held for one team, in few numbers that can be added and taken away again."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, Self, cast, get_args

from proctor.core import JsonValue, Measure, Signs, canonical_json, read_object

Count = Literal[
    "started", "ended", "failed", "calls", "errors", "refused", "denied", "escalated", "loops", "cost"
]
Spread = Literal["seconds", "tool_seconds", "costs", "lengths"]
"""How numbers are spread: durations of model calls and of tool calls, costs of model calls, calls per run."""

COUNTS: tuple[Count, ...] = get_args(Count)
SPREADS: tuple[Spread, ...] = get_args(Spread)

PIVOT = 5.0
"""A border between two buckets. It is the one line that everybody draws: five seconds."""
WIDTH = 1.1
"""Each bucket's end by its beginning: a value is known within ten percent."""
_LOWEST, _HIGHEST = -200, 400
_LOG_WIDTH = math.log(WIDTH)


def bucket_of(value: float) -> int:
    """The number of a value's bucket, which holds its end."""
    if value <= 0:
        return _LOWEST
    return min(max(math.ceil(math.log(value / PIVOT) / _LOG_WIDTH - 1e-9), _LOWEST), _HIGHEST)


def end_of(bucket: int) -> float:
    """The greatest value that a bucket holds."""
    return PIVOT * math.exp(bucket * _LOG_WIDTH)


class Tally:
    """Counts, and how numbers are spread over buckets."""

    __slots__ = ("counts", "spreads")

    def __init__(self) -> None:
        self.counts: Counter[Count] = Counter()
        self.spreads: dict[Spread, Counter[int]] = {name: Counter() for name in SPREADS}

    def __bool__(self) -> bool:
        return any(self.counts.values()) or any(self.spreads.values())

    def add(self, other: Self) -> None:
        """Adds what another stretch of time held."""
        for name, number in other.counts.items():
            self.counts[name] += number
        for spread, buckets in other.spreads.items():
            mine = self.spreads[spread]
            for bucket, number in buckets.items():
                mine[bucket] += number

    def take(self, other: Self) -> None:
        """Takes away what was added before."""
        for name, number in other.counts.items():
            self.counts[name] -= number
        for spread, buckets in other.spreads.items():
            mine = self.spreads[spread]
            for bucket, number in buckets.items():
                left = mine[bucket] - number
                if left:
                    mine[bucket] = left
                else:
                    del mine[bucket]

    def size(self, spread: Spread) -> int:
        """How many numbers are spread there."""
        return sum(self.spreads[spread].values())

    def above(self, spread: Spread, bucket: int) -> int:
        """How many of them stand in later buckets."""
        return sum(number for place, number in self.spreads[spread].items() if place > bucket)

    def quantile(self, spread: Spread, share: float) -> int:
        """The bucket up to which at least that share of them stands."""
        wanted = share * self.size(spread)
        found = 0
        for place in sorted(self.spreads[spread]):
            found += self.spreads[spread][place]
            if found >= wanted - 1e-9:
                return place
        return _LOWEST

    def write(self) -> str:
        """The numbers as JSON; what is none is left out."""
        counts: dict[str, JsonValue] = {name: number for name, number in self.counts.items() if number}
        for spread, buckets in self.spreads.items():
            if buckets:
                counts[spread] = {str(place): number for place, number in sorted(buckets.items())}
        return canonical_json(counts)

    @classmethod
    def read(cls, text: str) -> Self:
        """The numbers that `write` wrote."""
        tally, value = cls(), read_object(text)
        for name in COUNTS:
            if name in value:
                tally.counts[name] = cast("int", value[name])
        for spread in SPREADS:
            buckets = cast("Mapping[str, int]", value.get(spread, {}))
            tally.spreads[spread] = Counter({int(place): number for place, number in buckets.items()})
        return tally


def tally_all(measures: Iterable[Measure], signs: Iterable[Signs]) -> dict[str, Tally]:
    """What a stretch of time held, by team."""
    found: dict[str, Tally] = {}
    for measure in measures:
        _take_measure(found.setdefault(measure.team, Tally()), measure)
    for sign in signs:
        tally = found.setdefault(sign.team, Tally())
        tally.counts["started"] += sign.started
        tally.counts["loops"] += sign.loops
        tally.counts["denied"] += sign.denied
        tally.counts["escalated"] += sign.escalated
        tally.spreads["lengths"].update(map(bucket_of, sign.calls_per_run))
    return found


def _take_measure(tally: Tally, measure: Measure) -> None:
    counts = tally.counts
    if measure.kind == "run":
        counts["ended"] += measure.count
        counts["failed"] += measure.errors
        return
    counts["calls"] += measure.count
    counts["errors"] += measure.errors
    counts["refused"] += measure.refused
    counts["cost"] += measure.cost
    spread: Spread = "seconds" if measure.kind == "model" else "tool_seconds"
    tally.spreads[spread].update(map(bucket_of, measure.seconds))
    tally.spreads["costs"].update(bucket_of(cost) for cost in measure.costs if cost)
