"""One attempt at a run while it executes: hands calls to the chains, and ends the attempt in order."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Never, TypeVar, assert_never

from proctor import approvals
from proctor.core import (
    CallKind,
    Clock,
    Conflict,
    Decision,
    EventType,
    JsonObject,
    JsonValue,
    ModelCall,
    ModelHandler,
    ModelResult,
    ProctorError,
    Question,
    RunError,
    Token,
    ToolCall,
    ToolHandler,
    ToolResult,
    ToolSpec,
    canonical_json,
    digest,
    digest_of,
    new_id,
)
from proctor.runs._journal import Journal
from proctor.runs._values import CallKey
from proctor.store import Job

T = TypeVar("T")

SHOWN = 16_000
"""Characters of a message that the log keeps; the whole text stands in the calls that used it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chains:
    """The two chains, from the journal to the provider and to the tool."""

    model: ModelHandler
    tool: ToolHandler


class RunSession:
    """The run behind a team's governed parts (`proctor.agents.Session`)."""

    def __init__(
        self,
        *,
        run_id: str,
        team: str,
        tenant: str,
        journal: Journal,
        chains: Chains,
        decided: Mapping[str, approvals.Approval],
        said: Counter[str],
        max_calls: int,
        clock: Clock,
        on_token: Callable[[Token], None],
    ) -> None:
        self.run_id = run_id
        self.team = team
        self.tenant = tenant
        self.journal = journal
        self.clock = clock
        self._chains = chains
        self._decided = dict(decided)
        self._said = said
        self._calls_left = max_calls
        self._on_token = on_token
        self.halting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Set when no new call may start: a person is asked, or the attempt is over."""
        self.asked: list[str] = []
        """Approvals that this attempt waits for."""
        self.used: set[str] = set()
        """Approvals whose decisions this attempt has used."""
        self.failure: ProctorError | None = None
        """The first error of a call: AutoGen passes on its text only."""
        self._live: set[asyncio.Task[Any]] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._calling: set[asyncio.Task[Any]] = set()
        """In a call, be it live, waiting for its turn in the past, or parked."""
        self._over = False

    # What the team calls.

    async def model(
        self,
        agent: str,
        *,
        model: str,
        messages: tuple[JsonObject, ...],
        tools: tuple[JsonObject, ...],
        tool_choice: JsonValue,
        response_format: JsonObject | None,
        options: JsonObject,
        on_text: Callable[[str], None] | None,
    ) -> ModelResult:
        """A model's answer, through the chain. What breaks the run halts it and is not raised."""

        def listen(text: str) -> None:
            if on_text is not None:
                on_text(text)
            self._on_token(Token(run_id=self.run_id, agent=agent, text=text))

        request: JsonObject = {
            "model": model,
            "messages": messages,
            "tools": tools,
            "tool_choice": tool_choice,
            "response_format": response_format,
            "options": options,
        }

        async def work() -> ModelResult:
            call = ModelCall(
                scope=self.scope(agent, "model", request),
                model=model,
                messages=messages,
                tools=tools,
                tool_choice=tool_choice,
                response_format=response_format,
                options=options,
                on_text=None if on_text is None else listen,
            )
            return await self._chains.model(call)

        return await self._guard(work())

    async def tool(self, agent: str, tool: ToolSpec, arguments: JsonObject, call_id: str) -> ToolResult:
        """A tool's answer or refusal, through the chain. What breaks the run halts it and is not raised."""
        request: JsonObject = {"server": tool.server, "tool": tool.name, "arguments": arguments}

        async def work() -> ToolResult:
            scope = self.scope(agent, "tool", request)
            call = ToolCall(scope=scope, tool=tool, arguments=arguments, call_id=call_id)
            return await self._chains.tool(call)

        return await self._guard(work())

    async def human(self, agent: str, question: Question) -> str:
        """What a person answers. What breaks the run halts it and is not raised."""
        return await self._guard(self._human(agent, question))

    async def _human(self, agent: str, question: Question) -> str:
        scope = self.scope(agent, "human", {"kind": question.kind, "action": question.action})
        recorded = await scope.recorded()
        if recorded is not None:
            return str(recorded["text"])
        async with self.live():
            decision = await scope.decision(question)
            text = {"approve": "APPROVE", "reject": "REJECT", "respond": ""}[decision.kind]
            text = f"{text} {decision.comment}".strip()
            scope.event("human.answered", {"decision": decision.kind, "by": decision.by})
            scope.finish({"text": text, "by": decision.by}, cost=0)
        return text

    def message(self, agent: str, kind: str, text: str) -> None:
        """Logs a message, unless an earlier attempt did."""
        mark = said_mark(agent, text)
        if self._said[mark] > 0:
            self._said[mark] -= 1
            return
        shown = text if len(text) <= SHOWN else text[:SHOWN] + "…"
        self.journal.event("message", agent, {"kind": kind, "text": shown})

    def limit_reached(self, agent: str, iterations: int) -> None:
        """Logs that an agent used up its tool iterations."""
        self.journal.event("tool.limit_reached", agent, {"iterations": iterations})

    async def _guard(self, call: Awaitable[T]) -> T:
        """A call's value. An error never reaches the agent: AutoGen would hang, or go on with its text."""
        task = asyncio.current_task()
        assert task is not None
        self._calling.add(task)
        try:
            return await self._unless_broken(task, call)
        finally:
            self._calling.discard(task)

    async def _unless_broken(self, task: asyncio.Task[Any], call: Awaitable[T]) -> T:  # noqa: RET503 - park never returns
        try:
            return await call
        except asyncio.CancelledError:
            if self.halted or task.cancelling():
                raise
            self.fail(RunError("a call ended as if it had been cancelled, which nobody did"))
        except ProctorError as error:
            self.fail(error)
        except Exception as error:  # noqa: BLE001 - the worker loop: a defect ends this run and no other
            self.fail(RunError(f"a defect in the chain: {type(error).__name__}: {error}"))
        await self.park()

    # What the segment calls.

    @property
    def halted(self) -> bool:
        """Whether no new call may start."""
        return self.halting.done()

    def halt(self) -> None:
        """Lets no new call start."""
        if not self.halting.done():
            self.halting.set_result(None)

    def fail(self, error: ProctorError) -> None:
        """Halts the attempt because of an error."""
        if self.failure is None:
            self.failure = error
        self.halt()

    def abandon(self) -> None:
        """Halts the attempt, and lets nobody wait for its calls in progress."""
        self.halt()
        self._quiet.set()

    async def quiet(self) -> None:
        """Returns when the calls in progress have ended, or don't matter any more."""
        await self._quiet.wait()

    async def end(self) -> None:
        """Cancels every call in progress and every one that waits for ever, and waits for their end."""
        self._over = True
        self.halt()
        while tasks := self._calling - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # What calls need of their run.

    @asynccontextmanager
    async def live(self) -> AsyncIterator[None]:
        """A call that is really made: none starts once the attempt is halted."""
        if self.halted:
            await self.park()
        self._calls_left -= 1
        if self._calls_left < 0:
            raise RunError(
                "the run has made as many calls as it may",
                hint=f"Raise teams.{self.team}.max_calls, then resume the run.",
            )
        task = asyncio.current_task()
        assert task is not None
        self._live.add(task)
        self._quiet.clear()
        try:
            yield
        finally:
            self._live.discard(task)
            if not self._live:
                self._quiet.set()

    async def park(self) -> Never:
        """Waits until the attempt is ended."""
        task = asyncio.current_task()
        assert task is not None
        self._live.discard(task)
        if not self._live:
            self._quiet.set()
        if self._over:
            raise asyncio.CancelledError
        await asyncio.get_running_loop().create_future()
        raise AssertionError("a parked call is only ever cancelled")

    def decided(self, call_key: str) -> approvals.Approval | None:
        """The approval of a call, where one was asked for."""
        return self._decided.get(call_key)

    async def ask(self, call_key: str, agent: str, question: Question) -> Never:
        """Asks a person and suspends the run."""
        approval_id, at = new_id("apr"), self.clock.now()
        known = self.decided(call_key)
        if known is not None:
            self.asked.append(known.id)
        else:
            self.asked.append(approval_id)
            self.journal.also(
                lambda connection: approvals.request(
                    connection,
                    id=approval_id,
                    run_id=self.run_id,
                    call_key=call_key,
                    team=self.team,
                    agent=agent,
                    question=question,
                    at=at,
                )
            )
            self.journal.event(
                "approval.requested",
                agent,
                {"id": approval_id, "kind": question.kind, "action": question.action},
            )
        self.halt()
        await self.park()

    def scope(self, agent: str, kind: CallKind, request: JsonObject) -> "Scope":
        """The scope of the agent's next call with this request."""
        text = canonical_json(request)
        return Scope(self, self.journal.key(agent, kind, digest_of(text)), text)


class Scope:
    """What one call may ask of its run (`proctor.core.CallScope`)."""

    def __init__(self, session: RunSession, key: CallKey, request: str) -> None:
        self.session = session
        self._request = request
        self.call_key = key
        self.run_id = session.run_id
        self.team = session.team
        self.tenant = session.tenant
        self.agent = key.agent
        self.key = digest([session.run_id, key.agent, key.kind, key.fingerprint, key.occurrence])
        self._approvals: list[str] = []
        self.begun = False
        """Whether the call came as far as acting on the world."""
        self._at = session.clock.now()

    def event(self, type: EventType, data: JsonObject) -> None:
        """Adds to the run's log."""
        self.session.journal.event(type, self.agent, data)

    async def recorded(self) -> JsonObject | None:
        """The recorded outcome, when its turn has come."""
        journal = self.session.journal
        if journal.replay.over:
            return None
        recorded = await journal.replay.answer(self.call_key)
        return None if recorded is None else recorded.outcome

    async def begin(self) -> None:
        """Makes the start of a call durable before it acts."""
        journal = self.session.journal
        if self.call_key not in journal.in_doubt:
            journal.started(self.call_key, self._request, self._at)
        self.use_approvals()
        self.begun = True
        await journal.check()

    async def decision(self, question: Question) -> Decision:
        """A person's decision on this call, or the suspension of the run."""
        key = self._question_key(question)
        approval = self.session.decided(key)
        if approval is None or approval.decision is None:
            await self.session.ask(key, self.agent, question)
        if approval.digest != digest(question.action):
            raise Conflict(f"approval {approval.id} was given for another action")
        if approval.state == "decided" and approval.id not in self.session.used:
            self.session.used.add(approval.id)
            self._approvals.append(approval.id)
        return approval.decision

    def finish(
        self,
        outcome: JsonObject,
        *,
        cost: int,
        duration_ms: float = 0.0,
        with_it: Sequence[Job[None]] = (),
    ) -> None:
        """Records the outcome."""
        self.use_approvals()
        self.session.journal.finished(
            self.call_key,
            request=self._request,
            outcome=outcome,
            cost=cost,
            at=self._at,
            duration_ms=duration_ms,
            with_it=with_it,
        )

    def _question_key(self, question: Question) -> str:
        match question.kind:
            case "action" | "reply":
                return self.key
            case "uncertain":
                return self._uncertain_key()
            case "diverged":
                return digest([self.run_id, question.kind, digest(question.action)])
            case _:
                assert_never(question.kind)

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


def said_mark(agent: str, text: str) -> str:
    """What tells messages of the log apart."""
    shown = text if len(text) <= SHOWN else text[:SHOWN] + "…"
    return f"{agent}\n{shown}"
