"""What people are asked in a part of a run, as one caller may read it; and what that caller decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from proctor.access import Principal
from proctor.api._approvals import text_for
from proctor.api._platform import tenant_of
from proctor.api.protocols._work import Part
from proctor.app import Proctor
from proctor.approvals import Approval
from proctor.core import (
    Conflict,
    Decision,
    DecisionKind,
    Forbidden,
    InvalidInput,
    NotFound,
    canonical_json,
)
from proctor.runs import Run

_SHOWN = 16
"""Characters of an action's digest that stand in a question's id."""

DECISIONS: Mapping[str, DecisionKind] = {"approve": "approve", "reject": "reject", "respond": "respond"}
"""What can be said of a question through another protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question as one caller may read it."""

    id: str
    kind: str
    server: str
    name: str
    text: str
    arguments: str
    """JSON; without content for whoever doesn't decide: it may be what nobody has looked at yet."""
    expires_at: datetime | None


def shown_as(approval: Approval) -> str:
    """The id of a question, with a part of the action's digest: a decision holds for what was shown."""
    return f"{approval.id}.{approval.digest[:_SHOWN]}"


def questions(part: Part, principal: Principal) -> tuple[Asked, ...]:
    """What people are asked in a part of a run."""
    return tuple(_asked(approval, principal) for approval in part.asked)


def _asked(approval: Approval, principal: Principal) -> Asked:
    question, action = approval.question, approval.action
    decides = principal.may("approver")
    name = str(action.get("tool") or question.kind)
    return Asked(
        id=shown_as(approval),
        kind=question.kind,
        server=str(action.get("server") or "proctor"),
        name=name,
        text=text_for(approval, principal),
        arguments=canonical_json(action.get("arguments") or {}) if decides else "{}",
        expires_at=approval.expires_at,
    )


async def decide(
    proctor: Proctor,
    principal: Principal,
    run: Run,
    shown: str,
    *,
    kind: DecisionKind,
    comment: str = "",
) -> Approval:
    """A question of a run after the caller's decision; `shown` is its id as `questions` gave it.

    Raises:
        Forbidden: the caller doesn't decide.
        InvalidInput: the id isn't whole.
        NotFound: the run has no such question.
        Conflict: it is decided, or about another action by now.
    """
    if not principal.may("approver"):
        raise Forbidden("this takes the role approver", hint="An admin gives roles.")
    id, _, digest = shown.partition(".")
    if len(digest) != _SHOWN:
        raise InvalidInput("a question is named by its whole id", hint="Give it as it was shown.")
    approval = await proctor.approval(id, tenant=tenant_of(principal))
    if approval.run_id != run.id:
        raise NotFound(f"run {run.id} has no question {id}")
    if not approval.digest.startswith(digest):
        raise Conflict(f"the action of {id} was changed since it was shown", hint="Look at it again.")
    decision = Decision(kind=kind, comment=comment, by=principal.name, digest=approval.digest)
    return await proctor.decide(id, decision)
