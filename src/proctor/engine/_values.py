"""A worker as a value."""

from dataclasses import dataclass
from datetime import datetime, timedelta

ALIVE = timedelta(seconds=15)
"""Who has said nothing for so long is dead, or cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process that executes runs, or did so until lately."""

    id: str
    """As its runs name it."""
    host: str
    pid: int
    engine: str
    teams: tuple[str, ...]
    running: int
    """Runs that it executes."""
    stopping: bool
    """Whether it is ending its runs at their next calls, and takes up no more."""
    started_at: datetime
    seen_at: datetime

    def alive(self, at: datetime) -> bool:
        """Whether it has said that it is there, lately as seen from an instant."""
        return at - self.seen_at < ALIVE
