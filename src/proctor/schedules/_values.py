"""A schedule as a value."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A team's task that is run by the clock."""

    id: str
    name: str
    team: str
    target: str
    """`module_or_file:team`, as of the runs that it starts."""
    tenant: str
    task: str
    cron: str
    zone: str
    """The time zone that `cron` is read in, as `Europe/Berlin`."""
    priority: int
    requester: str
    created_at: datetime
    next_at: datetime | None
    """When it is due; nothing: it is paused."""
    last_at: datetime | None = None
    """The due time that it was fired for last."""
    last_run_id: str | None = None
