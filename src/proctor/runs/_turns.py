"""The turns of a run's agents: what each one calls, and how the run goes on without an agent that failed.

An agent's calls go by its place: what `desk` answers for is whatever `desk` and `desk/clerk` call.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proctor.agents import Failure
from proctor.core import (
    JsonObject,
    LoopDetected,
    ModelError,
    ProctorError,
    RunError,
    ToolError,
    ToolResult,
    canonical_json,
    digest,
)
from proctor.runs._values import CallKey, tool_outcome
from proctor.telemetry import TurnSpan

if TYPE_CHECKING:
    from proctor.runs._scope import Scope
    from proctor.runs._session import RunSession

AGENT_ERRORS = (ModelError, ToolError, LoopDetected)
"""What a call may fail with that is its agent's trouble. Budgets, limits and the journal are the run's."""

SHOWN = 1_000
"""Characters of an action that those who go on are told of."""

_TURN = digest({})


@dataclass(slots=True, kw_only=True)
class Turn:
    """One agent's turn while it goes on (`proctor.agents.Turn`)."""

    key: CallKey
    spares: Callable[[], bool]
    failed: "asyncio.Future[ProctorError]"
    calls: "list[Scope | CallKey]" = field(default_factory=list)
    """What was called in it, in order; of turns within that failed, their records."""
    span: TurnSpan | None = None
    is_new: bool = False
    """Whether it began behind all that was recorded."""

    @property
    def goes_on(self) -> bool:
        """Whether anything of it is new: of the past nothing is told again."""
        return self.is_new or any(not isinstance(call, CallKey) and call.is_new for call in self.calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lost:
    """A turn that failed, as the journal keeps it."""

    code: str
    message: str
    calls: tuple[CallKey, ...]
    """What was called in it: nobody will ask for that again."""
    done: tuple[str, ...]
    """What it has done to the world, in words."""
    doubts: tuple[CallKey, ...]
    """What it had begun to do to the world."""

    @classmethod
    def of(cls, turn: Turn, error: ProctorError) -> "_Lost":
        scopes = [call for call in turn.calls if not isinstance(call, CallKey)]
        return cls(
            code=error.code,
            message=error.message,
            calls=tuple(call if isinstance(call, CallKey) else call.call_key for call in turn.calls),
            done=tuple(
                _action(scope.request, str(scope.outcome["text"]))
                for scope in scopes
                if scope.outcome is not None and scope.outcome.get("acted")
            ),
            doubts=tuple(scope.call_key for scope in scopes if scope.in_doubt),
        )

    @classmethod
    def read(cls, outcome: Any) -> "_Lost":
        return cls(
            code=outcome["code"],
            message=outcome["message"],
            calls=tuple(map(_read_key, outcome["calls"])),
            done=tuple(outcome["done"]),
            doubts=tuple(map(_read_key, outcome["doubts"])),
        )

    def write(self) -> JsonObject:
        return {
            "code": self.code,
            "message": self.message,
            "calls": [_write_key(key) for key in self.calls],
            "done": self.done,
            "doubts": [_write_key(key) for key in self.doubts],
        }


class Turns:
    """The turns of one attempt at a run. `told` hears of each agent that fails, with the error's code."""

    def __init__(self, session: "RunSession", told: Callable[[str, str], None]) -> None:
        self._session = session
        self._told = told
        self._open: dict[str, Turn] = {}
        self._closed: set[str] = set()

    async def begin(self, agent: str, spares: Callable[[], bool]) -> Turn | Failure:
        """The agent's next turn, or how it failed where that is recorded."""
        if self.is_closed(agent):
            await self._session.park()
        journal = self._session.journal
        key = journal.key(agent, "agent", _TURN)
        recorded = journal.replay.past(key)
        if recorded is None:
            failed: asyncio.Future[ProctorError] = asyncio.get_running_loop().create_future()
            span = self._session.spans.turn(agent, self.span_of(agent))
            turn = Turn(key=key, spares=spares, failed=failed, span=span, is_new=journal.replay.over)
            self._open[agent] = turn
            return turn
        self._closed.add(agent)
        lost = _Lost.read(recorded.outcome)
        journal.skip(lost.calls)
        await journal.replay.answer(key)
        return await self._settle(agent, lost)

    def end(self, turn: Turn) -> None:
        """Takes note that the turn has come to its end."""
        self._open.pop(turn.key.agent, None)
        self._tell(turn)

    def call(self, scope: "Scope") -> None:
        """Takes note of a call."""
        for turn in self._around(scope.agent):
            turn.calls.append(scope)

    def is_closed(self, agent: str) -> bool:
        """Whether the run goes on without this agent, or without one that it is part of."""
        return bool(self._closed) and any(place in self._closed for place in lineage(agent))

    def blame(self, agent: str, error: ProctorError) -> None:
        """Ends the innermost turn that the run can do without; where there is none, the run fails."""
        for turn in self._around(agent):
            if turn.spares():
                if not turn.failed.done():
                    turn.failed.set_result(error)
                return
        self._session.fail(error)

    async def give_up(self, turn: Turn, error: ProctorError, *, by: str) -> Failure:
        """What is left of a failed turn, once that is recorded. Never returns where the run can't go on."""
        session, agent = self._session, turn.key.agent
        await self._unless_over(agent)
        spared = turn.spares()
        self._closed.add(agent)
        self._open.pop(agent, None)
        self._tell(turn, error.code)
        await session.cut_off(agent)
        await self._unless_over("")
        data: dict[str, str | int] = {"code": error.code, "message": error.message}
        session.journal.event("agent.failed", agent, {**data, "turn": turn.key.occurrence + 1})
        self._told(agent, error.code)
        if not spared:
            self.blame(agent, error)
            await session.park()
        lost = _Lost.of(turn, error)
        at = session.clock.now()
        session.journal.finished(turn.key, request="{}", outcome=lost.write(), cost=0, at=at, duration_ms=0.0)
        for outer in self._around(agent):
            outer.calls.append(turn.key)
        if by:
            session.journal.event("agent.replaced", agent, {"by": by})
        return await self._settle(agent, lost)

    def close(self) -> None:
        """Takes note that the turns which go on are cut off: the run waits, or has ended without them."""
        while self._open:
            _, turn = self._open.popitem()
            self._tell(turn, cut_off=True)

    def span_of(self, agent: str) -> TurnSpan | None:
        """The span of the innermost turn that the agent's calls are part of."""
        turn = next(self._around(agent), None)
        return None if turn is None else turn.span

    def _tell(self, turn: Turn, error: str = "", *, cut_off: bool = False) -> None:
        if turn.span is not None and turn.goes_on:
            self._session.spans.turn_ended(turn.span, error=error, cut_off="cut_off" if cut_off else "")

    async def _unless_over(self, agent: str) -> None:
        """Returns while the attempt goes on with this agent. What a person is asked comes first."""
        if self._session.halted or self._session.asked or self.is_closed(agent):
            await self._session.park()

    def _around(self, agent: str) -> Iterator[Turn]:
        """The turns that the agent's calls are part of, the innermost first."""
        if not self._open:
            return
        for place in lineage(agent):
            if (turn := self._open.get(place)) is not None:
                yield turn

    async def _settle(self, agent: str, lost: _Lost) -> Failure:
        self._session.streaks.forget()
        settled = [await self._settle_doubt(agent, lost, key) for key in lost.doubts]
        return Failure(code=lost.code, actions=(*lost.done, *settled))

    async def _settle_doubt(self, agent: str, lost: _Lost, key: CallKey) -> str:
        """What a person says about an action that was in progress: nobody goes on before that."""
        session = self._session
        begun = session.journal.in_doubt.get(key)
        if begun is None:
            settled = session.journal.replay.past(key)
            assert settled is not None, "an action is either in doubt or settled"
            assert settled.outcome is not None
            return _action(settled.request, str(settled.outcome["text"]))
        scope = session.scope_of(key, begun.request)
        question = scope.doubted(
            f"{agent} failed ({lost.code}) while its call of {begun.request.get('tool')} was in "
            f"progress, begun {begun.started_at:%Y-%m-%d %H:%M:%S} UTC; the call's end isn't known. Look "
            "whether it took effect: respond with its result if so, approve if the team may go on "
            "without it, reject to end the run."
        )
        decision = await scope.decision(question)
        if decision.kind == "reject":
            session.fail(RunError("a person ended the run, because of an action whose end isn't known"))
            await session.park()
        text = decision.comment or "whether it took effect isn't known"
        scope.finish({**tool_outcome(ToolResult(text=text)), "acted": True}, cost=0)
        return _action(begun.request, text)


def lineage(agent: str) -> Iterator[str]:
    """An agent's place and those of the agents around it, the innermost first."""
    while agent:
        yield agent
        agent = agent.rpartition("/")[0]


def _action(request: JsonObject, text: str) -> str:
    said = f"{request.get('tool')}({canonical_json(request.get('arguments'))}): {text}"
    return said if len(said) <= SHOWN else said[:SHOWN] + "…"


def _write_key(key: CallKey) -> tuple[str | int, ...]:
    return (key.agent, key.kind, key.fingerprint, key.occurrence)


def _read_key(written: Any) -> CallKey:
    agent, kind, fingerprint, occurrence = written
    return CallKey(agent=agent, kind=kind, fingerprint=fingerprint, occurrence=occurrence)
