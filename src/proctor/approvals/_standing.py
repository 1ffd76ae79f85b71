"""Approvals given in advance: who gives one says yes to later calls of the same tool on the same terms.

They answer questions about tool calls alone, never one about an unknown end, and none that needs a second
verification. Terms are the same where the same rule asks the same people: an approval that anybody may give
doesn't stand in for one that two managers must give.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any, cast, get_args

from sqlalchemy import Connection, Row, and_, or_, select, update
from sqlalchemy import insert as insert_into

from proctor.approvals._tables import standing, votes
from proctor.approvals._values import SIGNIFICANT, UNTRUSTED, Approval, Standing
from proctor.core import (
    Conflict,
    Decision,
    InvalidInput,
    JsonObject,
    NotFound,
    Question,
    StandingScope,
    Terms,
    canonical_json,
    digest,
    new_id,
    read_object,
)

LONGEST = timedelta(days=30)
"""How long an approval for a run or a conversation stands at most."""


def check_standing(approval: Approval, decision: Decision) -> None:
    """Returns where a decision may hold for later calls too, or doesn't ask for it.

    Raises:
        InvalidInput: this kind of decision or question can't.
    """
    if decision.standing is None:
        if decision.same is not None:
            raise InvalidInput("`same` is for standing approvals", hint="Say for what: run, thread or day.")
        return
    if decision.standing not in get_args(StandingScope):
        raise InvalidInput(
            f"nothing stands for a {decision.standing}", hint=f"Say {', '.join(get_args(StandingScope))}."
        )
    question = approval.question
    if decision.kind != "approve" or approval.edited is not None:
        raise InvalidInput("only an approval of the action as it was asked for can stand for later calls")
    if _is_asked_each_time(question):
        raise InvalidInput("a question like this is asked each time")
    if decision.standing == "thread" and approval.thread_id is None:
        raise InvalidInput("the run belongs to no conversation", hint="Let it stand for the run or the day.")
    if UNTRUSTED in question.terms.labels and decision.same is not None:
        raise InvalidInput(
            "untrusted text may have asked for this: an approval stands for exactly these arguments",
            hint="Leave `same` out.",
        )
    missing = [name for name in decision.same or () if name not in _arguments(question)]
    if missing:
        raise InvalidInput(f"the call has no argument {missing[0]}")


def _is_asked_each_time(question: Question) -> bool:
    terms = question.terms
    return question.kind != "action" or terms.second is not None or SIGNIFICANT in terms.labels


def wish(decision: Decision) -> str | None:
    """What a vote wants to hold for later calls, as one text: those of a quorum must be of one mind."""
    if decision.standing is None:
        return None
    same = None if decision.same is None else sorted(set(decision.same))
    return canonical_json({"scope": decision.standing, "same": same})


def add(connection: Connection, approval: Approval, wished: str, *, by: str, at: datetime) -> str:
    """The id of a new standing approval."""
    wanted, question = read_object(wished), approval.question
    arguments = _arguments(question)
    same = wanted["same"]
    scope = cast("StandingScope", wanted["scope"])
    held = arguments if same is None else {name: arguments[name] for name in cast("list[str]", same)}
    id = new_id("std")
    row = {
        "id": id,
        "team": approval.team,
        "tenant": approval.tenant,
        "server": question.action["server"],
        "tool": question.action["tool"],
        "bar": _bar(question.terms),
        "scope": scope,
        "run_id": approval.run_id,
        "thread_id": approval.thread_id,
        "arguments": canonical_json(held),
        "exact": int(same is None),
        "approval_id": approval.id,
        "made_by": by,
        "made_at": at,
        "expires_at": _midnight(at) if scope == "day" else at + LONGEST,
    }
    connection.execute(insert_into(standing), row)
    return id


def match(
    connection: Connection,
    question: Question,
    *,
    team: str,
    tenant: str,
    run_id: str,
    thread_id: str | None,
    barred: Collection[str],
    at: datetime,
) -> Standing | None:
    """The standing approval that answers a question, where there is one.

    One that was given by a person who mustn't decide this question answers it not, and a question about what
    untrusted text may have asked for is answered by one for exactly its arguments.
    """
    if _is_asked_each_time(question):
        return None
    here = [standing.c.scope == "day", and_(standing.c.scope == "run", standing.c.run_id == run_id)]
    if thread_id is not None:
        here.append(and_(standing.c.scope == "thread", standing.c.thread_id == thread_id))
    query = (
        select(standing)
        .where(
            standing.c.bar == _bar(question.terms),
            standing.c.team == team,
            standing.c.tenant == tenant,
            standing.c.server == question.action["server"],
            standing.c.tool == question.action["tool"],
            standing.c.revoked_at.is_(None),
            standing.c.expires_at > at,
            or_(*here),
        )
        .order_by(standing.c.id)
    )
    for row in connection.execute(query):
        given = _standing(row)
        if UNTRUSTED in question.terms.labels and not given.exact:
            continue
        if _covers(given, _arguments(question)) and _givers(connection, given).isdisjoint(barred):
            return given
    return None


def _givers(connection: Connection, given: Standing) -> set[str]:
    return set(connection.scalars(select(votes.c.person).where(votes.c.approval_id == given.approval_id)))


def standing_page(
    connection: Connection,
    *,
    now: datetime,
    team: str = "",
    tenant: str | None = None,
    after: str = "",
    limit: int = 50,
) -> tuple[Standing, ...]:
    """A page of the standing approvals that hold, oldest first, from behind the id `after`."""
    query = select(standing).where(
        standing.c.id > after, standing.c.revoked_at.is_(None), standing.c.expires_at > now
    )
    if team:
        query = query.where(standing.c.team == team)
    if tenant is not None:
        query = query.where(standing.c.tenant == tenant)
    return tuple(_standing(row) for row in connection.execute(query.order_by(standing.c.id).limit(limit)))


def revoke(connection: Connection, id: str, *, by: str, at: datetime, tenant: str | None = None) -> Standing:
    """A standing approval that answers nothing any more.

    Raises:
        NotFound: there is no such one.
        Conflict: it was revoked before.
    """
    query = select(standing).where(standing.c.id == id)
    if tenant is not None:
        query = query.where(standing.c.tenant == tenant)
    row = connection.execute(query).first()
    if row is None:
        raise NotFound(
            f"there is no standing approval {id}",
            hint="`proctor approvals standing list` shows those that hold.",
        )
    changed = connection.execute(
        update(standing)
        .where(standing.c.id == id, standing.c.revoked_at.is_(None))
        .values(revoked_at=at, revoked_by=by)
    )
    if changed.rowcount != 1:
        raise Conflict(f"standing approval {id} was revoked before")
    return replace(_standing(row), revoked_at=at, revoked_by=by)


def _arguments(question: Question) -> JsonObject:
    arguments = question.action.get("arguments")
    return arguments if isinstance(arguments, Mapping) else {}


def _covers(given: Standing, arguments: JsonObject) -> bool:
    if given.exact:
        return canonical_json(given.arguments) == canonical_json(arguments)
    return all(
        name in arguments and canonical_json(arguments[name]) == canonical_json(value)
        for name, value in given.arguments.items()
    )


def _bar(terms: Terms) -> str:
    """Of who must agree, under which rule."""
    return digest([terms.rule, sorted(terms.roles), terms.quorum, terms.not_requester])


def _midnight(at: datetime) -> datetime:
    """The end of the UTC day."""
    return datetime.combine(at.date() + timedelta(days=1), time(), at.tzinfo)


def _standing(row: Row[Any]) -> Standing:
    return Standing(
        id=row.id,
        team=row.team,
        tenant=row.tenant,
        server=row.server,
        tool=row.tool,
        scope=cast("StandingScope", row.scope),
        run_id=row.run_id,
        thread_id=row.thread_id,
        arguments=read_object(row.arguments),
        exact=bool(row.exact),
        approval_id=row.approval_id,
        made_by=row.made_by,
        made_at=row.made_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        revoked_by=row.revoked_by,
    )
