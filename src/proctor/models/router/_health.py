"""How deployments have answered lately, as the router itself saw it."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from proctor.core import Clock, TargetSettings

MOST_CALLS = 200
"""Calls of a deployment that are remembered."""
LEAST_CALLS = 5
"""Fewer calls than these tell no median."""
LEAST_FAILURES = 2
"""One failure alone says nothing about a deployment."""


@dataclass(frozen=True, slots=True)
class _Seen:
    at: datetime
    seconds: float | None
    """None: the call failed."""
    output: int


@dataclass(slots=True)
class _Record:
    seen: deque[_Seen] = field(default_factory=lambda: deque(maxlen=MOST_CALLS))
    vitals: "Vitals | None" = None
    """What was made of the calls, until there is another one or the oldest is too old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """Recent calls of one deployment, summed up."""

    calls: int = 0
    failures: int = 0
    latency: float | None = None
    """Median of the seconds to the last byte; None where too few calls tell it."""
    output: float | None = None
    """Mean tokens of an answer; None where none is known."""

    def fault(self, target: TargetSettings) -> str:
        """What the deployment fails to meet; empty where it meets the target."""
        if self.latency is not None and self.latency > target.latency.total_seconds():
            return f"half of its calls took {self.latency:.1f} s or more"
        if self.failures >= LEAST_FAILURES and self.failures > target.error_rate * self.calls:
            return f"{self.failures} of its last {self.calls} calls failed"
        return ""


class Health:
    """The recent calls of every deployment. What is older than the window is forgotten."""

    def __init__(self, clock: Clock, window: timedelta) -> None:
        self._clock = clock
        self._window = window
        self._records: dict[str, _Record] = {}

    def answered(self, deployment: str, at: datetime, seconds: float, output: int) -> None:
        """Notes an answer and what it took."""
        self._add(deployment, _Seen(at, seconds, output))

    def failed(self, deployment: str, at: datetime) -> None:
        """Notes a call that the deployment failed."""
        self._add(deployment, _Seen(at, None, 0))

    def of(self, deployment: str) -> Vitals:
        """What its recent calls tell."""
        record = self._records.get(deployment)
        if record is None:
            return Vitals()
        oldest = self._clock.now() - self._window
        while record.seen and record.seen[0].at < oldest:
            record.seen.popleft()
            record.vitals = None
        if record.vitals is None:
            record.vitals = _sum_up(record.seen)
        return record.vitals

    def _add(self, deployment: str, seen: _Seen) -> None:
        record = self._records.get(deployment)
        if record is None:
            record = self._records[deployment] = _Record()
        record.seen.append(seen)
        record.vitals = None


def _sum_up(seen: deque[_Seen]) -> Vitals:
    taken = [one.seconds for one in seen if one.seconds is not None]
    return Vitals(
        calls=len(seen),
        failures=len(seen) - len(taken),
        latency=median(taken) if len(taken) >= LEAST_CALLS else None,
        output=sum(one.output for one in seen) / len(taken) if taken else None,
    )
