"""What waits for people, and what they decide."""

from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Body, Query, Response
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field

from proctor.access import Principal
from proctor.api._caller import Approver, Running, Viewer
from proctor.api._pages import After, Limit, Page, page_of
from proctor.api._platform import tenant_of
from proctor.api._tags import TAGGED, IfMatch, check_match, tag
from proctor.api._texts import Sent, Shown, Storable, Wanted, id_of
from proctor.approvals import Approval, Filter, State
from proctor.core import LONGEST_NAME, Decision, DecisionKind, QuestionKind, StandingScope

router = APIRouter(tags=["approvals"])

ApprovalId: TypeAlias = Annotated[str, id_of("apr")]

DEEPEST = 64
"""Levels of values in values, as an edit's check takes them."""


def _plain(value: object, deep: int = 0) -> object:
    """A JSON value that can be written again."""
    if deep > DEEPEST:
        raise ValueError(f"has more than {DEEPEST} levels")
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("holds a number that JSON doesn't know")
    for each in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        _plain(each, deep + 1)
    return value


Comment: TypeAlias = Annotated[
    Storable, Field(max_length=10_000, description="Why. The agent reads it, and it stays in the record.")
]
JsonBody: TypeAlias = Annotated[dict[str, Any], BeforeValidator(_plain)]


class _Answer(Sent):
    comment: Comment = ""


class Approve(_Answer):
    """The action may be carried out."""

    kind: Literal["approve"]
    standing: StandingScope | None = Field(
        default=None,
        description="Also for later calls of this tool: in this run or thread, or until the UTC day ends.",
    )
    same: list[Annotated[Storable, Field(max_length=LONGEST_NAME)]] | None = Field(
        default=None,
        max_length=100,
        description="With `standing`: arguments that must be as they are now. Absent: all; empty: none.",
    )


class Edit(_Answer):
    """It may be carried out with these arguments in the place of those asked for."""

    kind: Literal["edit"]
    arguments: JsonBody


class Reject(_Answer):
    """It may not be carried out."""

    kind: Literal["reject"]


class Respond(_Answer):
    """It is not carried out; the agent reads the comment instead."""

    kind: Literal["respond"]


Answer: TypeAlias = Annotated[Approve | Edit | Reject | Respond, Body(discriminator="kind")]


class Delegate(Sent):
    """To whom a decision is handed."""

    to: Annotated[Storable, Field(min_length=1, max_length=LONGEST_NAME)] = Field(
        description="Who decides in your place; your own name takes it back."
    )


class Decided(BaseModel):
    """What was decided, and by whom."""

    kind: DecisionKind
    comment: str
    by: str = Field(description="Empty: somebody without a name.")
    arguments: dict[str, Any] | None


class Voted(Shown):
    """One person's answer of several that are needed."""

    by: str
    kind: DecisionKind
    stage: int
    comment: str
    at: AwareDatetime


class Handed(Shown):
    """Who decides in whose place."""

    by: str
    to: str
    at: AwareDatetime


class ApprovalLine(BaseModel):
    """What is asked, in short."""

    id: str
    run: str
    team: str
    tenant: str
    agent: str
    kind: QuestionKind
    role: str = Field(description="Who is asked, in the team's words.")
    roles: list[str] = Field(description="Who decides now; none: anybody who may decide.")
    text: str = Field(description="What is asked; whoever doesn't decide reads that something is.")
    state: State
    stage: int
    requested_at: AwareDatetime
    expires_at: AwareDatetime | None
    decided_at: AwareDatetime | None


class ApprovalWhole(ApprovalLine):
    """What is asked, with all that is needed to decide it."""

    action: dict[str, Any] = Field(description="Exactly what would be done.")
    digest: str
    edited: dict[str, Any] | None = Field(
        description="Arguments that a person put in place of those asked for."
    )
    editable: dict[str, Any] | None = Field(description="JSON Schema of arguments that an edit may have.")
    decision: Decided | None
    rule: str
    risk: str
    labels: list[str]
    barred: list[str] = Field(description="Persons who don't decide it.")
    quorum: int
    votes: list[Voted]
    delegations: list[Handed]
    requester: str
    thread: str | None
    on_expiry: str
    conversation: list[dict[str, Any]]


@router.get("/approvals", summary="List what waits for people, oldest first")
async def list_approvals(
    *,
    principal: Viewer,
    proctor: Running,
    state: Annotated[State | Literal["any"], Query(description="`any`: whatever it is.")] = "pending",
    team: Wanted = "",
    role: Wanted = "",
    run: Wanted = "",
    tenant: Wanted = "",
    mine: Annotated[bool, Query(description="Only what the caller may decide and hasn't voted on.")] = False,
    after: After = "",
    limit: Limit = 50,
) -> Page[ApprovalLine]:
    """The page behind `after`."""
    wanted = Filter(
        state=None if state == "any" else state,
        team=team,
        role=role,
        run_id=run,
        person=principal.name if mine else "",
        tenant=tenant_of(principal, tenant),
    )
    found = await proctor.approvals(wanted, after=after, limit=limit + 1)
    return page_of(found, limit, lambda each: _line(each, principal))


@router.get(
    "/approvals/{id}", summary="Show what is asked, with all that is needed to decide it", responses=TAGGED
)
async def show_approval(
    id: ApprovalId, principal: Approver, proctor: Running, response: Response
) -> ApprovalWhole:
    """The question as it stands now; its ETag is for the decision."""
    return _told(await proctor.approval(id, tenant=tenant_of(principal)), response)


@router.post("/approvals/{id}/decision", summary="Decide", responses=TAGGED)
async def decide_approval(
    *,
    id: ApprovalId,
    answer: Answer,
    principal: Approver,
    proctor: Running,
    response: Response,
    if_match: IfMatch = "",
) -> ApprovalWhole:
    """The question after the caller's answer: decided, and its run goes on; or with one vote more."""
    seen = await proctor.approval(id, tenant=tenant_of(principal))
    check_match(if_match, *_version(seen))
    decision = Decision(
        kind=answer.kind,
        comment=answer.comment,
        by=principal.name,
        arguments=answer.arguments if isinstance(answer, Edit) else None,
        digest=seen.digest,
        standing=answer.standing if isinstance(answer, Approve) else None,
        same=tuple(answer.same) if isinstance(answer, Approve) and answer.same is not None else None,
    )
    return _told(await proctor.decide(id, decision), response)


@router.post(
    "/approvals/{id}/delegation",
    summary="Hand a decision to another person, or take it back",
    responses=TAGGED,
)
async def delegate_approval(
    *,
    id: ApprovalId,
    delegate: Delegate,
    principal: Approver,
    proctor: Running,
    response: Response,
    if_match: IfMatch = "",
) -> ApprovalWhole:
    """The question, which the other person decides now."""
    seen = await proctor.approval(id, tenant=tenant_of(principal))
    check_match(if_match, *_version(seen))
    return _told(await proctor.runs.desk.delegate(id, by=principal.name, to=delegate.to), response)


def _version(approval: Approval) -> tuple[str, str, int]:
    """What makes it another question to whoever decides it; others' votes don't."""
    return approval.digest, approval.state, approval.stage


def _told(approval: Approval, response: Response) -> ApprovalWhole:
    tag(response, *_version(approval))
    return _whole(approval)


def _decided(decision: Decision) -> Decided:
    return Decided(
        kind=decision.kind,
        comment=decision.comment,
        by=decision.by,
        arguments=None if decision.arguments is None else dict(decision.arguments),
    )


def text_for(approval: Approval, principal: Principal) -> str:
    """What is asked; for whoever doesn't decide without content, at which nobody may have looked yet."""
    if principal.may("approver"):
        return approval.question.text
    kind = approval.question.kind
    return f"{approval.team} asks whether it may go on: {kind}, {approval.action.get('tool') or kind}."


def _line(approval: Approval, principal: Principal) -> ApprovalLine:
    return ApprovalLine(**_short(approval) | {"text": text_for(approval, principal)})


def _short(approval: Approval) -> dict[str, Any]:
    return {
        "id": approval.id,
        "run": approval.run_id,
        "team": approval.team,
        "tenant": approval.tenant,
        "agent": approval.agent,
        "kind": approval.question.kind,
        "role": approval.question.role,
        "roles": list(approval.roles),
        "text": approval.question.text,
        "state": approval.state,
        "stage": approval.stage,
        "requested_at": approval.requested_at,
        "expires_at": approval.expires_at,
        "decided_at": approval.decided_at,
    }


def _whole(approval: Approval) -> ApprovalWhole:
    terms, decision = approval.question.terms, approval.decision
    return ApprovalWhole(
        **_short(approval),
        action=dict(approval.action),
        digest=approval.digest,
        edited=None if approval.edited is None else dict(approval.edited),
        editable=None if terms.editable is None else dict(terms.editable),
        decision=None if decision is None else _decided(decision),
        rule=terms.rule,
        risk=terms.risk,
        labels=list(terms.labels),
        barred=list(approval.barred),
        quorum=approval.quorum,
        votes=[Voted.model_validate(vote) for vote in approval.votes],
        delegations=[Handed.model_validate(given) for given in approval.delegations],
        requester=approval.requester,
        thread=approval.thread_id,
        on_expiry=terms.on_expiry,
        conversation=[dict(message) for message in approval.conversation],
    )
