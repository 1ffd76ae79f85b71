"""How many runs are under way, and how long the oldest of those has waited that nobody has taken up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, or_, select

from proctor.runs._tables import runs
from proctor.runs._values import GOING_ON, RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """The runs of one team that haven't ended."""

    team: str
    state: RunState
    count: int
    waited: timedelta
    """Since when the oldest run has been due that no attempt was made at. One that was taken up before, and
    was queued again, isn't looked at: nobody knows since when it waits."""


def backlog(connection: Connection, at: datetime) -> tuple[Backlog, ...]:
    """The runs under way of each team that has any, by state."""
    counted = (
        select(runs.c.team, runs.c.state, func.count().label("number"))
        .where(runs.c.state.in_(GOING_ON))
        .group_by(runs.c.team, runs.c.state)
        .order_by(runs.c.team, runs.c.state)
    )
    due = func.coalesce(runs.c.due_at, runs.c.created_at, type_=runs.c.created_at.type)
    oldest = (
        select(runs.c.team, func.min(due, type_=runs.c.created_at.type).label("due"))
        .where(
            runs.c.state == "queued", runs.c.attempt == 0, or_(runs.c.due_at.is_(None), runs.c.due_at <= at)
        )
        .group_by(runs.c.team)
    )
    since = {row.team: row.due for row in connection.execute(oldest)}
    none = timedelta()
    return tuple(
        Backlog(
            team=row.team,
            state=row.state,
            count=row.number,
            waited=max(none, at - since.get(row.team, at)) if row.state == "queued" else none,
        )
        for row in connection.execute(counted)
    )
