"""The statements of schedules, one function each."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from proctor.core import NotFound
from proctor.runs import Share, in_share
from proctor.schedules._tables import schedules
from proctor.schedules._values import Schedule


def add(connection: Connection, schedule: Schedule) -> None:
    """Adds a schedule; its name is taken only once."""
    connection.execute(
        insert(schedules).values(
            id=schedule.id,
            name=schedule.name,
            team=schedule.team,
            target=schedule.target,
            tenant=schedule.tenant,
            task=schedule.task,
            cron=schedule.cron,
            zone=schedule.zone,
            priority=schedule.priority,
            requester=schedule.requester,
            created_at=schedule.created_at,
            next_at=schedule.next_at,
        )
    )


def get(connection: Connection, name: str) -> Schedule:
    """One schedule.

    Raises:
        NotFound: there is no such schedule.
    """
    row = connection.execute(select(schedules).where(schedules.c.name == name)).first()
    if row is None:
        raise NotFound(f"there is no schedule {name!r}", hint="`proctor schedules list` shows them.")
    return _schedule(row)


def page(connection: Connection, *, after: str, limit: int) -> tuple[Schedule, ...]:
    """A page of schedules by name, from behind a name."""
    query = select(schedules).where(schedules.c.name > after).order_by(schedules.c.name).limit(limit)
    return tuple(_schedule(row) for row in connection.execute(query))


def due(connection: Connection, share: Share, at: datetime) -> tuple[Schedule, ...]:
    """The schedules of a share that are due, the one that has waited longest first."""
    query = select(schedules).where(
        schedules.c.next_at <= at, in_share(share, schedules.c.team, schedules.c.target)
    )
    ordered = query.order_by(schedules.c.next_at, schedules.c.id)
    return tuple(_schedule(row) for row in connection.execute(ordered))


def advance(connection: Connection, schedule: Schedule, *, next_at: datetime, run_id: str) -> bool:
    """Whether the schedule was still due at that time; then it is due the next time only."""
    still = schedules.c.id == schedule.id, schedules.c.next_at == schedule.next_at
    changed = connection.execute(
        update(schedules).where(*still).values(next_at=next_at, last_at=schedule.next_at, last_run_id=run_id)
    )
    return changed.rowcount == 1


def set_next(connection: Connection, id: str, next_at: datetime | None) -> None:
    """Sets when the schedule is due; nothing pauses it."""
    connection.execute(update(schedules).where(schedules.c.id == id).values(next_at=next_at))


def set_last_run(connection: Connection, id: str, run_id: str) -> None:
    """Keeps which run was started last."""
    connection.execute(update(schedules).where(schedules.c.id == id).values(last_run_id=run_id))


def remove(connection: Connection, id: str) -> None:
    """Deletes the schedule."""
    connection.execute(delete(schedules).where(schedules.c.id == id))


def _schedule(row: Row[Any]) -> Schedule:
    return Schedule(
        id=row.id,
        name=row.name,
        team=row.team,
        target=row.target,
        tenant=row.tenant,
        task=row.task,
        cron=row.cron,
        zone=row.zone,
        priority=row.priority,
        requester=row.requester,
        created_at=row.created_at,
        next_at=row.next_at,
        last_at=row.last_at,
        last_run_id=row.last_run_id,
    )
