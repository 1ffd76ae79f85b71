"""The record read back: a page at a time, or counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, or_, select

from proctor.audit._tables import audit_entries
from proctor.audit._values import Entry, storable

LAST = 2**63 - 1
"""The greatest number that the databases take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries: all that are asked for together; what isn't said counts as any."""

    since: datetime | None = None
    until: datetime | None = None
    """Up to, and not with, this instant."""
    actor: str = ""
    action: str = ""
    """As `approval.decided`; or the first word alone, as `approval`."""
    thing: str = ""
    tenant: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self == Wanted()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deeds:
    """How often somebody did something."""

    action: str
    actor: str
    times: int
    last_at: datetime


def page(connection: Connection, wanted: Wanted, *, after: int = 0, limit: int = 50) -> tuple[Entry, ...]:
    """A page of the record, oldest first, from behind a number."""
    query = _of(select(audit_entries), wanted).where(audit_entries.c.seq > min(after, LAST))
    return _read(connection, query.order_by(audit_entries.c.seq).limit(limit))


def newest(connection: Connection, wanted: Wanted, *, before: int = 0, limit: int = 50) -> tuple[Entry, ...]:
    """The newest entries, newest first; with `before`, those from before that number."""
    query = _of(select(audit_entries), wanted)
    if before:
        query = query.where(audit_entries.c.seq < min(before, LAST))
    return _read(connection, query.order_by(audit_entries.c.seq.desc()).limit(limit))


def deeds(connection: Connection, wanted: Wanted) -> tuple[Deeds, ...]:
    """Who did what how often, by action, the busiest first."""
    entries = audit_entries.c
    times = func.count().label("times")
    counted = select(entries.action, entries.actor, times, func.max(entries.at).label("last_at"))
    query = _of(counted, wanted).group_by(entries.action, entries.actor)
    rows = connection.execute(query.order_by(entries.action, times.desc(), entries.actor))
    return tuple(
        Deeds(action=row.action, actor=row.actor, times=row.times, last_at=row.last_at) for row in rows
    )


def _of(query: Select[Any], wanted: Wanted) -> Select[Any]:
    entries = audit_entries.c
    if wanted.since is not None:
        query = query.where(entries.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(entries.at < wanted.until)
    if wanted.actor:
        query = query.where(entries.actor == storable(wanted.actor))
    if wanted.action:
        action = storable(wanted.action)
        begins = entries.action.startswith(f"{action}.", autoescape=True)
        query = query.where(or_(entries.action == action, begins))
    if wanted.thing:
        query = query.where(entries.thing == storable(wanted.thing))
    if wanted.tenant is not None:
        query = query.where(entries.tenant == storable(wanted.tenant))
    return query


def _read(connection: Connection, query: Select[Any]) -> tuple[Entry, ...]:
    rows: Sequence[Row[Any]] = connection.execute(query).all()
    return tuple(Entry(**row._asdict()) for row in rows)
