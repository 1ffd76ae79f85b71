"""What is usual for a team at an hour of the day, by the hours of its past.

Nothing here is learnt in a way that can't be said in a sentence: shares and rates are those of the same hour
of other days, shares with the hours before and after it, without hours that were out of the ordinary
themselves. How far such hours, or those beside them, lie apart beyond what chance explains is taken as how
far the next one may.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from proctor.alerts._chances import at_least, at_most
from proctor.alerts._tally import WIDTH, Count, Spread, Tally, end_of

HOUR = timedelta(hours=1)
SHORTEST = timedelta(days=2)
"""Of a past that says anything at all."""
FEWEST = 100
"""Trials without which nothing is known of a share."""
FEWEST_HOURS = 3
"""Hours of the same time of day without which nothing is known of a rate."""
SAYING = 20
"""Trials of an hour whose share is worth telling."""
SATURDAY = 5
SHRINK = 100
"""Trials' worth of the whole day's share that is mixed into an hour's, at the least."""
SHRINK_RARE = 5
"""The same in events, where the past held so many: of what is rare an hour alone knows next to nothing."""
APART = 1e-4
"""An hour so unlikely is left out: it was an incident itself."""
STEADY = 0.03
"""The least relative variance of a share between hours: nothing in the world is steadier."""
STEADY_RATE = 0.04
"""The same of a rate."""
VARIES = 3.0
"""An hour whose days lie apart so many times as far as those of the hours beside it varies by itself."""
EXCEPTIONS = 8
"""Of so many days one may have been out of the ordinary; where more were, they are what is usual."""
STEADY_LEVEL = 0.07
"""The least that all durations, or all costs, wander together from hour to hour, relative. It moves the
share above a high quantile by far more, and hours of few calls don't show it."""
STEEPEST = 8.0
"""How much more, at the most: where values hardly differ, any wandering would explain everything."""

Pair = Callable[[Tally], tuple[float, float]]
"""How often something happened, and how often it could have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How often something usually happens, of how often it could."""

    rate: float
    """More than 0, however seldom it happened."""
    spread: float
    """The rate's own relative variance."""
    highest: float
    """Of the hours that say what is usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often something usually happens in a minute."""

    a_minute: float
    spread: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """A value that is seldom exceeded, and how seldom."""

    bucket: int
    share: Share

    @property
    def value(self) -> float:
        """The value itself."""
        return end_of(self.bucket)


class Usual:
    """The past of one team, hour by hour. What is usual can be asked for once it `is_enough`."""

    def __init__(self, hours: Sequence[tuple[datetime, Tally]], began: datetime) -> None:
        """`hours` come with their beginnings, the oldest first; none is before `began`."""
        self._hours = hours
        self._began = began
        """Since when the team is known: hours without a row were empty from then on."""
        self._known: dict[object, object] = {}

    @property
    def days(self) -> int:
        """How much past there is."""
        return (self._hours[-1][0] - self._began) // timedelta(days=1) + 1 if self._hours else 0

    def is_enough(self, at: datetime) -> bool:
        """Whether the past is long enough to say anything."""
        return bool(self._hours) and at - self._began >= SHORTEST

    def share(self, name: str, pair: Pair, at: datetime) -> Share | None:
        """How often something usually happens at that time of day; nothing where too little is known."""
        key = ("share", name, at.hour)
        if key not in self._known:
            self._known[key] = self._share(pair, at.hour)
        found = self._known[key]
        assert found is None or isinstance(found, Share)
        return found

    def tail(self, spread: Spread, quantile: float, at: datetime) -> Tail | None:
        """The value that at that time of day only so small a share exceeds."""
        key = ("tail", spread, quantile, at.hour)
        if key not in self._known:
            self._known[key] = self._tail(spread, quantile, at.hour)
        found = self._known[key]
        assert found is None or isinstance(found, Tail)
        return found

    def rate(self, count: Count, unit: float, at: datetime) -> Rate | None:
        """How often something happens in a minute at that time of that kind of day, counted in such units.

        `unit` is what one of them counts for, and more than 0: 1 for what comes one by one.

        Raises:
            IndexError: there is no past at all.
        """
        # Between the middles of two hours the rate goes from the one to the other.
        middle = at.replace(minute=30, second=0, microsecond=0)
        other = middle + HOUR if at >= middle else middle - HOUR
        way = abs((at - middle) / HOUR)
        here, there = self._rate_of_hour(count, unit, middle), self._rate_of_hour(count, unit, other)
        if here is None or there is None:
            return here
        return Rate(
            a_minute=here.a_minute * (1 - way) + there.a_minute * way,
            spread=max(here.spread, there.spread),
        )

    def unit(self, spread: Spread) -> float:
        """What one event of a sum counts for: the mean cube by the mean square, as if it were counted.

        The mean square by the mean would give a sum's variance, but few and large events make up its tail:
        for a small team two long runs would look like a burst of many.
        """
        _, second, third, _ = self._moments(spread)
        return third / second if second else 0.0

    def mean(self, spread: Spread) -> float:
        """The mean of numbers that are spread."""
        first, _, _, size = self._moments(spread)
        return first / size if size else 0.0

    def _moments(self, spread: Spread) -> tuple[float, float, float, int]:
        key = ("moments", spread)
        if key not in self._known:
            buckets = self._every.spreads[spread]
            first, second, third = (
                sum(number * end_of(bucket) ** power for bucket, number in buckets.items())
                for power in (1, 2, 3)
            )
            self._known[key] = first, second, third, sum(buckets.values())
        found = self._known[key]
        assert isinstance(found, tuple)
        return found

    @property
    def _every(self) -> Tally:
        """What the whole past held."""
        if "every" not in self._known:
            every = Tally()
            for _, tally in self._hours:
                every.add(tally)
            self._known["every"] = every
        found = self._known["every"]
        assert isinstance(found, Tally)
        return found

    def _share(self, pair: Pair, hour: int) -> Share | None:
        near = [pair(tally) for at, tally in self._hours if _apart(at.hour, hour) <= 1]
        every = [pair(tally) for _, tally in self._hours]
        known = sum(trials for _, trials in every)
        if known < FEWEST:
            return None
        day, _ = _without_incidents(every)
        mixed = max(min(SHRINK_RARE / day, known), SHRINK)
        rate, kept = _without_incidents(near, prior=(day * mixed, mixed))
        spread = _spread(kept, rate) if len(kept) > FEWEST_HOURS else _spread(every, rate)
        happened = sum(count for count, _ in kept)
        return Share(
            rate=rate,
            spread=max(spread, STEADY) + 1 / (happened + day * mixed + 1),
            highest=max((count / trials for count, trials in kept if trials >= SAYING), default=rate),
        )

    def _tail(self, spread: Spread, quantile: float, hour: int) -> Tail | None:
        near = self._gathered(spread, [one for one in self._hours if _apart(one[0].hour, hour) <= 1])
        if near.size(spread) < FEWEST:
            near = self._every
        if near.size(spread) < FEWEST:
            return None
        bucket = near.quantile(spread, quantile)
        share = self._share(above(spread, bucket), hour)
        if share is None:
            return None
        least = (STEADY_LEVEL * self._steepness(spread, bucket)) ** 2
        return Tail(bucket=bucket, share=replace(share, spread=max(share.spread, least)))

    def _steepness(self, spread: Spread, bucket: int) -> float:
        """By how much the share above a value falls where the value rises a little, both relative."""
        if spread == "lengths":
            return 0.0  # calls are counted: they don't wander by a few percent
        here, further = self._every.above(spread, bucket), self._every.above(spread, bucket + 2)
        return min(math.log((here + 1) / (further + 1)) / (2 * math.log(WIDTH)), STEEPEST)

    @staticmethod
    def _gathered(spread: Spread, hours: Sequence[tuple[datetime, Tally]]) -> Tally:
        found = Tally()
        for _, tally in hours:
            found.spreads[spread].update(tally.spreads[spread])
        return found

    def _rate_of_hour(self, count: Count, unit: float, at: datetime) -> Rate | None:
        weekend = at.weekday() >= SATURDAY
        key = ("rate", count, unit, at.hour, weekend)
        if key not in self._known:
            self._known[key] = self._find_rate(count, unit, at.hour, weekend=weekend)
        found = self._known[key]
        assert found is None or isinstance(found, Rate)
        return found

    def _find_rate(self, count: Count, unit: float, hour: int, *, weekend: bool) -> Rate | None:
        found = self._ordinary(count, unit, hour, weekend=weekend)
        if len(found) < FEWEST_HOURS:
            return None
        mean = statistics.fmean(found)
        if mean == 0:
            return Rate(a_minute=0.0, spread=1.0)
        near = [
            self._ordinary(count, unit, each % 24, weekend=weekend) for each in (hour - 1, hour, hour + 1)
        ]
        spread = max(_beyond_chance(near), STEADY_RATE)
        own = _beyond_chance([found])
        if own > VARIES * (1 / mean + spread):
            spread = own
        return Rate(a_minute=mean / 60, spread=spread + (1 / mean + spread) / len(found))

    def _ordinary(self, count: Count, unit: float, hour: int, *, weekend: bool) -> Sequence[float]:
        """What the hours of that time of such days held, without a few that were incidents themselves."""
        key = ("days", count, unit, weekend)
        if key not in self._known:
            self._known[key] = self._by_hour(count, unit, weekend=weekend)
        found = self._known[key]
        assert isinstance(found, list)
        numbers: Sequence[float] = found[hour]
        middle = max(statistics.median(numbers), 1.0) if numbers else 1.0
        kept = [number for number in numbers if not _is_apart(number, middle)]
        return kept if len(numbers) - len(kept) <= max(len(numbers) // EXCEPTIONS, 1) else numbers

    def _by_hour(self, count: Count, unit: float, *, weekend: bool) -> list[list[float]]:
        first = self._began.replace(minute=0, second=0, microsecond=0)
        numbers = {at: tally.counts[count] / unit for at, tally in self._hours}
        found: list[list[float]] = [[] for _ in range(24)]
        for place in range((self._hours[-1][0] - first) // HOUR + 1):
            at = first + HOUR * place
            if (at.weekday() >= SATURDAY) == weekend:
                found[at.hour].append(numbers.get(at, 0.0))
        return found


def above(spread: Spread, bucket: int) -> Pair:
    """How many of the numbers that are spread stand in later buckets."""
    return lambda tally: (tally.above(spread, bucket), tally.size(spread))


def _beyond_chance(hours: Sequence[Sequence[float]]) -> float:
    """How far the days of each of some hours lie apart, less what chance alone explains: relative variances.

    The median of the deviations tells. Of sums, whose unit is larger than their variance's, chance explains
    less than is taken off here; their spread is its least then.
    """
    off, chance = list[float](), list[float]()
    for numbers in hours:
        usual = statistics.fmean(numbers) if numbers else 0.0
        if usual:
            off += [abs(math.log((number + 0.5) / (usual + 0.5))) for number in numbers]
            chance += [1 / usual] * len(numbers)
    return (1.4826 * statistics.median(off)) ** 2 - statistics.fmean(chance)


def _apart(hour: int, other: int) -> int:
    return min((hour - other) % 24, (other - hour) % 24)


def _without_incidents(
    hours: Sequence[tuple[float, float]], prior: tuple[float, float] = (0.5, 1.0)
) -> tuple[float, Sequence[tuple[float, float]]]:
    """The rate of those hours that aren't incidents themselves, and those hours.

    Both numbers of `prior`, events and trials, are more than 0, and so the rate is.
    """
    kept = [(count, trials) for count, trials in hours if trials > 0]
    for _ in range(3):
        rate = _pooled(kept, prior)
        fewer = [(count, trials) for count, trials in kept if not _is_incident(count, rate * trials)]
        if len(fewer) == len(kept) or not fewer:
            break
        kept = fewer
    return _pooled(kept, prior), kept


def _is_incident(count: float, mean: float) -> bool:
    # The rate's spread isn't known yet: a third of it is a lot, and what lies beyond is far out.
    far = count > mean + 2 * math.sqrt(mean + 0.1 * mean**2)
    return far and at_least(count, mean, 0.1) < APART


def _is_apart(count: float, mean: float) -> bool:
    return min(at_least(count, mean, 0.1), at_most(count, mean, 0.1)) < APART


def _pooled(hours: Sequence[tuple[float, float]], prior: tuple[float, float]) -> float:
    trials = sum(trials for _, trials in hours) + prior[1]
    return (sum(count for count, _ in hours) + prior[0]) / trials


def _spread(hours: Sequence[tuple[float, float]], rate: float) -> float:
    """How much more the hours surely vary than by chance, relative to the rate's square."""
    means = [rate * trials for _, trials in hours]
    expected = sum(mean**2 for mean in means)
    if expected == 0:
        return 0.0
    more = sum((count - mean) ** 2 - mean for (count, _), mean in zip(hours, means, strict=True))
    # Of what is rare one hour with two events would make any number likely: so far chance may go alone.
    unsure = 2 * math.sqrt(sum(2 * mean**2 + mean for mean in means))
    return max((more - unsure) / expected, 0.0)
