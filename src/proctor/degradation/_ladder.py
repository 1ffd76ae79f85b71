"""When to step down and when to climb back: pure logic. It reads no clock and writes nothing.

Knows calls by how they ended and how long they took, and deployments by their names alone.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Literal

from proctor.core import DegradationSettings, JsonObject

Level = Literal[0, 1, 2, 3, 4]
Rule = Literal["error_rate", "p95_seconds", "budget_share", "recovered", "operator"]

NORMAL: Level = 0
FALLBACK: Level = 1
"""Deployments that have a fallback rest."""
SIMPLE: Level = 2
"""New runs take their team's simple form."""
READ_ONLY: Level = 3
"""Tools that change something are refused."""
CLOSED: Level = 4
"""New runs are refused."""

_LEVELS: tuple[Level, ...] = (NORMAL, FALLBACK, SIMPLE, READ_ONLY, CLOSED)

EXIT = 0.5
"""Of the line that led to a level: below it the level is left. The gap keeps the level from flapping."""

MOST = 10_000
"""Calls of a window that are kept, the newest."""

Ending = Literal["answered", "failed", "void"]
"""`void` says nothing of the provider: it was cancelled, or the call's own fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A call in progress."""

    deployment: str
    began: datetime
    probe: bool
    """Whether it tries a deployment that rests."""
    stay: int
    """The stay at a level in which it began: what it comes to says nothing of a later one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A step from one level to another."""

    at: datetime
    level: Level
    previous: Level
    rule: Rule
    detail: JsonObject
    """What led to it: the rule's value and line, or who set the level and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is known of calls in a window."""

    calls: int = 0
    error_rate: float = 0.0
    p95_seconds: float = 0.0
    pending: int = 0
    """Calls in progress."""

    @property
    def is_unknown(self) -> bool:
        """Whether calls are in progress and none has ended: they may hang."""
        return self.pending > 0 and self.calls == 0


class Ladder:
    """The level of one process.

    It goes up (worse) one level at a time where a rule crosses the next level's line, and down again where
    the exit rule of the present level has held for a while. Each stay at a level is judged by calls that
    began in it: what drove the system there says nothing about how it does there.
    """

    def __init__(self, settings: DegradationSettings) -> None:
        self._settings = settings
        self.level: Level = NORMAL
        self._used: deque[tuple[datetime, float, bool]] = deque(maxlen=MOST)
        self._probes: deque[tuple[datetime, float, bool]] = deque(maxlen=MOST)
        self._pending = {False: 0, True: 0}
        self._stay = 0
        self._changed: datetime | None = None
        self._calm_since: datetime | None = None
        self._causes: dict[int, Rule] = {}
        self._asked: dict[str, int] = {}
        """Calls of a resting deployment since its last probe."""
        self._probed: dict[str, datetime] = {}
        self._probing: set[str] = set()

    def begin(self, deployment: str, now: datetime, *, rests: bool) -> Trial | None:
        """A call to a deployment; nothing where the deployment rests and isn't to be probed now."""
        if rests and not self._probe(deployment, now):
            return None
        self._pending[rests] += 1
        return Trial(deployment=deployment, began=now, probe=rests, stay=self._stay)

    def end(self, trial: Trial, now: datetime, ending: Ending) -> None:
        """Takes note of how a call ended."""
        if trial.stay != self._stay:
            return
        self._pending[trial.probe] -= 1
        if trial.probe:
            self._probing.discard(trial.deployment)
        if ending != "void":
            seconds = (now - trial.began).total_seconds()
            (self._probes if trial.probe else self._used).append((now, seconds, ending == "failed"))

    def miss(self, now: datetime) -> None:
        """Takes note of a call that can't be made for now, and waits: until it ends it would tell nothing."""
        self._used.append((now, 0.0, True))

    def evaluate(self, now: datetime, *, budget_share: float) -> Change | None:
        """The step that is due, already taken."""
        used, probes = self._health(now, probes=False), self._health(now, probes=True)
        if self._held(now):
            return None
        worse = self._worse(used, budget_share)
        if worse is not None:
            rule, value, line = worse
            detail: JsonObject = {"value": round(value, 3), "line": line, "calls": used.calls}
            self._causes[self.level + 1] = rule
            return self._move(_LEVELS[self.level + 1], now, rule, detail)
        if self.level == NORMAL or not self._calm(used, probes, budget_share):
            self._calm_since = None
            return None
        self._calm_since = self._calm_since or now
        calm = now - self._calm_since
        if calm < self._settings.recover_after:
            return None
        data: JsonObject = {"calm_seconds": round(calm.total_seconds(), 1), "calls": used.calls}
        return self._move(_LEVELS[self.level - 1], now, "recovered", data)

    def put(self, level: Level, now: datetime, detail: JsonObject) -> Change | None:
        """The step to a level that an operator set; nothing where it is the present one."""
        if level == self.level:
            return None
        self._causes.clear()
        return self._move(level, now, "operator", detail)

    def seconds_to_recovery(self, now: datetime) -> float:
        """When the present level can be left at the earliest."""
        since = self._calm_since or now
        return max(1.0, (self._settings.recover_after - (now - since)).total_seconds())

    def _probe(self, deployment: str, now: datetime) -> bool:
        """Whether this call finds out how a resting deployment does. Never two at a time: they may hang."""
        asked = self._asked[deployment] = self._asked.get(deployment, 0) + 1
        since = self._probed.setdefault(deployment, now)
        due = asked * self._settings.probe_share >= 1 or now - since >= self._settings.probe_every
        if not due or deployment in self._probing:
            return False
        self._asked[deployment], self._probed[deployment] = 0, now
        self._probing.add(deployment)
        return True

    def _held(self, now: datetime) -> bool:
        return self._changed is not None and now - self._changed < self._settings.hold

    def _health(self, now: datetime, *, probes: bool) -> Health:
        ended, pending = self._probes if probes else self._used, self._pending[probes]
        while ended and now - ended[0][0] > self._settings.window:
            ended.popleft()
        if not ended:
            return Health(pending=pending)
        seconds = sorted(each[1] for each in ended)
        return Health(
            calls=len(ended),
            error_rate=sum(each[2] for each in ended) / len(ended),
            p95_seconds=seconds[ceil(0.95 * len(seconds)) - 1],
            pending=pending,
        )

    def _values(self, health: Health, budget_share: float) -> Iterator[tuple[Rule, float, tuple[float, ...]]]:
        yield "error_rate", health.error_rate, self._settings.error_rate
        yield "p95_seconds", health.p95_seconds, self._settings.p95_seconds
        yield "budget_share", budget_share, self._settings.budget_share

    def _worse(self, used: Health, budget_share: float) -> tuple[Rule, float, float] | None:
        """The first rule that crosses the line of the next level, with its value and the line."""
        for rule, value, lines in self._values(used, budget_share):
            enough = rule == "budget_share" or used.calls >= self._settings.min_calls
            if enough and len(lines) > self.level and value >= lines[self.level]:
                return rule, value, lines[self.level]
        return None

    def _calm(self, used: Health, probes: Health, budget_share: float) -> bool:
        """Whether the exit rule of the present level holds. Few calls count too, and so does silence."""
        watched = (used, probes) if self.level == FALLBACK else (used,)
        if any(health.is_unknown for health in watched):
            return False
        cause = self._causes.get(self.level)
        for health in watched:
            for rule, value, lines in self._values(health, budget_share):
                share = EXIT if rule == cause else 1.0
                if len(lines) >= self.level and value >= lines[self.level - 1] * share:
                    return False
        return True

    def _move(self, level: Level, now: datetime, rule: Rule, detail: JsonObject) -> Change:
        change = Change(at=now, level=level, previous=self.level, rule=rule, detail=detail)
        self.level = level
        self._stay += 1
        self._changed, self._calm_since = now, None
        self._pending = {False: 0, True: 0}
        for calls in (self._used, self._probes):
            calls.clear()
        for counted in (self._asked, self._probed):
            counted.clear()
        self._probing.clear()
        return change
