"""Telling people what waits for them, and letting them decide from where they are."""

from proctor.notices._links import LinkKey
from proctor.notices._notices import Notices
from proctor.notices._page import DecisionPage
from proctor.notices._sql import first_told, told
from proctor.notices._values import Audience, Due, Kind, Matter, Notice, State

__all__ = [
    "Audience",
    "DecisionPage",
    "Due",
    "Kind",
    "LinkKey",
    "Matter",
    "Notice",
    "Notices",
    "State",
    "first_told",
    "told",
]
