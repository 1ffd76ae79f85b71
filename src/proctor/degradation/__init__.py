"""Stepping down when providers, latency or the budget get worse, and climbing back. Knows no team."""

from proctor.degradation._degradation import Degradation, Outlook, describe
from proctor.degradation._ladder import Change, Ending, Ladder, Level, Trial
from proctor.degradation._sql import Hold, Passage, WorkerLevel

__all__ = [
    "Change",
    "Degradation",
    "Ending",
    "Hold",
    "Ladder",
    "Level",
    "Outlook",
    "Passage",
    "Trial",
    "WorkerLevel",
    "describe",
]
