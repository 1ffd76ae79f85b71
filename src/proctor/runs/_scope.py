"""What one call may ask of its run."""

from collections.abc import Awaitable
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Never

from proctor.approvals import key_of
from proctor.core import (
    TRUSTED,
    Conflict,
    Decision,
    EventType,
    JsonObject,
    Label,
    Micros,
    Pace,
    Question,
    QuestionKind,
    Terms,
    digest,
    monotonic_ms,
    read_object,
)
from proctor.runs._values import CallKey
from proctor.store import Job

if TYPE_CHECKING:
    from proctor.runs._session import RunSession

FRESH = 1.0
"""Seconds for which the knowledge holds that a run is this worker's own: less than any engine's lease."""


class Scope:
    """What one call may ask of its run (`proctor.core.CallScope`)."""

    def __init__(self, session: "RunSession", key: CallKey, request: str) -> None:
        self.session = session
        self._request = request
        self.call_key = key
        self.run_id = session.run_id
        self.team = session.team
        self.tenant = session.tenant
        self.requester = session.requester
        self.thread = session.thread
        self.pace: Pace = session.pace
        self.release = session.release
        self.agent = key.agent
        self._approvals: list[str] = []
        self.label = TRUSTED
        """Of all that the call rests on."""
        self.repeats = 0
        """How often the agent has made this very call before, for the same answer."""
        self.number = 1
        """Of a tool call: which one of its run it is, from 1."""
        self.rank = 1
        """Of a tool call: which one of its answer's it is, from 1."""
        self.begun = False
        """Whether the call came as far as acting on the world."""
        self.outcome: JsonObject | None = None
        """What the call came to, once that is known."""
        self.is_new = False
        """Whether no journal held the call when it was asked for."""
        self._at = session.clock.now()
        self._booked = 0
        self._entries: list[Job[None]] = []
        self._wasted: list[JsonObject] = []

    @cached_property
    def key(self) -> str:
        """Names the call in all attempts at the run: for providers, tools and approvals that need a name."""
        key = self.call_key
        return digest([self.run_id, key.agent, key.kind, key.fingerprint, key.occurrence])

    @property
    def request(self) -> JsonObject:
        """What was asked for."""
        return read_object(self._request)

    @property
    def in_doubt(self) -> bool:
        """Whether the call has begun to act and its end isn't known."""
        return self.call_key in self.session.journal.in_doubt

    @property
    def spent(self) -> Micros:
        """What the run has cost so far, in all of its attempts."""
        return self.session.spent + self._booked

    def label_of(self, text: str) -> Label:
        """Of one text that the run has seen; of one that it hasn't the worst of all that it has."""
        return self.session.texts.label_of(text)

    def origins_of(self, value: str) -> tuple[str, ...]:
        """The untrusted sources that a value may come from; none where a trusted text holds it."""
        return self.session.texts.origins_of(value, self.label)

    def excerpt_of(self, source: str, value: str = "") -> str:
        """What an untrusted source said last, around a value that it holds; empty where it isn't known."""
        return self.session.texts.excerpt_of(source, value)

    def seconds_left(self) -> float:
        """Seconds until this attempt at the run must have ended."""
        return self.session.seconds_left()

    def event(self, type: EventType, data: JsonObject) -> None:
        """Adds to the run's log; what tells of money, in the transaction that enters it."""
        if type == "call.wasted":
            self._wasted.append(data)
        else:
            self.session.journal.event(type, self.agent, data)

    def book(self, cost: Micros, write: Job[None]) -> None:
        """Adds to what the run costs, with the statement that enters it, together with the call's outcome."""
        self._booked += cost
        self._entries.append(write)
        if self.outcome is not None:
            self.enter()

    def enter(self) -> None:
        """Lets what was booked be committed, also where the call has come to no outcome."""
        booked, entries = self._booked, self._entries
        self._booked, self._entries = 0, []
        for data in self._wasted:
            self.session.waste(self.agent, data)
        self._wasted.clear()
        if booked or entries:
            self.session.journal.spend(booked, entries)

    async def suspend(self, *, until: datetime) -> Never:
        """Tears the run down until then, or until somebody wakes it."""
        await self.session.rest(until)

    async def recorded(self) -> JsonObject | None:
        """The recorded outcome, when its turn has come."""
        journal = self.session.journal
        recorded = journal.replay.aside(self.call_key)
        if recorded is None and journal.replay.over:
            self.is_new = True
            return None
        recorded = recorded or await journal.replay.answer(self.call_key)
        self.is_new = recorded is None
        self.outcome = None if recorded is None else recorded.outcome
        return self.outcome

    async def begin(self) -> None:
        """Makes the start of a call durable before it acts; called again it looks whether it still may."""
        journal = self.session.journal
        if not self.begun and self.call_key not in journal.in_doubt:
            journal.started(self.call_key, self._request, self._at)
        self.use_approvals()
        self.begun = True
        # A worker that was frozen meanwhile may have lost the run: what it learned before is too old.
        while await _seconds_of(journal.check()) > FRESH:
            pass

    async def decision(self, question: Question) -> Decision:
        """A person's decision on this call, or the suspension of the run."""
        key = self._question_key(question)
        approval = self.session.decided(key)
        if approval is None or approval.decision is None:
            if question.kind == "elicit" and self.begun:
                # Its end is known: it asked. With the answer it begins anew.
                self.session.journal.withdraw(self.call_key)
            await self.session.ask(key, self.agent, question)
        if digest(approval.question.action) != digest(question.action):
            raise Conflict(f"approval {approval.id} was given for another action")
        if approval.state == "decided" and approval.id not in self.session.used:
            self.session.take(approval)
            self._approvals.append(approval.id)
        return approval.decision

    def is_decided(self, kind: QuestionKind, action: JsonObject | None = None) -> bool:
        """Whether a person has decided a question of this kind about this call; of `elicit` this very one."""
        approval = self.session.decided(self._key_of(kind, action))
        return approval is not None and approval.decision is not None

    def is_asked(self, kind: QuestionKind) -> bool:
        """Whether a question of this kind about this call was put to people by an earlier attempt."""
        return self.session.decided(self._key_of(kind)) is not None

    def doubted(self, text: str) -> Question:
        """The question about the call's unknown end: those decide it who decided on the call."""
        known = (self.session.decided(self._key_of(kind)) for kind in ("edited", "action"))
        given = next(filter(None, known), None)
        if given is None:
            return Question(kind="uncertain", role="", text=text, action=self.request)
        asked = given.question.terms
        terms = Terms(
            rule=asked.rule,
            risk=asked.risk,
            labels=asked.labels,
            roles=asked.roles,
            quorum=asked.quorum,
            not_requester=asked.not_requester,
        )
        return Question(kind="uncertain", role="", text=text, action=given.action, terms=terms)

    def finish(
        self,
        outcome: JsonObject,
        *,
        cost: int,
        duration_ms: float = 0.0,
    ) -> None:
        """Records the outcome, together with what was booked."""
        self.use_approvals()
        self.outcome = outcome
        self.enter()
        self.session.journal.finished(
            self.call_key,
            request=self._request,
            outcome=outcome,
            cost=cost,
            at=self._at,
            duration_ms=duration_ms,
        )

    def _question_key(self, question: Question) -> str:
        if question.kind in ("diverged", "budget"):  # one for all of the run's calls that meet it
            return digest([self.run_id, question.kind, digest(question.action)])
        return self._key_of(question.kind, question.action)

    def _key_of(self, kind: QuestionKind, action: JsonObject | None = None) -> str:
        if kind == "elicit":  # one for each thing that the call asks for
            return digest([self.key, kind, digest(action)])
        return self._uncertain_key() if kind == "uncertain" else key_of(self.key, kind)

    def _uncertain_key(self) -> str:
        """Of the question about the last start: an answer that let the call start again is used up by it."""
        starts = 1
        while True:
            key = digest([self.key, "uncertain", starts])
            asked = self.session.decided(key)
            if asked is None or asked.state != "consumed":
                return key
            starts += 1

    def use_approvals(self) -> None:
        """Uses up the decisions that this call had, with the next commit."""
        for approval_id in self._approvals:
            self.session.journal.consume(approval_id)
        self._approvals.clear()


async def _seconds_of(work: Awaitable[None]) -> float:
    began = monotonic_ms()
    await work
    return (monotonic_ms() - began) / 1000
