"""Alerts, silences, and what people are told of them."""

from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Literal, get_args

from proctor.core import MeasuredBy

Rule = Literal[
    "p99_seconds",
    "error_rate",
    "calls_per_second",
    "latency",
    "errors",
    "burst",
    "drop",
    "cost",
    "loops",
    "verdicts",
    "backlog",
]
RULES: tuple[Rule, ...] = get_args(Rule)

AlertState = Literal["pending", "firing", "silenced", "resolved"]
OPEN: tuple[AlertState, ...] = ("pending", "firing", "silenced")

TellingKind = Literal["firing", "repeated", "resolved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule says of one team now."""

    rule: Rule
    team: str
    """Empty: of all teams together."""
    acute: bool
    """Whether it is reason to tell; else it only is no reason to say that all is well again."""
    text: str
    """What was found, with its numbers, and what is usual."""
    value: float
    usual: float | None
    by: MeasuredBy | None
    """What the runs behind it stand out by; nothing where they aren't looked for."""
    minutes: int
    """Of the time that it was found in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that is wrong, or was."""

    id: str
    rule: Rule
    team: str
    """Empty: of all teams together."""
    state: AlertState
    text: str
    value: float
    usual: float | None
    runs: tuple[str, ...]
    """Ids of runs that it comes from, the worst first."""
    began_at: datetime
    seen_at: datetime
    """When it was last found to be wrong."""
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    told_at: datetime | None = None
    """When somebody was last told that it is wrong."""
    end_told_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Alerts of which nobody is told until its end."""

    id: str
    rule: str
    """A rule's name, with `*` and `?` for anything."""
    team: str
    """A team's name, likewise."""
    at: datetime
    until: datetime
    reason: str
    by: str

    def covers(self, alert: Alert) -> bool:
        """Whether it is about this alert."""
        return self.covers_rule(alert.rule) and fnmatchcase(alert.team, self.team)

    def covers_rule(self, rule: str) -> bool:
        """Whether it is about alerts of this rule."""
        return fnmatchcase(rule, self.rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """One message to the same people about alerts that belong together."""

    id: str
    at: datetime
    kind: TellingKind
    roles: tuple[str, ...]
    lines: tuple[str, ...]
    """One sentence an alert."""
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Questions of a team that wait for people."""

    team: str
    open: int
    oldest: datetime
