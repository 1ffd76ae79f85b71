"""The statements of tombstones, one function each."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from proctor.core import JsonObject, canonical_json, new_id
from proctor.privacy._reach import Whose
from proctor.privacy._tables import tombstones
from proctor.privacy._values import Left, Tombstone


def begin(connection: Connection, whose: Whose, *, by: str, at: datetime) -> Tombstone:
    """The tombstone of an erasure that begins: that of one which broke off, else a new one."""
    unfinished = tombstones.c.mark == whose.mark, tombstones.c.finished_at.is_(None)
    row = connection.execute(select(tombstones).where(*unfinished).order_by(tombstones.c.id)).first()
    if row is None:
        values = {
            "id": new_id("ers"),
            "tenant": whose.tenant,
            "mark": whose.mark,
            "at": at,
            "erased_by": by,
            "counts": "{}",
            "kept": "{}",
        }
        row = connection.execute(insert(tombstones).values(values).returning(*tombstones.c)).one()
    return _tombstone(row)


def count(connection: Connection, id: str, more: Mapping[str, int]) -> None:
    """Adds to what a tombstone counts."""
    told = connection.scalar(select(tombstones.c.counts).where(tombstones.c.id == id).with_for_update())
    counts = Counter(json.loads(told or "{}")) + Counter(more)
    connection.execute(update(tombstones).where(tombstones.c.id == id).values(counts=canonical_json(counts)))


def end(
    connection: Connection, id: str, kept: Mapping[str, Left], *, due_at: datetime | None, at: datetime
) -> Tombstone:
    """The tombstone of an erasure that has come to its end, for now where something must be kept."""
    told: JsonObject = {name: [left.rows, left.until.isoformat()] for name, left in kept.items()}
    values = {"kept": canonical_json(told), "due_at": due_at, "finished_at": at}
    changed = update(tombstones).where(tombstones.c.id == id).values(values).returning(*tombstones.c)
    return _tombstone(connection.execute(changed).one())


def due(connection: Connection, at: datetime) -> tuple[Tombstone, ...]:
    """The tombstones of erasures that can go on: a time is over for which something had to be kept."""
    query = select(tombstones).where(tombstones.c.due_at <= at).order_by(tombstones.c.due_at)
    return tuple(_tombstone(row) for row in connection.execute(query))


def newest(connection: Connection) -> datetime | None:
    """When an erasure came to its end last."""
    query = select(tombstones.c.finished_at).where(tombstones.c.finished_at.is_not(None))
    return connection.scalar(query.order_by(tombstones.c.finished_at.desc()).limit(1))


def page(connection: Connection, *, tenant: str, mark: str | None, limit: int) -> tuple[Tombstone, ...]:
    """The newest tombstones of a tenant, newest first; or those of one subject."""
    query = select(tombstones).where(tombstones.c.tenant == tenant)
    if mark is not None:
        query = query.where(tombstones.c.mark == mark)
    rows = connection.execute(query.order_by(tombstones.c.id.desc()).limit(limit))
    return tuple(_tombstone(row) for row in rows)


def _tombstone(row: Row[Any]) -> Tombstone:
    kept = {
        name: Left(rows=rows, until=datetime.fromisoformat(until))
        for name, (rows, until) in json.loads(row.kept).items()
    }
    return Tombstone(
        id=row.id,
        tenant=row.tenant,
        mark=row.mark,
        at=row.at,
        erased_by=row.erased_by,
        counts=json.loads(row.counts),
        kept=kept,
        due_at=row.due_at,
        finished_at=row.finished_at,
    )
