"""Telling people what waits for them, and letting them decide from where they are."""

from proctor.notices._links import ForgedLink, Link, LinkKey, LinkSpent
from proctor.notices._notices import Notices
from proctor.notices._page import DecisionPage
from proctor.notices._sql import announce, told
from proctor.notices._values import Audience, Due, Kind, Language, Matter, Notice, State

__all__ = [
    "Audience",
    "DecisionPage",
    "Due",
    "ForgedLink",
    "Kind",
    "Language",
    "Link",
    "LinkKey",
    "LinkSpent",
    "Matter",
    "Notice",
    "Notices",
    "State",
    "announce",
    "told",
]
