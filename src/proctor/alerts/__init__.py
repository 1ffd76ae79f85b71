"""Alerts: rules, baselines and states. Knows neither journal nor teams: it is given measures."""

from proctor.alerts._alerts import Alerts, Sources
from proctor.alerts._states import rules_in_force
from proctor.alerts._tables import alerts, hours, silences, steps, tellings, windows
from proctor.alerts._tally import Tally, bucket_of, tally_all
from proctor.alerts._telling import ROUND, telling, untold
from proctor.alerts._values import (
    OPEN,
    RULES,
    Alert,
    AlertState,
    Backlog,
    Rule,
    Silence,
    Telling,
    TellingKind,
)

__all__ = [
    "OPEN",
    "ROUND",
    "RULES",
    "Alert",
    "AlertState",
    "Alerts",
    "Backlog",
    "Rule",
    "Silence",
    "Sources",
    "Tally",
    "Telling",
    "TellingKind",
    "alerts",
    "bucket_of",
    "hours",
    "rules_in_force",
    "silences",
    "steps",
    "tally_all",
    "telling",
    "tellings",
    "untold",
    "windows",
]
