"""Connections, transactions and migrations. Knows no run, no call and no model."""

from proctor.store._database import Database, make_engine
from proctor.store._lock import Lock
from proctor.store._migrations import check, upgrade
from proctor.store._types import AnyText, UtcDateTime, metadata
from proctor.store._writer import Job

__all__ = [
    "AnyText",
    "Database",
    "Job",
    "Lock",
    "UtcDateTime",
    "check",
    "make_engine",
    "metadata",
    "upgrade",
]
