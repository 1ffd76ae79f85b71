"""Which questions people are to be told of now: asked anew, expired untold, or open for so long.

Knows not how they are told. The caller says what was told already, and notes what is.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Select, String, cast, literal, select, update

from proctor.approvals._sql import later, read
from proctor.approvals._tables import approvals
from proctor.approvals._values import EXPIRY, Approval

Told: TypeAlias = Callable[[ColumnElement[str], ColumnElement[str] | str], ColumnElement[bool]]
"""The condition that people were told of a question, by its id, on an occasion."""

PAGE = 200
"""Questions that are looked at in one transaction."""

STALE = timedelta(days=1)
"""What expired longer ago than this isn't told any more: nobody looked meanwhile."""

EXPIRED = "expired"

_round = (
    cast(approvals.c.stage, String)
    + literal(".")
    + cast(approvals.c.escalations, String)
    + literal(".")
    + approvals.c.digest
)
"""Changes when other people are to be asked, or when the action is another one."""


def any_to_tell(connection: Connection, told: Told, now: datetime) -> bool:
    """Whether there is a question that somebody is to be told of, or reminded of."""
    queries = (_unasked(told), _expired(told, now), _to_remind(now))
    return any(connection.execute(query.limit(1)).first() is not None for query in queries)


def unasked(connection: Connection, told: Told) -> tuple[tuple[Approval, str], ...]:
    """Pending questions of which those who decide now weren't told, each with this occasion; oldest first."""
    occasions = {row.id: row.round for row in connection.execute(_unasked(told).limit(PAGE))}
    found = read(
        connection, select(approvals).where(approvals.c.id.in_(tuple(occasions))).order_by(approvals.c.id)
    )
    return tuple((approval, occasions[approval.id]) for approval in found)


def expired(connection: Connection, told: Told, now: datetime) -> tuple[tuple[Approval, str], ...]:
    """Questions that expired lately and of which nobody was told, each with this occasion; oldest first."""
    return tuple((approval, EXPIRED) for approval in read(connection, _expired(told, now).limit(PAGE)))


def due_reminders(connection: Connection, now: datetime) -> tuple[Approval, ...]:
    """Pending questions that their people are to be reminded of, the most overdue first."""
    return read(connection, _to_remind(now).order_by(approvals.c.remind_at).limit(PAGE))


def reminded(connection: Connection, approval: Approval, now: datetime) -> bool:
    """Whether this process is the one that reminds; the next reminder is due after the same time again."""
    changed = connection.execute(
        update(approvals)
        .where(
            approvals.c.id == approval.id,
            approvals.c.state == "pending",
            approvals.c.remind_at == approval.remind_at,
        )
        .values(remind_at=later(now, approval.question.terms.remind))
    )
    return changed.rowcount == 1


def _unasked(told: Told) -> Select[Any]:
    return (
        select(approvals.c.id, _round.label("round"))
        .where(approvals.c.state == "pending", ~told(approvals.c.id, _round))
        .order_by(approvals.c.id)
    )


def _expired(told: Told, now: datetime) -> Select[Any]:
    return (
        select(approvals)
        .where(
            approvals.c.state.in_(("decided", "consumed")),
            approvals.c.expires_at.between(now - STALE, now),
            approvals.c.decided_by == EXPIRY,
            ~told(approvals.c.id, EXPIRED),
        )
        .order_by(approvals.c.id)
    )


def _to_remind(now: datetime) -> Select[Any]:
    return select(approvals).where(approvals.c.state == "pending", approvals.c.remind_at <= now)
