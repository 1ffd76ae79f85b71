"""An agent whose failure is its own: its stand-in answers in its place, or the team is told that nobody does.

Each turn is a task of its own, so that an agent that hangs, or swallows its cancellation, can be left
behind. An agent that blocks the event loop itself can't: nothing beside it would run.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

from autogen_agentchat.agents import BaseChatAgent
from autogen_agentchat.base import ChatAgent, Response
from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage, HandoffMessage, TextMessage
from autogen_core import CancellationToken

from proctor.agents._model import at_work
from proctor.agents._runtime import KillableRuntime
from proctor.agents._session import Failure, Session, Turn
from proctor.core import AgentFailed, AgentTimedOut, ProctorError, TeamError, end_tasks

LEFT_BEHIND = 1.0
"""Seconds that an agent has to end after its turn was given up."""

M = TypeVar("M", bound=BaseChatMessage | BaseAgentEvent)

_MESSAGES = (BaseChatMessage, BaseAgentEvent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An agent of a team, or one that stands in for it."""

    agent: ChatAgent
    place: str
    timeout: timedelta
    """For one turn."""


@dataclass(slots=True, kw_only=True)
class Circle:
    """The agents of one team, who know of each other's failures."""

    agents: "list[Isolated]" = field(default_factory=list)
    others: tuple[str, ...] = ()
    """The team's further members: people, and teams whose agents are a circle of their own."""
    hands_off: bool = False
    """Whether somebody speaks only who was handed the conversation."""
    takes: Callable[[type[Any]], bool] = field(default=lambda kind: issubclass(kind, _MESSAGES))
    """Whether the team can pass a message of this type on."""

    def without(self, agent: "Isolated") -> tuple[str, ...]:
        """Who else can still answer."""
        able = tuple(other.name for other in self.agents if other is not agent and other.answers)
        return (*able, *self.others)


@dataclass(frozen=True, slots=True)
class _Ended:
    """The agent has nothing more to say, or raised something."""

    error: BaseException | None


class _TurnFailed(Exception):
    def __init__(self, error: ProctorError) -> None:
        super().__init__(error)
        self.error = error


class Isolated(BaseChatAgent):
    """An agent in its team's eyes: itself as long as it can answer, then its stand-in, then a stated refusal.

    An agent that failed isn't asked again in this run.
    """

    def __init__(
        self,
        members: Sequence[Member],
        *,
        session: Session,
        runtime: KillableRuntime,
        circle: Circle,
        states: bool,
    ) -> None:
        first = members[0].agent
        if not first.name.isidentifier():
            raise TeamError(f"an agent can't be called {first.name!r}", hint="Use letters, digits and _.")
        # Not by AutoGen's own `__init__`: it opens a span for an agent that nobody created.
        self._name, self._description = first.name, first.description
        self.members = tuple(members)
        self._session = session
        self._runtime = runtime
        self._circle = circle
        self._states = states
        self._at = 0
        self._heard: list[BaseChatMessage] = []
        """All that the agent was given and answered: what a stand-in begins with."""
        self._failure = Failure(code="", actions=())

    @property
    def answers(self) -> bool:
        """Whether the agent or one of its stand-ins can still answer."""
        return self._at < len(self.members)

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        """The agent's own."""
        return self.members[0].agent.produced_message_types

    async def on_messages(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> Response:
        """The answer of whoever can give it."""
        async for item in self.on_messages_stream(messages, cancellation_token):
            if isinstance(item, Response):
                return item
        raise AssertionError("a turn ends with a response")

    async def on_messages_stream(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> AsyncGenerator[BaseAgentEvent | BaseChatMessage | Response, None]:
        """What the agent does, then its answer; or its stand-in's, or a stated refusal."""
        self._heard.extend(messages)
        fresh = list(messages)
        while self.answers:
            member = self.members[self._at]
            begun = await self._session.begin_turn(member.place, spares=self._is_spared)
            if not isinstance(begun, Failure):
                try:
                    async for item in self._take_turn(member, begun, fresh, cancellation_token):
                        yield self._in_own_name(item)
                except _TurnFailed as failed:
                    begun = await self._session.give_up(begun, failed.error, by=self._next_name)
                else:
                    return
            self._failure = replace(begun, actions=(*self._failure.actions, *begun.actions))
            self._at += 1
            fresh = [*self._heard, *self._told()]
        refusal = self._refusal()
        self._heard.append(refusal)
        yield Response(chat_message=refusal)

    async def _take_turn(
        self, member: Member, turn: Turn, messages: Sequence[BaseChatMessage], token: CancellationToken
    ) -> AsyncGenerator[BaseAgentEvent | BaseChatMessage | Response, None]:
        """What one agent says in its turn.

        Raises:
            _TurnFailed: it failed.
        """
        items: asyncio.Queue[Any] = asyncio.Queue()
        work = asyncio.create_task(_pump(member, messages, token, items), name=f"the turn of {member.place}")
        self._runtime.nested.add(work)
        work.add_done_callback(self._runtime.nested.discard)
        turn.failed.add_done_callback(lambda failed: items.put_nowait(failed.result()))
        seconds = member.timeout.total_seconds()
        timer = asyncio.get_running_loop().call_later(seconds, items.put_nowait, _timed_out(member))
        try:
            async for item in self._listen(member, items):
                if isinstance(item, Response):
                    self._session.end_turn(turn)
                    self._heard.append(item.chat_message)
                yield item
        except _TurnFailed:
            await end_tasks([work], within=LEFT_BEHIND)
            raise
        finally:
            timer.cancel()
            work.cancel()

    async def _listen(
        self, member: Member, items: "asyncio.Queue[Any]"
    ) -> AsyncGenerator[BaseAgentEvent | BaseChatMessage | Response, None]:
        """What the agent says, its answer last: it may have work to do behind that."""
        answer: Response | None = None
        while True:
            match await items.get():
                case AgentTimedOut() if self._session.halted:
                    pass  # who waits for a person is in no haste
                case ProctorError() as error:
                    raise _TurnFailed(error)
                case _Ended(None) if answer is not None:
                    yield answer
                    return
                case _Ended(error):
                    raise _TurnFailed(_named(member, error))
                case Response() as answer if self._circle.takes(type(answer.chat_message)):
                    pass
                case BaseChatMessage() | BaseAgentEvent() as item if self._circle.takes(type(item)):
                    yield item
                case item:
                    raise _TurnFailed(_unknown(member, item))

    @property
    def _next_name(self) -> str:
        """Who stands in for the agent whose turn it is."""
        following = self.members[self._at + 1 :]
        return following[0].agent.name if following else ""

    def _is_spared(self) -> bool:
        """Whether the team can go on when the agent whose turn it is fails."""
        if self._next_name:
            return True
        return self._states and bool(self._circle.without(self))

    def _told(self) -> Sequence[BaseChatMessage]:
        """What a stand-in must know beside the conversation."""
        if not self._failure.actions:
            return ()
        done = "\n".join(self._failure.actions)
        text = (
            f"You answer in place of {self.name}, which failed. It had done this; don't do it again:\n{done}"
        )
        return (TextMessage(content=text, source=self.name),)

    def _refusal(self) -> BaseChatMessage:
        done = "".join(f" It had done: {action}." for action in self._failure.actions)
        text = f"{self.name} could not answer ({self._failure.code}).{done} Go on without it."
        if not self._circle.hands_off:
            return TextMessage(content=text, source=self.name)
        return HandoffMessage(content=text, source=self.name, target=self._successor())

    def _successor(self) -> str:
        """Who takes the conversation back: who handed it over last, else whoever can answer."""
        able = self._circle.without(self)
        for message in reversed(self._heard):
            if isinstance(message, HandoffMessage) and message.target == self.name and message.source in able:
                return message.source
        return (*able, self.name)[0]

    def _in_own_name(
        self, item: BaseAgentEvent | BaseChatMessage | Response
    ) -> BaseAgentEvent | BaseChatMessage | Response:
        """What a stand-in says, in the name that the team knows."""
        if self._at == 0:
            return item
        if isinstance(item, Response):
            inner = [self._renamed(message) for message in item.inner_messages or ()]
            return Response(chat_message=self._renamed(item.chat_message), inner_messages=inner)
        return self._renamed(item)

    def _renamed(self, message: M) -> M:
        if message.source != self.members[self._at].agent.name:
            return message
        renamed: M = message.model_copy(update={"source": self.name})  # type: ignore[assignment]
        return renamed

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        """Forgets the conversation. Who failed stays out."""
        self._heard.clear()
        for member in self.members[self._at :]:
            await member.agent.on_reset(cancellation_token)

    async def on_pause(self, cancellation_token: CancellationToken) -> None:
        """Passed on."""
        for member in self.members[self._at :]:
            await member.agent.on_pause(cancellation_token)

    async def on_resume(self, cancellation_token: CancellationToken) -> None:
        """Passed on."""
        for member in self.members[self._at :]:
            await member.agent.on_resume(cancellation_token)

    async def save_state(self) -> Mapping[str, Any]:
        """The agent's own."""
        return await self.members[0].agent.save_state()

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """The agent's own."""
        await self.members[0].agent.load_state(state)

    async def close(self) -> None:
        """Passed on."""
        for member in self.members:
            await member.agent.close()


async def _pump(
    member: Member,
    messages: Sequence[BaseChatMessage],
    token: CancellationToken,
    items: "asyncio.Queue[Any]",
) -> None:
    at_work.set(member.place)
    try:
        async for item in member.agent.on_messages_stream(messages, token):
            items.put_nowait(item)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - an agent may raise anything, also what would end the loop
        items.put_nowait(_Ended(error))
    else:
        items.put_nowait(_Ended(None))


def _timed_out(member: Member) -> AgentTimedOut:
    return AgentTimedOut(
        f"{member.place} took longer than {member.timeout.total_seconds():g} s for its turn",
        agent=member.place,
        retryable=True,
        hint="Raise the team's agent_timeout, or the agent's own timeout, if it needs that long.",
    )


def _named(member: Member, error: BaseException | None) -> ProctorError:
    """What the agent raised, as what became of it."""
    match error:
        case None:
            return AgentFailed(f"{member.place} came to no answer", agent=member.place)
        case ProctorError():
            return error
        case asyncio.CancelledError():
            return AgentFailed(f"{member.place} cancelled itself", agent=member.place)
        case _:
            text = f"{member.place} raised {type(error).__name__}: {error}"
            failed = AgentFailed(text, agent=member.place, retryable=isinstance(error, OSError))
            failed.__cause__ = error
            return failed


def _unknown(member: Member, item: object) -> AgentFailed:
    said = item.chat_message if isinstance(item, Response) else item
    text = f"{member.place} sent a {type(said).__name__}, which its team can't pass on"
    return AgentFailed(text, agent=member.place)
