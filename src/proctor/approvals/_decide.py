"""What people and time do to a question: votes, edits, hand-overs, expiry.

Each function is called in a transaction, holds the question's row while it looks and writes, and leaves it
either pending or decided. Knows no run: whoever calls it logs what happened and lets the run go on.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import assert_never, get_args

from sqlalchemy import Connection

from proctor.approvals import _sql, _standing
from proctor.approvals._edits import check_edit
from proctor.approvals._elicited import check_given
from proctor.approvals._values import EXPIRY, Approval, with_arguments
from proctor.approvals._who import Roles, check_name, check_right, is_member, voters
from proctor.core import (
    LONGEST_NAME,
    Conflict,
    Decision,
    DecisionKind,
    Forbidden,
    InvalidInput,
    canonical_json,
    digest,
    person,
)


def decide(
    connection: Connection, *, id: str, decision: Decision, at: datetime, roles: Roles, link_of: str = ""
) -> Approval:
    """The question after one person's answer: decided, or with one vote more.

    `link_of` is the role to which the link was sent that was used: only who has checked a link may say so.

    Whoever rejects or responds decides at once. Approvals are counted up to the quorum; an edit makes another
    action of it, on which all vote anew. Of many who decide at once one succeeds.

    Raises:
        NotFound: there is no such question.
        Conflict: it is decided or over, its run has ended, it is about another action by now, or the person
            has voted.
        Forbidden: this person doesn't decide it.
        InvalidInput: the answer doesn't fit the question.
    """
    approval = _pending(connection, id, at)
    decision = replace(decision, by=decision.by[:LONGEST_NAME])
    if decision.digest not in ("", approval.digest):
        raise Conflict(
            f"the action of approval {id} was changed since it was shown",
            hint=f"Look at it again: proctor approvals show {id}.",
        )
    check_right(approval, decision.by, roles, link_of=link_of)
    decision = _checked(approval, decision)
    if decision.kind in ("reject", "respond"):
        _vote(connection, approval, decision, at)
        return _settle(connection, approval, decision, at)
    if decision.kind == "edit":
        _sql.void_votes(connection, approval)
        edited = canonical_json(decision.arguments)
        action = with_arguments(approval.question.action, decision.arguments)
        approval = _sql.change(connection, approval, edited=edited, digest=digest(action))
    _vote(connection, approval, decision, at)
    return _counted(connection, _sql.get(connection, id), decision, at)


def delegate(connection: Connection, *, id: str, by: str, to: str, at: datetime, roles: Roles) -> Approval:
    """The question after a member of a deciding role has handed the decision to another person, or back.

    Who hands it to himself takes it back, as long as the other one hasn't voted.

    Raises:
        NotFound: there is no such question.
        Conflict: it is decided or over; anybody may decide it; the person has voted; too few would be left.
        Forbidden: the person can't hand it on, or the other one mustn't decide.
        InvalidInput: the other name is nobody's.
    """
    approval = _pending(connection, id, at)
    if not approval.roles:
        raise Conflict(f"anybody may decide approval {id}: there is nothing to hand on")
    if not is_member(approval, by, roles):
        raise Forbidden(f"{by or 'somebody without a name'} can't hand on what others decide")
    handed_on = {given.by: given.to for given in approval.delegations}
    if person(to) == person(by):
        _check_no_vote(approval, handed_on.get(person(by), ""))
        _sql.drop_delegations(connection, approval, by=by)
        return _sql.get(connection, id)
    check_right(approval, by, roles)
    check_name(to)
    if not person(to):
        raise InvalidInput("a decision is handed to another person", hint="Name that person.")
    if person(to) in approval.barred:
        raise Forbidden(f"{to} mustn't decide approval {id}")
    _check_no_vote(approval, to)
    if person(to) in handed_on:
        raise Conflict(f"{to} has handed the decision on to {handed_on[person(to)]}")
    if len(voters(approval, {**handed_on, person(by): person(to)}, roles)) < approval.quorum:
        raise Conflict(
            f"approval {id} needs {approval.quorum} persons, and fewer would be left",
            hint="Hand it to somebody who doesn't decide it yet.",
        )
    _sql.add_delegation(connection, approval, by=by, to=to, at=at)
    return _sql.get(connection, id)


def _check_no_vote(approval: Approval, name: str) -> None:
    if name and any(person(vote.by) == person(name) for vote in approval.votes):
        raise Conflict(f"{name} has voted on approval {approval.id} already")


def expire(connection: Connection, id: str, now: datetime) -> Approval | None:
    """The question after its time is over: decided, or asked of other people; nothing where it isn't over."""
    approval = _sql.get(connection, id, lock=True)
    if approval.state != "pending" or approval.expires_at is None or approval.expires_at > now:
        return None
    terms = approval.question.terms
    comment = "Nobody decided in time."
    outcome = Decision(kind="reject", comment=comment, by=EXPIRY)
    match terms.on_expiry:
        case "respond":
            outcome = Decision(kind="respond", comment=terms.default, by=EXPIRY)
        case "approve" if _time_may_approve(approval):
            outcome = Decision(kind="approve", comment=comment, by=EXPIRY)
        case "escalate" if approval.escalations < len(terms.escalate_to):
            return _escalate(connection, approval, now)
        case "reject" | "approve" | "escalate":
            pass
        case _:
            assert_never(terms.on_expiry)
    return _settle(connection, approval, outcome, now)


def _time_may_approve(approval: Approval) -> bool:
    """Whether no judge's doubt, no second person and no arguments of a person's are passed over by it."""
    question = approval.question
    second = question.terms.second
    needs_people = question.kind in ("second", "edited", "elicit") or (
        second is not None and not second.judge
    )
    return not needs_people and approval.edited is None


def _escalate(connection: Connection, approval: Approval, now: datetime) -> Approval:
    """Asks the next group, which decides for itself: votes and edits of the one before don't count."""
    terms = approval.question.terms
    _sql.void_votes(connection, approval)
    _sql.drop_delegations(connection, approval)
    return _sql.change(
        connection,
        approval,
        roles=_sql.joined((terms.escalate_to[approval.escalations],)),
        escalations=approval.escalations + 1,
        stage=1,
        edited=None,
        digest=digest(approval.question.action),
        **_times(approval, now),
    )


def _pending(connection: Connection, id: str, at: datetime) -> Approval:
    approval = _sql.get(connection, id, lock=True)
    if approval.state != "pending":
        raise Conflict(
            f"approval {id} is {approval.state}, not pending",
            hint=f"`proctor approvals show {id}` tells who decided and when.",
        )
    if approval.expires_at is not None and approval.expires_at <= at:
        raise Conflict(
            f"the time to decide approval {id} is over",
            hint="What its rule says for that is done by `proctor serve`, and the run goes on.",
        )
    return approval


def _checked(approval: Approval, decision: Decision) -> Decision:
    """The answer where it fits the question; an edit that changes nothing is an approval.

    Raises:
        InvalidInput: it doesn't fit.
    """
    if decision.kind not in get_args(DecisionKind):
        raise InvalidInput(
            f"there is no decision {decision.kind}", hint=f"Decide {', '.join(get_args(DecisionKind))}."
        )
    _standing.check_standing(approval, decision)
    if approval.question.kind == "elicit":
        decision = check_given(approval, decision)
    if (decision.kind == "edit") != (decision.arguments is not None):
        raise InvalidInput("an edit has arguments, and no other decision has")
    if decision.arguments is None:
        return decision
    if approval.stage > 1:
        raise InvalidInput("the second person approves or rejects what the first one approved")
    check_edit(approval.question.terms.editable, decision.arguments)
    same = digest(with_arguments(approval.question.action, decision.arguments)) == approval.digest
    return replace(decision, kind="approve", arguments=None) if same else decision


def _vote(connection: Connection, approval: Approval, decision: Decision, at: datetime) -> None:
    if person(decision.by):
        _sql.add_vote(connection, approval, decision, at, standing=_standing.wish(decision))


def _counted(connection: Connection, approval: Approval, decision: Decision, at: datetime) -> Approval:
    """The question after another approval: still pending, at its second stage, or decided."""
    if approval.quorum > 1 and approval.approvals < approval.quorum:
        return approval
    second = approval.question.terms.second
    if second is not None and not second.judge and approval.stage == 1:
        _sql.drop_delegations(connection, approval)
        return _sql.change(
            connection, approval, stage=2, roles=_sql.joined(second.roles), **_times(approval, at)
        )
    by = ", ".join(vote.by for vote in approval.votes) or decision.by
    wishes = _sql.standing_votes(connection, approval) or {_standing.wish(decision)}
    wished = wishes.pop()
    if wished is not None and not wishes:  # all of one mind
        _standing.add(connection, approval, wished, by=by, at=at)
    return _settle(connection, approval, Decision(kind="approve", comment=decision.comment, by=by), at)


def _settle(connection: Connection, approval: Approval, decision: Decision, at: datetime) -> Approval:
    edited = decision.kind == "approve" and approval.edited is not None
    return _sql.change(
        connection,
        approval,
        state="decided",
        decision="edit" if edited else decision.kind,
        comment=decision.comment,
        decided_by=decision.by,
        decided_at=at,
    )


def _times(approval: Approval, at: datetime) -> Mapping[str, datetime | None]:
    """Whoever is asked anew has the whole time again."""
    terms = approval.question.terms
    return {"expires_at": _sql.later(at, terms.expires), "remind_at": _sql.later(at, terms.remind)}
