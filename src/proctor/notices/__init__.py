"""Telling people what waits for them, and letting them decide from where they are."""

from proctor.notices._links import LinkKey
from proctor.notices._notices import Notices
from proctor.notices._page import DecisionPage
from proctor.notices._sql import first_told, told
from proctor.notices._values import Alarm, AlarmKind, Audience, Due, Kind, Matter, MatterKind, Notice, State

__all__ = [
    "Alarm",
    "AlarmKind",
    "Audience",
    "DecisionPage",
    "Due",
    "Kind",
    "LinkKey",
    "Matter",
    "MatterKind",
    "Notice",
    "Notices",
    "State",
    "first_told",
    "told",
]
