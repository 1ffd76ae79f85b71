"""The statements of degradation, one function each."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Row, delete, or_, select, update
from sqlalchemy import insert as insert_into

from proctor.core import LONGEST_NAME, JsonObject, canonical_json, read_object
from proctor.degradation._ladder import Level, Rule
from proctor.degradation._tables import degradations, holds, standings

FORGOTTEN = timedelta(hours=1)
"""A worker that says nothing for so long leaves no trace among the standings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A level that an operator set."""

    id: str
    at: datetime
    level: Level
    until: datetime
    reason: str
    by: str

    @property
    def detail(self) -> JsonObject:
        """What a change to this level says of it."""
        return {"by": self.by, "reason": self.reason, "until": self.until.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A change of the level of one worker, as it is kept."""

    id: str
    at: datetime
    worker: str
    level: Level
    previous: Level
    rule: Rule
    detail: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLevel:
    """The level of one worker."""

    worker: str
    level: Level
    seen_at: datetime


def record(connection: Connection, passages: Sequence[Passage]) -> None:
    """Adds changes to the history."""
    rows = [{**asdict(passage), "detail": canonical_json(passage.detail)} for passage in passages]
    connection.execute(insert_into(degradations), rows)


def history(connection: Connection, *, before: str = "", limit: int = 50) -> tuple[Passage, ...]:
    """A page of changes, newest first, from before the id `before`."""
    query = select(degradations).order_by(degradations.c.id.desc()).limit(limit)
    if before:
        query = query.where(degradations.c.id < before)
    return tuple(_passage(row) for row in connection.execute(query))


def stand(connection: Connection, worker: str, level: Level, at: datetime) -> None:
    """Says where a worker stands, and forgets those that are long gone."""
    gone = or_(standings.c.worker == worker, standings.c.seen_at < at - FORGOTTEN)
    connection.execute(delete(standings).where(gone))
    connection.execute(insert_into(standings), {"worker": worker, "level": level, "seen_at": at})


def worker_levels(connection: Connection, since: datetime) -> tuple[WorkerLevel, ...]:
    """Where the workers stand that have been seen since then, by name."""
    query = select(standings).where(standings.c.seen_at >= since).order_by(standings.c.worker)
    return tuple(
        WorkerLevel(worker=row.worker, level=row.level, seen_at=row.seen_at)
        for row in connection.execute(query)
    )


def add_hold(connection: Connection, hold: Hold) -> None:
    """Sets a level, in the place of one that is set."""
    end_holds(connection, hold.at)
    connection.execute(
        insert_into(holds),
        {
            "id": hold.id,
            "at": hold.at,
            "level": hold.level,
            "until": hold.until,
            "reason": hold.reason,
            "by": hold.by[:LONGEST_NAME],
        },
    )


def end_holds(connection: Connection, at: datetime) -> bool:
    """Whether a level was set; it is no longer."""
    return connection.execute(update(holds).where(holds.c.until > at).values(until=at)).rowcount > 0


def hold_at(connection: Connection, at: datetime) -> Hold | None:
    """The level that an operator has set."""
    query = select(holds).where(holds.c.until > at).order_by(holds.c.id.desc()).limit(1)
    row = connection.execute(query).first()
    if row is None:
        return None
    return Hold(id=row.id, at=row.at, level=row.level, until=row.until, reason=row.reason, by=row.by)


def _passage(row: Row[Any]) -> Passage:
    return Passage(
        id=row.id,
        at=row.at,
        worker=row.worker,
        level=row.level,
        previous=row.previous,
        rule=cast("Rule", row.rule),
        detail=read_object(row.detail),
    )
