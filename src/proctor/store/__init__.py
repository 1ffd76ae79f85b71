"""Connections, transactions and migrations. Knows no run, no call and no model."""

from proctor.store._database import Database
from proctor.store._engines import make_engine
from proctor.store._insert import insert_into
from proctor.store._lock import Lock
from proctor.store._migrations import check, newest, revision, upgrade
from proctor.store._move import Moved, move
from proctor.store._outage import persist
from proctor.store._types import AnyText, UtcDateTime, metadata
from proctor.store._writer import Job

__all__ = [
    "AnyText",
    "Database",
    "Job",
    "Lock",
    "Moved",
    "UtcDateTime",
    "check",
    "insert_into",
    "make_engine",
    "metadata",
    "move",
    "newest",
    "persist",
    "revision",
    "upgrade",
]
