"""Questions to people, votes on them, and standing approvals, as values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from proctor.core import Decision, DecisionKind, JsonObject, Question, QuestionKind, StandingScope, digest

State = Literal["pending", "decided", "consumed", "cancelled"]

EXPIRY = "expiry"
"""Who decided where nobody did in time."""

STANDING = "standing:"
"""Begins the name of who decided where a standing approval did; its id follows."""

SIGNIFICANT = "significant"
"""Labels a question about a call that decides on something that weighs on a person: one of them decides."""

UNTRUSTED = "untrusted"
"""Labels a question about a call that untrusted text may have asked for. Only an approval of exactly its
arguments stands for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One person's answer to a question."""

    by: str
    kind: DecisionKind
    stage: int
    comment: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """A person who decides in another's place."""

    by: str
    to: str
    at: datetime


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
    """Of the action as it stands now: a decision holds for exactly these arguments."""
    state: State
    decision: Decision | None
    requested_at: datetime
    decided_at: datetime | None
    tenant: str = "default"
    requester: str = ""
    """Who asked for the run, where that is known."""
    thread_id: str | None = None
    roles: tuple[str, ...] = ()
    """Who decides now: after an escalation, or at the second verification, others than at first."""
    barred: tuple[str, ...] = ()
    """Persons who don't decide: they asked for the run, or gave the first of two approvals."""
    stage: int = 1
    """2: the first approval is given, and a second person is asked."""
    escalations: int = 0
    expires_at: datetime | None = None
    remind_at: datetime | None = None
    edited: JsonObject | None = None
    """The arguments that a person put in place of the ones asked for."""
    conversation: tuple[JsonObject, ...] = ()
    """The run's last messages before the question, without what an approver needn't see."""
    votes: tuple[Vote, ...] = ()
    delegations: tuple[Delegation, ...] = ()

    @property
    def action(self) -> JsonObject:
        """The action as it stands now."""
        return with_arguments(self.question.action, self.edited)

    @property
    def quorum(self) -> int:
        """Persons who must approve at this stage."""
        return self.question.terms.quorum if self.stage == 1 else 1

    @property
    def needs_names(self) -> bool:
        """Whether it matters which person decides, and not alone which role."""
        terms = self.question.terms
        counted = terms.quorum > 1 or terms.second is not None or self.stage > 1
        return counted or terms.not_requester or bool(terms.after) or bool(self.barred)

    @property
    def approvals(self) -> int:
        """Persons who have approved at this stage."""
        return sum(vote.stage == self.stage for vote in self.votes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An approval given in advance: for one tool, on the terms on which it was asked for."""

    id: str
    team: str
    tenant: str
    server: str
    tool: str
    scope: StandingScope
    run_id: str
    thread_id: str | None
    arguments: JsonObject
    """Arguments that a call must have."""
    exact: bool
    """Whether it may have no others."""
    approval_id: str
    """Where it was given."""
    made_by: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None


def key_of(call_key: str, kind: QuestionKind) -> str:
    """What tells the questions about one call apart."""
    return call_key if kind in ("action", "reply") else digest([call_key, kind])


def with_arguments(action: JsonObject, edited: JsonObject | None) -> JsonObject:
    """An action with other arguments in place of its own, where there are some."""
    return action if edited is None else {**action, "arguments": edited}
