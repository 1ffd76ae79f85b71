"""Stepping down when providers, latency or the budget get worse, and climbing back. Knows no team."""

from proctor.degradation._degradation import Degradation, ModelResting, Outlook, describe
from proctor.degradation._ladder import Change, Ending, Health, Ladder, Level, Rule, Trial
from proctor.degradation._sql import Hold, Passage, Standing

__all__ = [
    "Change",
    "Degradation",
    "Ending",
    "Health",
    "Hold",
    "Ladder",
    "Level",
    "ModelResting",
    "Outlook",
    "Passage",
    "Rule",
    "Standing",
    "Trial",
    "describe",
]
