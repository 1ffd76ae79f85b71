"""Teams at work, minute by minute: their days and weeks, their noise, and what is made to go wrong.

Runs come in by a Poisson process whose rate follows the hour and the day of the week, wanders from day to day
and from minute to minute, and is a team's own. Each run makes several calls; durations and costs are
lognormal, a few durations Pareto. Shares of errors, refusals and questions wander from hour to hour.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np

from proctor.alerts import Tally
from proctor.alerts._tally import PIVOT, WIDTH, Spread

AnomalyKind = Literal["latency", "errors", "burst", "cost", "loops", "verdicts"]
KINDS: tuple[AnomalyKind, ...] = ("latency", "errors", "burst", "cost", "loops", "verdicts")

DAY = 1440
SATURDAY = 5
BEFORE = 180
"""Minutes."""
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nature:
    """What a team is like."""

    name: str
    runs: float
    """A minute, at its busiest."""
    night: float
    """Of that, in the dead of night."""
    weekend: float
    peak: float
    """The hour at which it is busiest."""
    length: float
    """Calls per run, in the mean."""
    tools: float
    """Share of calls that are tool calls."""
    seconds: float
    """Median of a model call."""
    sigma: float
    outliers: float
    cost: float
    """Median of a model call, in micro-dollars."""
    errors: float
    denied: float
    escalated: float
    loops: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """Something that was made to go wrong, in minutes of the day that is replayed."""

    kind: AnomalyKind
    team: str
    start: int
    end: int
    form: str
    """`sudden`, `drift`, and forms of one kind alone: `tail`, `vanished`."""
    strength: float

    def at(self, minute: int) -> float:
        """How strong it is in a minute, from 0 to 1."""
        if not self.start <= minute < self.end:
            return 0.0
        return (
            min((minute - self.start + 1) / (0.7 * (self.end - self.start)), 1.0)
            if self.form == "drift"
            else 1.0
        )


@dataclass(slots=True, kw_only=True)
class State:
    """What a team is like in one stretch of time."""

    rate: float
    slow: float
    dear: float
    errors: float
    denied: float
    escalated: float
    loops: float
    tail: float = 0.0
    """Share of model calls that hang for long."""
    turns: float = 0.0
    """Share of runs that go round in circles."""


def make_natures(random: np.random.Generator, teams: int) -> list[Nature]:
    """Teams of all sizes: a third is small, a third middling, a third large."""
    found = []
    for number in range(teams):
        low, high = ((0.04, 0.25), (0.4, 2.0), (3.0, 10.0))[number % 3]
        found.append(
            Nature(
                name=f"team{number:02d}",
                runs=float(np.exp(random.uniform(np.log(low), np.log(high)))),
                night=float(random.choice([0.08, 0.2, 0.5, 0.9])),
                weekend=float(random.uniform(0.3, 1.0)),
                peak=float(random.normal(14, 2)),
                length=float(random.uniform(3, 9)),
                tools=float(random.uniform(0.2, 0.6)),
                seconds=float(np.exp(random.uniform(np.log(0.6), np.log(4.0)))),
                sigma=float(random.uniform(0.4, 0.8)),
                outliers=float(random.uniform(0.0, 0.006)),
                cost=float(np.exp(random.uniform(np.log(200), np.log(9000)))),
                errors=float(np.exp(random.uniform(np.log(0.001), np.log(0.03)))),
                denied=float(np.exp(random.uniform(np.log(0.002), np.log(0.08)))),
                escalated=float(np.exp(random.uniform(np.log(0.002), np.log(0.08)))),
                loops=float(random.uniform(0, 0.004)),
            )
        )
    return found


def busy(nature: Nature, at: datetime) -> float:
    """Runs a minute that come in at a time, before any noise."""
    hour = at.hour + at.minute / 60
    shape = (
        nature.night + (1 - nature.night) * (0.5 + 0.5 * math.cos((hour - nature.peak) / 12 * math.pi)) ** 1.5
    )
    return float(nature.runs * shape * (nature.weekend if at.weekday() >= SATURDAY else 1.0))


class World:
    """One team's past and its replayed day."""

    def __init__(self, nature: Nature, random: np.random.Generator) -> None:
        self.nature = nature
        self._random = random
        self._walk = 0.0
        self._hour: dict[str, float] = {}

    def wander(self) -> None:
        """Begins an hour: shares and levels move a little."""
        normal = self._random.normal
        self._hour = {name: float(np.exp(normal(0, sigma))) for name, sigma in _HOURLY.items()}

    def past(self, days: int) -> dict[datetime, Tally]:
        """What the hours of the days before the replayed one held."""
        found = {}
        for day in range(days):
            level = float(np.exp(self._random.normal(0, 0.1)))
            for hour in range(24):
                at = BEGIN + timedelta(days=day, hours=hour)
                self.wander()
                rate = 60 * level * busy(self.nature, at + timedelta(minutes=30))
                found[at] = self._hold(rate * self._hour["rate"], self._state(1.0))
        return found

    def day(self, days: int, anomalies: Sequence[Anomaly]) -> list[Tally]:
        """What the minutes of the replayed day held, and before them the last ones of the day before."""
        level = float(np.exp(self._random.normal(0, 0.1)))
        found = []
        for minute in range(-BEFORE, DAY):
            at = BEGIN + timedelta(days=days, minutes=minute)
            if minute % 60 == 0:
                self.wander()
            # From minute to minute the rate wanders by some ten percent, and comes back.
            self._walk = 0.9 * self._walk + float(self._random.normal(0, 0.06))
            rate = level * self._hour["rate"] * math.exp(self._walk) * busy(self.nature, at)
            state = self._state(1.0)
            for anomaly in anomalies:
                strength = anomaly.at(minute)
                if strength:
                    self._spoil(state, anomaly, strength)
            found.append(self._hold(rate * state.rate, state))
        return found

    def _state(self, rate: float) -> State:
        nature, hour = self.nature, self._hour
        return State(
            rate=rate,
            slow=hour["slow"],
            dear=hour["dear"],
            errors=nature.errors * hour["errors"],
            denied=nature.denied * hour["denied"],
            escalated=nature.escalated * hour["escalated"],
            loops=nature.loops,
        )

    def _spoil(self, state: State, anomaly: Anomaly, share: float) -> None:
        strength, form = anomaly.strength, anomaly.form
        match anomaly.kind:
            case "latency" if form == "tail":
                state.tail = strength
            case "latency":
                state.slow *= 1 + (strength - 1) * share
            case "errors":
                state.errors += (strength - state.errors) * share
            case "burst":
                state.rate *= 1 + (strength - 1) * share
            case "cost":
                state.dear *= 1 + (strength - 1) * share
            case "loops":
                state.turns = strength * share
            case "verdicts" if form == "vanished":
                state.denied = state.escalated = 0.0
            case "verdicts" if int(anomaly.start) % 2:
                state.denied += (strength - state.denied) * share
            case "verdicts":
                state.escalated += (strength - state.escalated) * share

    def _hold(self, rate: float, state: State) -> Tally:
        """What a stretch of time held in which so many runs came in, in the mean."""
        random, nature, tally = self._random, self.nature, Tally()
        runs = int(random.poisson(rate))
        if not runs:
            return tally
        lengths = 1 + random.negative_binomial(2, 2 / (1 + nature.length), runs)
        circles = random.random(runs) < state.turns
        lengths = np.where(circles, lengths * random.integers(5, 15, runs), lengths)
        calls = int(lengths.sum())
        tools = int(random.binomial(calls, nature.tools))
        models = calls - tools
        failed = int(random.binomial(models, min(state.errors, 0.95)))
        answered = models - failed
        seconds = random.lognormal(math.log(nature.seconds * state.slow), nature.sigma, answered)
        far = random.random(answered) < nature.outliers
        seconds = np.where(far, seconds * (1 + random.pareto(1.5, answered)), seconds)
        if state.tail:
            hangs = random.random(answered) < state.tail
            seconds = np.where(hangs, seconds + random.uniform(15, 60, answered), seconds)
        costs = random.lognormal(math.log(nature.cost * state.dear), 0.7, answered)
        tool_seconds = random.lognormal(math.log(0.15), 0.8, tools)
        judged = calls + runs
        ended_badly = int(random.binomial(runs, min(state.errors * 0.5 + 0.002, 0.9)))
        tally.counts.update(
            {
                "started": runs,
                "ended": runs,
                "failed": ended_badly,
                "calls": calls,
                "errors": failed + int(random.binomial(tools, min(state.errors, 0.95))),
                "denied": int(random.binomial(judged, state.denied)),
                "escalated": int(random.binomial(judged, state.escalated)),
                # Half of the runs that go round in circles are found to do so.
                "loops": int(random.binomial(runs, state.loops))
                + int((circles & (random.random(runs) < 0.5)).sum()),
                "cost": int(costs.sum()),
            }
        )
        _spread(tally, "seconds", seconds)
        _spread(tally, "tool_seconds", tool_seconds)
        _spread(tally, "costs", costs)
        _spread(tally, "lengths", lengths.astype(float))
        return tally


_HOURLY: Mapping[str, float] = {
    "rate": 0.1,
    "slow": 0.08,
    "dear": 0.06,
    "errors": 0.25,
    "denied": 0.15,
    "escalated": 0.15,
}
"""How far levels wander from hour to hour: the standard deviation of their logarithm."""


def _spread(tally: Tally, spread: Spread, values: Any) -> None:
    places = np.ceil(np.log(np.maximum(values, 1e-6) / PIVOT) / math.log(WIDTH) - 1e-9).astype(int)
    found, numbers = np.unique(places, return_counts=True)
    tally.spreads[spread] = Counter(dict(zip(found.tolist(), numbers.tolist(), strict=True)))
