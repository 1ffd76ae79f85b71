"""One attempt at a run while it executes: hands calls to the chains, and ends the attempt in order."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Never, TypeVar
from weakref import WeakSet

from proctor import approvals
from proctor.agents import Failure
from proctor.core import (
    TRUSTED,
    CallKind,
    Clock,
    JsonObject,
    JsonValue,
    Label,
    LoopDetected,
    Micros,
    ModelCall,
    ModelResult,
    ProctorError,
    Question,
    RunError,
    Suspended,
    Token,
    ToolCall,
    ToolHandler,
    ToolResult,
    ToolSpec,
    canonical_json,
    digest_of,
    end_tasks,
    label_to_json,
    new_id,
)
from proctor.policies import Catalogue
from proctor.runs._asking import Asking, redacted
from proctor.runs._journal import Journal
from proctor.runs._loops import Rounds, Streaks
from proctor.runs._numbers import ToolNumbers
from proctor.runs._past import Past, said_mark
from proctor.runs._plan import TeamPlan
from proctor.runs._replay import SETTLED
from proctor.runs._review import ADVICE
from proctor.runs._scope import Scope
from proctor.runs._texts import Texts, earlier_texts, strings_in
from proctor.runs._turns import AGENT_ERRORS, Turn, Turns, lineage
from proctor.runs._values import CallKey, Run
from proctor.telemetry import RunSpans, here

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds that cancelled calls have to end. What swallows its cancellation holds up no run."""

CUT_OFF = 1.0
"""Seconds that the calls of an agent that failed have to end."""

SHOWN = 16_000
"""Characters of a message that the log keeps; the whole text stands in the calls that used it."""


SUSPECTED_TASK = Label(integrity="untrusted", confidentiality="user", sources=("task",), suspected=True)
"""Of a task in which something was found that a person looks at before it has effects.

Not where that is a question for advice: there the answer is looked at.
"""


class _Live:
    """A block during which the task that enters it makes a call; it may stand in another one of that task."""

    __slots__ = ("_live", "_quiet", "_task")

    def __init__(self, live: "set[asyncio.Task[Any]]", quiet: asyncio.Event) -> None:
        self._live = live
        self._quiet = quiet
        self._task: asyncio.Task[Any] | None = None

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        if task not in self._live:
            self._task = task
            self._live.add(task)
            self._quiet.clear()

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self._live.discard(self._task)
            if not self._live:
                self._quiet.set()


class RunSession:
    """The run behind a team's governed parts (`proctor.agents.Session`)."""

    def __init__(
        self,
        run: Run,
        plan: TeamPlan,
        past: Past,
        journal: Journal,
        *,
        clock: Clock,
        on_token: Callable[[Token], None],
        spans: RunSpans,
    ) -> None:
        self.run_id, self.spans = run.id, spans
        self.team = run.team
        self.tenant = run.tenant
        self.requester = run.requester
        self.thread = run.thread_id or ""
        self.pace, self.release = run.pace, run.release
        self.journal = journal
        self.clock = clock
        self.texts = Texts(earlier_texts(past.memory))
        """Where the run's texts come from."""
        self._raised = set(past.raised)
        """Agents that have read what is untrusted, which the log tells."""
        self._decided = {approval.call_key: approval for approval in past.asked}
        self._said, self._remembered = Counter(past.said), Counter(past.remembered)
        self._settings = plan.settings
        self._plan = plan
        self.catalogue = Catalogue()
        self._calls_left = plan.settings.max_calls - len(past.recorded)
        self._cost_so_far = run.cost
        self._ends_at = asyncio.get_running_loop().time() + plan.settings.deadline.total_seconds()
        self._on_token = on_token
        self.halting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Set when no new call may start: a person is asked, or the attempt is over."""
        self.asked: list[str] = []
        """Approvals that this attempt waits for."""
        self._asking: set[str] = set()
        self.rests_until: datetime | None = None
        """Until when the run is torn down, where a call waits for something that needs no person."""
        self.used: set[str] = set()
        """Approvals whose decisions this attempt has used."""
        self.failure: ProctorError | None = None
        """The first error of a call: AutoGen passes on its text only."""
        self._live: set[asyncio.Task[Any]] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._calling: dict[asyncio.Task[Any], str] = {}
        """In a call, be it live, waiting for its turn in the past, or parked; with the agent that calls."""
        self._over = False
        self._told: WeakSet[asyncio.Task[Any]] = WeakSet()
        """Tasks that were told that the attempt is over."""
        self._turns = Turns(self, plan.on_agent_failure)
        self._rounds = Rounds(plan.settings.repetition.rounds)
        self.streaks = Streaks()
        self._numbers = ToolNumbers()
        self._messages = 0
        if not ADVICE.issuperset(run.asks):
            self.texts.receive(run.task, SUSPECTED_TASK)
        else:
            self.texts.order(run.task)
        for approval in past.asked:
            self._hear(approval)

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
        spoke = False

        def listen(text: str) -> None:
            nonlocal spoke
            if on_text is not None:
                on_text(text)
            if self._plan.review.streams:
                spoke = True
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
            scope = self.scope(agent, "model", request)
            scope.label = self.texts.label_of_request(messages)
            call = ModelCall(
                scope=scope,
                model=model,
                messages=messages,
                tools=tools,
                tool_choice=tool_choice,
                response_format=response_format,
                options=options,
                on_text=None if on_text is None else listen,
            )
            try:
                result = await self._plan.chains.model(call)
            finally:
                if spoke:
                    self._on_token(Token(run_id=self.run_id, agent=agent, text="", last=True))
            self.texts.answer(agent, result.message, scope.label)
            self._numbers.answered(agent, result.message)
            return result

        return await self._guard(agent, work)

    async def tool(
        self,
        agent: str,
        tool: ToolSpec,
        arguments: JsonObject,
        call_id: str,
        *,
        act: ToolHandler | None = None,
    ) -> ToolResult:
        """A tool's answer or refusal, through the chain. What breaks the run halts it and is not raised."""
        request: JsonObject = {"server": tool.server, "tool": tool.name, "arguments": arguments}

        async def work() -> ToolResult:
            scope = self.scope(agent, "tool", request)
            self._rounds.call(agent.rpartition("/")[2], scope.call_key.fingerprint)
            scope.repeats = self.streaks.ask(scope.call_key)
            scope.label = self.texts.label_of_call(agent, call_id)
            scope.number, scope.rank = self._numbers.next(agent, call_id)
            call = ToolCall(scope=scope, tool=tool, arguments=arguments, call_id=call_id, act=act)
            result = await self._plan.chains.tool(call)
            self.streaks.answer(scope.call_key, call, result)
            # A refusal is ours, and quotes what the model wrote; a tool's answer may bring values along.
            take = self.texts.learn if result.refused_by else self.texts.receive
            take(result.text, result.label)
            if self._plan.review.catalogue(tool):
                self.catalogue.learn(result.text, result.structured)
            return result

        return await self._guard(agent, work)

    async def human(self, agent: str, question: Question) -> str:
        """What a person answers. What breaks the run halts it and is not raised."""
        return await self._guard(agent, lambda: self._human(agent, question))

    async def _human(self, agent: str, question: Question) -> str:
        scope = self.scope(agent, "human", {"kind": question.kind, "action": question.action})
        recorded = await scope.recorded()
        self._rounds.forget()
        self.streaks.forget()
        if recorded is not None:
            text = str(recorded["text"])
            self.texts.order(text)
            return text
        with await self.live():
            terms = approvals.human_terms(question.role, self._settings)
            asked = redacted(question, self._plan.redact)
            decision = await scope.decision(replace(asked, terms=terms))
            words = {"approve": "APPROVE", "reject": "REJECT"}
            text = f"{words.get(decision.kind, '')} {decision.comment}".strip()
            scope.event("human.answered", {"decision": decision.kind, "by": decision.by})
            scope.finish({"text": text, "by": decision.by}, cost=0)
        self.texts.order(text)
        return text

    def instruct(self, text: str) -> None:
        """Takes a text as the application's own: whoever wrote it may give orders."""
        self.texts.order(text, TRUSTED)

    def memorable(self, text: str) -> str | None:
        """A text as it may be kept beyond the run; nothing where it may not."""
        verdict = self._plan.remembers(text)
        if self._remembered[verdict.outcome] > 0:
            self._remembered[verdict.outcome] -= 1
        else:  # also where it is allowed: else a later attempt couldn't know that it was told
            data: JsonObject = {"stage": "memory", "outcome": verdict.outcome, "rules": list(verdict.rules)}
            self.journal.event("policy.verdict", "", data)
            self._plan.on_memory(verdict.outcome)
        if verdict.outcome == "deny":
            return None
        return text if verdict.text is None else verdict.text

    def derive(self, text: str, parts: Iterable[str], source: str) -> None:
        """Takes a text as made of these parts; a part that the run hasn't seen is of an untrusted source.

        So is the text where there is no part.
        """
        self.texts.derive(text, parts, source)

    async def begin_turn(self, agent: str, *, spares: Callable[[], bool]) -> Turn | Failure:
        """The agent's next turn, or how it failed where that is recorded.

        `spares` tells whether the run can do without it. Never returns where the run already does.
        """
        return await self._turns.begin(agent, spares)

    def end_turn(self, turn: Turn) -> None:
        """Takes note that an agent has answered."""
        self._turns.end(turn)

    def close_turns(self) -> None:
        """Takes note that the turns which go on are cut off."""
        self._turns.close()

    async def give_up(self, turn: Turn, error: ProctorError, *, by: str) -> Failure:
        """What is left of a turn that failed, once that is recorded. Never returns if the run can't go on."""
        return await self._turns.give_up(turn, error, by=by)

    def message(self, agent: str, kind: str, text: str) -> None:
        """Logs a message, unless an earlier attempt did, and looks whether the run goes round in circles."""
        self._log(agent, kind, text)
        self._messages += 1
        if self._messages > self._settings.max_turns:
            hint = f"Raise teams.{self.team}.max_turns, then resume the run."
            self.fail(RunError("the run has taken as many turns as it may", hint=hint))
        length = self._rounds.say(agent, text)
        if length:
            rounds = self._settings.repetition.rounds
            data: JsonObject = {"kind": "messages", "length": length, "rounds": rounds}
            self.journal.event("loop.detected", agent, data)
            hint = f"Look why; or raise teams.{self.team}.repetition.rounds and resume the run."
            what = f"the same {length} messages came {rounds} times, last from {agent}"
            self.fail(LoopDetected(what, hint=hint))

    def _log(self, agent: str, kind: str, text: str) -> None:
        shown = text if len(text) <= SHOWN else text[:SHOWN] + "…"
        mark = said_mark(agent, shown)
        if self._said[mark] > 0:
            self._said[mark] -= 1
            return
        self.journal.event("message", agent, {"kind": kind, "text": shown})

    def limit_reached(self, agent: str, iterations: int) -> None:
        """Logs that an agent used up its tool iterations."""
        self.journal.event("tool.limit_reached", agent, {"iterations": iterations})

    async def _guard(self, agent: str, call: Callable[[], Awaitable[T]]) -> T:
        """A call's value. An error never reaches the agent: AutoGen would hang, or go on with its text."""
        task = asyncio.current_task()
        assert task is not None
        self._calling[task] = agent
        outside = here.set(self.spans.here(self._turns.span_of(agent)))
        try:
            if self._turns.is_closed(agent):
                await self.park()
            return await self._unless_broken(task, agent, call)
        finally:
            here.reset(outside)
            self._calling.pop(task, None)

    async def _unless_broken(  # noqa: RET503 - park never returns
        self, task: asyncio.Task[Any], agent: str, call: Callable[[], Awaitable[T]]
    ) -> T:
        try:
            return await call()
        except asyncio.CancelledError:
            if self.halted or task.cancelling():
                raise
            self.fail(RunError("a call ended as if it had been cancelled, which nobody did"))
        except AGENT_ERRORS as error:
            self._turns.blame(agent, error)
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
        """Cancels every call in progress and every one that waits for ever; waits a moment for their end."""
        self._over = True
        self.halt()
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        while tasks := self._calling.keys() - {asyncio.current_task()}:
            if await end_tasks(tasks, within=max(0.0, until - loop.time())):
                return

    async def cut_off(self, agent: str) -> None:
        """Cancels the calls of an agent and of those within it. One that doesn't end is not waited for."""
        mine = asyncio.current_task()
        calling = self._calling.items()
        tasks = {task for task, caller in calling if task is not mine and agent in lineage(caller)}
        self._live -= await end_tasks(tasks, within=CUT_OFF)
        if not self._live:
            self._quiet.set()

    # What calls need of their run.

    async def live(self) -> "_Live":
        """The block of a call that is really made: none starts once the attempt is halted."""
        if self.halted:
            await self.park()
        self._check_limits()
        return _Live(self._live, self._quiet)

    def _check_limits(self) -> None:
        self._calls_left -= 1
        if self._calls_left < 0:
            raise RunError(
                "the run has made as many calls as it may",
                hint=f"Raise teams.{self.team}.max_calls, then resume the run.",
            )

    @property
    def spent(self) -> Micros:
        """What the run has cost so far, in all of its attempts."""
        return self._cost_so_far + self.journal.spent

    def seconds_left(self) -> float:
        """Seconds until this attempt must have ended."""
        return self._ends_at - asyncio.get_running_loop().time()

    async def rest(self, until: datetime) -> Never:
        """Suspends the run until then, or until it is woken."""
        self.rests_until = until if self.rests_until is None else min(self.rests_until, until)
        for _ in range(SETTLED):  # what began in parallel may be on its way to do so too
            await asyncio.sleep(0)
        self.halt()
        await self.park()

    async def park(self) -> Never:
        """Waits until the attempt is ended."""
        task = asyncio.current_task()
        assert task is not None
        self._live.discard(task)
        if not self._live:
            self._quiet.set()
        if self._over and task not in self._told:
            self._told.add(task)  # once: an agent that tries again for ever would block the loop
            raise Suspended
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError as error:
            raise Suspended(*error.args) from None
        raise AssertionError("a parked call is only ever cancelled")

    def raise_label(self, scope: Scope) -> None:
        """Logs that an agent reads what is untrusted for the first time."""
        if not scope.label.is_trusted and scope.agent not in self._raised:
            self._raised.add(scope.agent)
            scope.event("label.raised", label_to_json(scope.label))

    def _hear(self, approval: approvals.Approval) -> None:
        """Takes what a person wrote who decided: a comment, and arguments in the place of a model's."""
        decision = approval.decision
        if decision is None:
            return
        known = set(strings_in(approval.question.action))
        said = (decision.comment, *strings_in(decision.arguments))
        for text in said:
            if text and text not in known:
                self.texts.order(text)

    def take(self, approval: approvals.Approval) -> None:
        """Takes note that a call goes on by a decision."""
        self.used.add(approval.id)
        self._plan.on_decision(approval)
        if approval.decision is not None and approval.decided_at is not None:
            self.spans.decided(
                approval.id,
                approval.question.kind,
                approval.decision.kind,
                approval.requested_at,
                approval.decided_at,
            )

    def waste(self, agent: str, data: JsonObject) -> None:
        """Logs what was paid for a request that brought nothing."""
        self.journal.event("call.wasted", agent, data)
        cost = data.get("cost")
        self._plan.on_waste(agent, self.release, cost if isinstance(cost, int) else 0)

    @property
    def was_reviewed(self) -> bool:
        """Whether an earlier attempt has shown the answer to a person."""
        return any(approval.question.kind == "output" for approval in self._decided.values())

    def decided(self, call_key: str) -> approvals.Approval | None:
        """The approval of a call, where one was asked for."""
        return self._decided.get(call_key)

    async def ask(self, call_key: str, agent: str, question: Question) -> Never:
        """Asks a person and suspends the run."""
        approval_id, at = new_id("apr"), self.clock.now()
        known = self.decided(call_key)
        if known is not None:
            self.asked.append(known.id)
        elif call_key not in self._asking:  # several calls may meet one question
            self._asking.add(call_key)
            self.asked.append(approval_id)
            self.spans.asked(approval_id, question.kind)
            asking = Asking(
                id=approval_id,
                run_id=self.run_id,
                call_key=call_key,
                team=self.team,
                tenant=self.tenant,
                agent=agent,
                question=question,
                at=at,
                redact=self._plan.redact,
            )
            self.journal.also(asking.insert)
            self.journal.event(
                "approval.requested",
                agent,
                {"id": approval_id, "kind": question.kind, "action": question.action},
            )
        for _ in range(SETTLED):  # what began in parallel may be on its way to ask too: all is asked at once
            await asyncio.sleep(0)
        self.halt()
        await self.park()

    def scope(self, agent: str, kind: CallKind, request: JsonObject) -> Scope:
        """The scope of the agent's next call with this request."""
        text = canonical_json(request)
        scope = Scope(self, self.journal.key(agent, kind, digest_of(text)), text)
        self._turns.call(scope)
        return scope

    def scope_of(self, key: CallKey, request: JsonObject) -> Scope:
        """The scope of a call that was made before."""
        return Scope(self, key, canonical_json(request))
