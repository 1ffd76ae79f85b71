"""What went wrong or was refused in a stretch of time, out of the log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, or_, select

from proctor.core import Event
from proctor.runs._sql import event_of
from proctor.runs._tables import events, runs

_TELLING = (
    "run.failed",
    "run.refused",
    "run.rescheduled",
    "agent.failed",
    "tool.refused",
    "model.retried",
    "model.fell_back",
    "policy.verdict",
    "budget.refused",
    "loop.detected",
)
_BROKE = '%"error":true%'
"""How the data of a tool's call look where it came to an error; keys are never followed by a space."""
_ALLOWED = '%"outcome":"allow"%'
"""How the data of a verdict look that found nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One entry of the log that tells of something that went wrong, or was refused."""

    event: Event
    team: str
    release: str


def troubles(
    connection: Connection, since: datetime, until: datetime, *, team: str = "", tenant: str = "", limit: int
) -> tuple[Trouble, ...]:
    """What the time from `since` to before `until` tells of, the oldest first; at most the newest `limit`.

    Only runs that lived in that time are looked at, so that it costs what they logged, and not what all did.
    """
    rows = connection.execute(_logged(since, until, team, tenant).limit(limit)).all()
    return tuple(Trouble(event=event_of(row), team=row.team, release=row.release) for row in reversed(rows))


def _logged(since: datetime, until: datetime, team: str, tenant: str) -> Select[Any]:
    broke = (events.c.type == "tool.called") & events.c.data.like(_BROKE)
    telling = events.c.type.in_(_TELLING) & events.c.data.not_like(_ALLOWED)
    query = (
        select(events, runs.c.team, runs.c.release)
        .join_from(runs, events, runs.c.id == events.c.run_id)
        .where(
            or_(runs.c.finished_at >= since, runs.c.finished_at.is_(None)),
            runs.c.created_at < until,
            events.c.at >= since,
            events.c.at < until,
            or_(telling, broke),
        )
        .order_by(events.c.at.desc(), events.c.run_id.desc(), events.c.seq.desc())
    )
    if team:
        query = query.where(runs.c.team == team)
    return query.where(runs.c.tenant == tenant) if tenant else query
