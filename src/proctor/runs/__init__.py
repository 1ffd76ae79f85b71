"""Runs: their states, their log, and the journal that makes every AutoGen team resumable."""

from proctor.runs._chain import Entry, Journaling, begin_before_acting
from proctor.runs._runs import ENDED, Hooks, Runs
from proctor.runs._segment import TeamPlan
from proctor.runs._session import Chains
from proctor.runs._tables import blobs, calls, events, runs
from proctor.runs._values import CallKey, RecordedCall, Run, RunState

__all__ = [
    "ENDED",
    "CallKey",
    "Chains",
    "Entry",
    "Hooks",
    "Journaling",
    "RecordedCall",
    "Run",
    "RunState",
    "Runs",
    "TeamPlan",
    "begin_before_acting",
    "blobs",
    "calls",
    "events",
    "runs",
]
