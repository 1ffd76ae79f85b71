"""The approvals table: one row a question, one statement a step of its life."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from sqlalchemy import Column, Connection, Index, Row, String, Table, select, update
from sqlalchemy import insert as insert_into

from proctor.core import (
    Conflict,
    Decision,
    DecisionKind,
    NotFound,
    Question,
    QuestionKind,
    canonical_json,
    digest,
    read_object,
)
from proctor.store import AnyText, UtcDateTime, metadata

State = Literal["pending", "decided", "consumed", "cancelled"]

LONGEST_NAME = 200
"""Characters of a person's name that are kept."""

approvals = Table(
    "approvals",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("run_id", String(40), nullable=False),
    Column("call_key", String(64), nullable=False),
    Column("team", String(64), nullable=False),
    Column("agent", String(200), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("role", String(64), nullable=False),
    Column("text", AnyText, nullable=False),
    Column("action", AnyText, nullable=False),
    Column("digest", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("decision", String(16)),
    Column("comment", AnyText),
    Column("decided_by", String(200)),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("decided_at", UtcDateTime),
    Index("approvals_call", "run_id", "call_key", unique=True),
    Index("approvals_state", "state", "id"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A question to a person, and what became of it."""

    id: str
    run_id: str
    call_key: str
    team: str
    agent: str
    question: Question
    digest: str
    """Of the action: a decision holds for exactly these arguments."""
    state: State
    decision: Decision | None
    requested_at: datetime
    decided_at: datetime | None


def request(
    connection: Connection,
    *,
    id: str,
    run_id: str,
    call_key: str,
    team: str,
    agent: str,
    question: Question,
    at: datetime,
) -> None:
    """Adds a pending question."""
    connection.execute(
        insert_into(approvals),
        {
            "id": id,
            "run_id": run_id,
            "call_key": call_key,
            "team": team,
            "agent": agent,
            "kind": question.kind,
            "role": question.role,
            "text": question.text,
            "action": canonical_json(question.action),
            "digest": digest(question.action),
            "state": "pending",
            "requested_at": at,
        },
    )


def decide(connection: Connection, *, id: str, decision: Decision, at: datetime) -> Approval:
    """The decided question. Of many who decide at once one succeeds.

    Raises:
        NotFound: there is no such question.
        Conflict: it is decided already, or its run has ended.
    """
    approval = get(connection, id)
    changed = connection.execute(
        update(approvals)
        .where(approvals.c.id == id, approvals.c.state == "pending")
        .values(
            state="decided",
            decision=decision.kind,
            comment=decision.comment,
            decided_by=decision.by[:LONGEST_NAME],
            decided_at=at,
        )
    )
    if changed.rowcount != 1:
        raise Conflict(
            f"approval {id} is {approval.state}, not pending",
            hint=f"`proctor approvals show {id}` tells who decided and when.",
        )
    return get(connection, id)


def consume(connection: Connection, id: str) -> None:
    """Uses a decision up, exactly once.

    Raises:
        Conflict: it was used before.
    """
    changed = connection.execute(
        update(approvals).where(approvals.c.id == id, approvals.c.state == "decided").values(state="consumed")
    )
    if changed.rowcount != 1:
        raise Conflict(f"the decision of approval {id} was used before")


def any_decided(connection: Connection, ids: Sequence[str]) -> bool:
    """Whether one of these questions has a decision that wasn't used yet."""
    query = select(approvals.c.id).where(approvals.c.id.in_(ids), approvals.c.state == "decided").limit(1)
    return connection.execute(query).first() is not None


def cancel_pending(connection: Connection, run_id: str) -> None:
    """Closes what is still asked for a run that has ended."""
    connection.execute(
        update(approvals)
        .where(approvals.c.run_id == run_id, approvals.c.state == "pending")
        .values(state="cancelled")
    )


def get(connection: Connection, id: str) -> Approval:
    """One question.

    Raises:
        NotFound: there is no such question.
    """
    row = connection.execute(select(approvals).where(approvals.c.id == id)).first()
    if row is None:
        raise NotFound(f"there is no approval {id}", hint="`proctor approvals list` shows those that wait.")
    return _approval(row)


def of_run(connection: Connection, run_id: str) -> tuple[Approval, ...]:
    """All questions of a run, oldest first."""
    query = select(approvals).where(approvals.c.run_id == run_id).order_by(approvals.c.id)
    return tuple(_approval(row) for row in connection.execute(query))


def page(
    connection: Connection, *, state: State | None = "pending", after: str = "", limit: int = 50
) -> tuple[Approval, ...]:
    """A page of questions, oldest first, from behind the id `after`."""
    query = select(approvals).where(approvals.c.id > after).order_by(approvals.c.id).limit(limit)
    if state is not None:
        query = query.where(approvals.c.state == state)
    return tuple(_approval(row) for row in connection.execute(query))


def _approval(row: Row[tuple[object, ...]]) -> Approval:
    decision = None
    if row.decision is not None:
        decision = Decision(
            kind=cast("DecisionKind", row.decision), comment=row.comment or "", by=row.decided_by or ""
        )
    return Approval(
        id=row.id,
        run_id=row.run_id,
        call_key=row.call_key,
        team=row.team,
        agent=row.agent,
        question=Question(
            kind=cast("QuestionKind", row.kind), role=row.role, text=row.text, action=read_object(row.action)
        ),
        digest=row.digest,
        state=cast("State", row.state),
        decision=decision,
        requested_at=row.requested_at,
        decided_at=row.decided_at,
    )
