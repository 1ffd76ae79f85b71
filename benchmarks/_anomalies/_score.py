"""How well alerts meet what was made to go wrong."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from benchmarks._anomalies._replay import Day
from benchmarks._anomalies._world import KINDS, Anomaly, AnomalyKind
from proctor.alerts import Alert, Rule

GRACE = 10
"""Minutes after the end of an anomaly in which an alert still is of it."""

TELLS: Mapping[Rule, AnomalyKind] = {
    "latency": "latency",
    "p99_seconds": "latency",
    "errors": "errors",
    "error_rate": "errors",
    "burst": "burst",
    "calls_per_second": "burst",
    "cost": "cost",
    "loops": "loops",
    "verdicts": "verdicts",
}
FOLLOWS: Mapping[AnomalyKind, frozenset[AnomalyKind]] = {
    "burst": frozenset({"cost"}),
    "loops": frozenset({"burst", "cost"}),
}
"""What else is right to be told: more calls cost more, and loops are calls."""


@dataclass(slots=True)
class Score:
    """Both sides of one way to find anomalies, over days."""

    injected: Counter[str] = field(default_factory=Counter)
    """Those that aren't quiet."""
    found: Counter[str] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    forms_found: Counter[str] = field(default_factory=Counter)
    alerts: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    delays: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    lasted: list[float] = field(default_factory=list)
    """Minutes from the end of an anomaly until its alert was resolved."""
    quiet: int = 0
    quiet_found: int = 0

    def take(self, day: Day, alerts: Sequence[Alert]) -> None:
        """Adds a day."""
        met: dict[Anomaly, tuple[float, Alert]] = {}
        for alert in sorted(alerts, key=lambda one: one.fired_at or one.began_at):
            kind = TELLS.get(alert.rule, "other")
            assert alert.fired_at is not None
            minute = _minute(alert.fired_at, day)
            near = [one for one in day.anomalies if _meets(one, alert.team, minute)]
            self.alerts[kind] += 1
            if any(kind == one.kind or kind in FOLLOWS.get(one.kind, ()) for one in near):
                self.right[kind] += 1
            for one in near:
                if one.kind == kind:
                    met.setdefault(one, (minute, alert))
        for one in day.anomalies:
            if day.is_quiet(one):
                self.quiet += 1
                self.quiet_found += one in met
                continue
            self.injected[one.kind] += 1
            self.forms[one.form] += 1
            if one in met:
                minute, alert = met[one]
                self.found[one.kind] += 1
                self.forms_found[one.form] += 1
                self.delays[one.kind].append(minute - one.start)
                if alert.resolved_at is not None:
                    self.lasted.append(_minute(alert.resolved_at, day) - one.end)

    @property
    def recall(self) -> float:
        """Share of what went wrong that was told, by an alert of its own kind; without what was quiet."""
        return self.found.total() / max(self.injected.total(), 1)

    @property
    def recall_of_all(self) -> float:
        """The same with what was quiet."""
        return (self.found.total() + self.quiet_found) / max(self.injected.total() + self.quiet, 1)

    @property
    def precision(self) -> float:
        """Share of alerts that tell of something that went wrong; 1 where nothing was told."""
        return self.right.total() / self.alerts.total() if self.alerts else 1.0

    def figures(self) -> dict[str, Any]:
        """Both sides as figures, in all and for each kind."""
        delays = sorted(delay for these in self.delays.values() for delay in these)
        return {
            "anomalies": self.injected.total(),
            "quiet": [self.quiet_found, self.quiet],
            "alerts": self.alerts.total(),
            "recall": round(self.recall, 4),
            "recall_of_all": round(self.recall_of_all, 4),
            "precision": round(self.precision, 4),
            "delay_minutes": _delays(delays),
            "resolved_after_minutes": _delays(sorted(self.lasted)),
            "kinds": {
                kind: {
                    "anomalies": self.injected[kind],
                    "found": self.found[kind],
                    "recall": round(self.found[kind] / max(self.injected[kind], 1), 4),
                    "alerts": self.alerts[kind],
                    "right": self.right[kind],
                    "delay_minutes": _delays(sorted(self.delays[kind])),
                }
                for kind in KINDS
            },
            "other_alerts": self.alerts["other"],
            "forms": {form: [self.forms_found[form], number] for form, number in sorted(self.forms.items())},
        }


def _minute(at: datetime, day: Day) -> float:
    return (at - day.begins) / timedelta(minutes=1)


def _meets(anomaly: Anomaly, team: str, minute: float) -> bool:
    return anomaly.team == team and anomaly.start <= minute <= anomaly.end + GRACE


def _delays(delays: Sequence[float]) -> dict[str, float] | None:
    if not delays:
        return None
    return {"median": statistics.median(delays), "p90": delays[min(int(len(delays) * 0.9), len(delays) - 1)]}
