"""The outbox: one row a message, written once however many look, sent by whoever claims it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    Row,
    String,
    Table,
    exists,
    func,
    select,
    update,
)

from proctor.notices._values import Kind, Notice, State
from proctor.store import AnyText, UtcDateTime, insert_into, metadata

LONGEST_TARGET = 200
"""Characters of a target's name that are kept."""

_SUBJECTS = 400
"""Subjects that are looked up at a time."""

notices = Table(
    "notices",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("subject", String(40), nullable=False),
    Column("round", String(80), nullable=False),
    Column("audience", String(64), nullable=False),
    Column("target", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("error", AnyText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Index("notices_once", "subject", "round", "audience", "target", unique=True),
    Index("notices_due", "state", "next_at"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeDraft:
    """A message that has to be sent."""

    id: str
    kind: Kind
    subject: str
    round: str
    audience: str
    target: str
    error: str = ""
    """Why it can't be sent at all."""


def told(subject: ColumnElement[str], round: ColumnElement[str] | str) -> ColumnElement[bool]:
    """The condition that this was written into the outbox, for a query over the things to tell."""
    return exists(select(notices.c.id).where(notices.c.subject == subject, notices.c.round == round))


def first_told(connection: Connection, subjects: Sequence[str]) -> dict[str, datetime]:
    """When the first message about each subject was sent, for those of which anybody was told."""
    found: dict[str, datetime] = {}
    for start in range(0, len(subjects), _SUBJECTS):
        some = subjects[start : start + _SUBJECTS]
        query = (
            select(notices.c.subject, func.min(notices.c.sent_at))
            .where(notices.c.subject.in_(some), notices.c.sent_at.is_not(None))
            .group_by(notices.c.subject)
        )
        found.update((subject, at) for subject, at in connection.execute(query))
    return found


def announce(connection: Connection, drafts: Sequence[NoticeDraft], at: datetime) -> None:
    """Adds messages to the outbox; those that are in it stay as they are."""
    if not drafts:
        return
    rows = [
        {
            "id": draft.id,
            "kind": draft.kind,
            "subject": draft.subject,
            "round": draft.round,
            "audience": draft.audience,
            "target": draft.target[:LONGEST_TARGET],
            "state": "failed" if draft.error else "pending",
            "attempts": 0,
            "next_at": at,
            "error": draft.error,
            "created_at": at,
        }
        for draft in drafts
    ]
    connection.execute(insert_into(connection, notices).on_conflict_do_nothing(), rows)


def any_due(connection: Connection, at: datetime) -> bool:
    """Whether a message has to be sent."""
    return connection.execute(_due(at).limit(1)).first() is not None


def claim(connection: Connection, *, at: datetime, lease: timedelta, limit: int) -> tuple[Notice, ...]:
    """Messages to be sent by the caller alone until the lease ends, the longest due first."""
    due = connection.scalars(_due(at).order_by(notices.c.next_at).limit(limit)).all()
    mine = []
    for id in due:
        # The conditions stand here again: another worker may have been faster since the look.
        row = connection.execute(
            update(notices)
            .where(notices.c.id == id, notices.c.state == "pending", notices.c.next_at <= at)
            .values(attempts=notices.c.attempts + 1, next_at=at + lease)
            .returning(*notices.c)
        ).first()
        if row is not None:
            mine.append(_notice(row))
    return tuple(mine)


def settle(
    connection: Connection,
    notice: Notice,
    *,
    state: State,
    error: str = "",
    next_at: datetime | None = None,
    sent_at: datetime | None = None,
) -> None:
    """Writes what became of an attempt, unless the claim was lost to another worker meanwhile."""
    values: dict[str, Any] = {"state": state, "error": error, "sent_at": sent_at}
    if next_at is not None:
        values["next_at"] = next_at
    mine = (notices.c.id == notice.id, notices.c.attempts == notice.attempts, notices.c.state == "pending")
    connection.execute(update(notices).where(*mine).values(values))


def page(
    connection: Connection, *, state: State | None = None, before: str = "", limit: int = 50
) -> tuple[Notice, ...]:
    """A page of messages, newest first, from before the id `before`."""
    query = select(notices).order_by(notices.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(notices.c.state == state)
    if before:
        query = query.where(notices.c.id < before)
    return tuple(_notice(row) for row in connection.execute(query))


def _due(at: datetime) -> Any:
    return select(notices.c.id).where(notices.c.state == "pending", notices.c.next_at <= at)


def _notice(row: Row[Any]) -> Notice:
    return Notice(
        id=row.id,
        kind=cast("Kind", row.kind),
        subject=row.subject,
        round=row.round,
        audience=row.audience,
        target=row.target,
        state=cast("State", row.state),
        attempts=row.attempts,
        next_at=row.next_at,
        error=row.error,
        created_at=row.created_at,
        sent_at=row.sent_at,
    )
