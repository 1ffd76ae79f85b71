"""The statements of questions to people: one row a question, one statement a step of its life."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Row, Select, and_, bindparam, delete, exists, or_, select, update
from sqlalchemy import insert as insert_into

from proctor.approvals import _standing
from proctor.approvals._tables import approvals, delegations, votes
from proctor.approvals._values import STANDING, Approval, Delegation, Standing, State, Vote, key_of
from proctor.approvals._who import Roles, roles_of
from proctor.core import (
    Conflict,
    Decision,
    DecisionKind,
    JsonObject,
    NotFound,
    Question,
    QuestionKind,
    Second,
    Terms,
    canonical_json,
    digest,
    person,
    read_object,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which questions are meant."""

    state: State | None = "pending"
    team: str = ""
    role: str = ""
    """Those that this role decides now, or that a team asks its human of this name."""
    run_id: str = ""
    person: str = ""
    """Those that this person may decide, and hasn't voted on."""
    tenant: str | None = None
    """Those of this tenant's runs; nothing: of all."""


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
    tenant: str = "default",
    requester: str = "",
    thread_id: str | None = None,
    conversation: Sequence[JsonObject] = (),
) -> Standing | None:
    """Adds a question: a pending one, unless a standing approval answers it; then gives that one."""
    terms = question.terms
    barred = {person(requester)} if terms.not_requester else set()
    if terms.after:
        barred |= _voters(connection, run_id, terms.after)
    given = _standing.match(
        connection,
        question,
        team=team,
        tenant=tenant,
        run_id=run_id,
        thread_id=thread_id,
        barred=barred,
        at=at,
    )
    row = {
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
        "tenant": tenant,
        "requester": requester,
        "thread_id": thread_id,
        "terms": canonical_json(_terms_json(terms)),
        "roles": joined(terms.roles),
        "barred": joined(sorted(barred - {""})),
        "expires_at": later(at, terms.expires),
        "remind_at": later(at, terms.remind),
        "conversation": canonical_json(tuple(conversation)),
    }
    if given is not None:
        by = f"{STANDING}{given.id}"
        row |= {"state": "decided", "decision": "approve", "comment": "", "decided_by": by, "decided_at": at}
    connection.execute(insert_into(approvals), row)
    return given


def _voters(connection: Connection, run_id: str, call_key: str) -> set[str]:
    """Who has agreed to a call, as it was asked for or as it was edited."""
    keys = [key_of(call_key, kind) for kind in ("action", "edited")]
    query = (
        select(votes.c.person)
        .join(approvals, approvals.c.id == votes.c.approval_id)
        .where(approvals.c.run_id == run_id, approvals.c.call_key.in_(keys))
    )
    return set(connection.scalars(query))


def change(connection: Connection, approval: Approval, **values: Any) -> Approval:
    """A pending question with other columns.

    Raises:
        Conflict: it isn't pending any more.
    """
    changed = connection.execute(
        update(approvals)
        .where(approvals.c.id == approval.id, approvals.c.state == "pending")
        .values(**values)
    )
    if changed.rowcount != 1:
        raise Conflict(f"approval {approval.id} was decided by somebody else")
    return get(connection, approval.id)


def add_vote(
    connection: Connection, approval: Approval, decision: Decision, at: datetime, *, standing: str | None
) -> None:
    """Counts one person's answer."""
    row = {
        "approval_id": approval.id,
        "person": person(decision.by),
        "name": decision.by,
        "kind": decision.kind,
        "stage": approval.stage,
        "comment": decision.comment,
        "standing": standing,
        "at": at,
    }
    connection.execute(insert_into(votes), row)


def standing_votes(connection: Connection, approval: Approval) -> set[str | None]:
    """What those who approved so far want to hold for later calls too, each different wish once."""
    query = select(votes.c.standing).where(votes.c.approval_id == approval.id)
    return set(connection.scalars(query))


def void_votes(connection: Connection, approval: Approval) -> None:
    """Takes back all votes on a question."""
    connection.execute(delete(votes).where(votes.c.approval_id == approval.id))


def add_delegation(connection: Connection, approval: Approval, *, by: str, to: str, at: datetime) -> None:
    """Notes that a person hands a decision to another."""
    row = {"approval_id": approval.id, "person": person(by), "delegate": person(to), "at": at}
    connection.execute(insert_into(delegations), row)


def drop_delegations(connection: Connection, approval: Approval, *, by: str = "") -> None:
    """Takes back what one person has handed to another; where nobody is named, what all have."""
    gone = delete(delegations).where(delegations.c.approval_id == approval.id)
    connection.execute(gone.where(delegations.c.person == person(by)) if by else gone)


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


_cancel_pending = (
    update(approvals)
    .where(approvals.c.run_id == bindparam("of_run"), approvals.c.state == "pending")
    .values(state="cancelled")
)


def cancel_pending(connection: Connection, run_id: str) -> None:
    """Closes what is still asked for a run that has ended."""
    connection.execute(_cancel_pending, {"of_run": run_id})


def overdue(connection: Connection, now: datetime, *, limit: int = 200) -> tuple[str, ...]:
    """Ids of questions whose time is over, the most overdue first."""
    query = select(approvals.c.id).where(approvals.c.state == "pending", approvals.c.expires_at <= now)
    return tuple(connection.scalars(query.order_by(approvals.c.expires_at).limit(limit)))


def get(connection: Connection, id: str, *, tenant: str | None = None, lock: bool = False) -> Approval:
    """One question, of one tenant where it is named; with `lock` nobody else changes it meanwhile.

    Raises:
        NotFound: there is no such question.
    """
    query = select(approvals).where(approvals.c.id == id)
    if tenant is not None:
        query = query.where(approvals.c.tenant == tenant)
    found = read(connection, query.with_for_update() if lock else query)
    if not found:
        raise NotFound(f"there is no approval {id}", hint="`proctor approvals list` shows those that wait.")
    return found[0]


def of_run(connection: Connection, run_id: str) -> tuple[Approval, ...]:
    """All questions of a run, oldest first."""
    return read(connection, select(approvals).where(approvals.c.run_id == run_id).order_by(approvals.c.id))


def decided_between(connection: Connection, *, since: datetime, until: datetime) -> tuple[Approval, ...]:
    """The questions that were decided in a period, oldest first."""
    at = approvals.c.decided_at
    return read(connection, select(approvals).where(at >= since, at < until).order_by(at, approvals.c.id))


def page(
    connection: Connection, wanted: Filter, roles: Roles, *, after: str = "", limit: int = 50
) -> tuple[Approval, ...]:
    """A page of questions, oldest first, from behind the id `after`."""
    return read(connection, page_query(wanted, roles, after=after, limit=limit))


def page_query(wanted: Filter, roles: Roles, *, after: str, limit: int) -> Select[Any]:
    """The query of `page`: it walks along an index, and stops when the page is full."""
    query = select(approvals).order_by(approvals.c.id).limit(limit)
    if after:
        query = query.where(approvals.c.id > after)
    if wanted.state is not None:
        query = query.where(approvals.c.state == wanted.state)
    if wanted.team:
        query = query.where(approvals.c.team == wanted.team)
    if wanted.run_id:
        query = query.where(approvals.c.run_id == wanted.run_id)
    if wanted.role:
        query = query.where(or_(_decided_by(wanted.role), approvals.c.role == wanted.role))
    if wanted.tenant is not None:
        query = query.where(approvals.c.tenant == wanted.tenant)
    if wanted.person:
        query = query.where(*_open_to(wanted.person, roles_of(wanted.person, roles)))
    return query


def _decided_by(role: str) -> Any:
    return approvals.c.roles.contains(f"|{role}|", autoescape=True)


def _open_to(name: str, roles: Iterable[str]) -> tuple[Any, ...]:
    """Questions that a person may decide: as a member, or in a member's place."""
    who = person(name)
    handed_on = exists().where(delegations.c.approval_id == approvals.c.id, delegations.c.person == who)
    handed_over = exists().where(delegations.c.approval_id == approvals.c.id, delegations.c.delegate == who)
    voted = exists().where(votes.c.approval_id == approvals.c.id, votes.c.person == who)
    as_member = or_(approvals.c.roles == "", *(_decided_by(role) for role in roles))
    return (
        or_(and_(as_member, ~handed_on), handed_over),
        ~voted,
        ~approvals.c.barred.contains(f"|{who}|", autoescape=True),
    )


def joined(names: Collection[str]) -> str:
    """Names in one text in which each can be looked for: `|a|b|`."""
    return f"|{'|'.join(names)}|" if names else ""


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.strip("|").split("|")) if text else ()


def later(at: datetime, span: timedelta | None) -> datetime | None:
    """The instant after a time has passed; nothing where there is none."""
    return None if span is None else at + span


def read(connection: Connection, query: Select[Any]) -> tuple[Approval, ...]:
    rows = connection.execute(query).all()
    ids = [row.id for row in rows]
    found_votes: dict[str, list[Vote]] = {}
    found_delegations: dict[str, list[Delegation]] = {}
    if ids:
        for row in connection.execute(select(votes).where(votes.c.approval_id.in_(ids)).order_by(votes.c.at)):
            vote = Vote(by=row.name, kind=row.kind, stage=row.stage, comment=row.comment, at=row.at)
            found_votes.setdefault(row.approval_id, []).append(vote)
        for row in connection.execute(select(delegations).where(delegations.c.approval_id.in_(ids))):
            given = Delegation(by=row.person, to=row.delegate, at=row.at)
            found_delegations.setdefault(row.approval_id, []).append(given)
    return tuple(
        _approval(row, tuple(found_votes.get(row.id, ())), tuple(found_delegations.get(row.id, ())))
        for row in rows
    )


def _approval(row: Row[Any], votes: tuple[Vote, ...], delegations: tuple[Delegation, ...]) -> Approval:
    edited = None if row.edited is None else read_object(row.edited)
    decision = None
    if row.decision is not None:
        kind = cast("DecisionKind", row.decision)
        decision = Decision(
            kind=kind,
            comment=row.comment or "",
            by=row.decided_by or "",
            arguments=edited if kind == "edit" else None,
        )
    return Approval(
        id=row.id,
        run_id=row.run_id,
        call_key=row.call_key,
        team=row.team,
        agent=row.agent,
        question=Question(
            kind=cast("QuestionKind", row.kind),
            role=row.role,
            text=row.text,
            action=read_object(row.action),
            terms=read_terms(read_object(row.terms)),
        ),
        digest=row.digest,
        state=cast("State", row.state),
        decision=decision,
        requested_at=row.requested_at,
        decided_at=row.decided_at,
        tenant=row.tenant,
        requester=row.requester,
        thread_id=row.thread_id,
        roles=_split(row.roles),
        barred=_split(row.barred),
        stage=row.stage,
        escalations=row.escalations,
        expires_at=row.expires_at,
        remind_at=row.remind_at,
        edited=edited,
        conversation=cast("tuple[JsonObject, ...]", tuple(json.loads(row.conversation))),
        votes=votes,
        delegations=delegations,
    )


def _terms_json(terms: Terms) -> JsonObject:
    second: JsonObject | None = None
    if terms.second is not None:
        second = {"roles": terms.second.roles, "judge": terms.second.judge, "rubric": terms.second.rubric}
    return {
        "rule": terms.rule,
        "risk": terms.risk,
        "labels": terms.labels,
        "roles": terms.roles,
        "quorum": terms.quorum,
        "not_requester": terms.not_requester,
        "after": terms.after,
        "expires": None if terms.expires is None else terms.expires.total_seconds(),
        "on_expiry": terms.on_expiry,
        "escalate_to": terms.escalate_to,
        "default": terms.default,
        "remind": None if terms.remind is None else terms.remind.total_seconds(),
        "editable": terms.editable,
        "second": second,
    }


def read_terms(kept: dict[str, Any]) -> Terms:
    if not kept:
        return Terms()  # asked before there were rules
    spans = {
        name: None if kept[name] is None else timedelta(seconds=kept[name]) for name in ("expires", "remind")
    }
    lists = {name: tuple(kept[name]) for name in ("labels", "roles", "escalate_to")}
    second = kept["second"] and Second(**kept["second"] | {"roles": tuple(kept["second"]["roles"])})
    return Terms(**kept | spans | lists | {"second": second})
