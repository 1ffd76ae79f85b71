"""What a team knows at the end of a run, and how the team of the thread's next run is told.

A part's state goes by its place. AutoGen's own `save_state` of a whole team is all or nothing, forgets agents
behind `AgentTool`, `TeamTool`, `MessageFilterAgent` and `SocietyOfMindAgent`, and goes on in the middle of a
round: here each part is on its own, and a new message is a new pass through the team (decision 15).

Written against the private parts of AutoGen 0.7.5, as `_adopt` is. Knows no thread, run or database.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from autogen_agentchat.agents import AssistantAgent, SocietyOfMindAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.messages import BaseChatMessage, HandoffMessage
from autogen_agentchat.state import BaseState, SelectorManagerState
from autogen_agentchat.teams import BaseGroupChat, MagenticOneGroupChat, SelectorGroupChat, Swarm
from autogen_core import AgentId

from proctor.agents._adopt import StandIns, parts_of
from proctor.core import JsonObject, canonical_json

PATIENCE = 5.0
"""Seconds that a part may take to tell its state or to take it."""

EXCHANGES = 20
"""Messages and answers that a team is told of which plans each task anew. More would crowd out the plan."""

SHOWN = 300
"""Characters of an error that are passed on."""

GONE = "the team has no such part any more"

_STATELESS = BaseState().model_dump()
"""What agents tell that keep nothing."""

Losses: TypeAlias = Mapping[str, str]
"""Places whose state was lost, each with the reason."""

_Part: TypeAlias = "ChatAgent | BaseGroupChat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What a team knows at the end of a run."""

    state: JsonObject
    lost: Losses


class Memory:
    """The parts of one team, as they are told what an earlier team knew and as they tell it."""

    def __init__(self, team: Team | ChatAgent, stand_ins: StandIns) -> None:
        self._parts: dict[str, _Part] = {}
        for place, part in parts_of(team, "", stand_ins):
            number = 1
            while (mark := place if number == 1 else f"{place}#{number}") in self._parts:
                number += 1  # two team tools of one agent may have the same name
            self._parts[mark] = part
        self._plans_anew = isinstance(team, MagenticOneGroupChat)
        self._exchanges: list[Any] = []
        self._aside: dict[str, Any] = {}

    async def load(self, state: JsonObject) -> Losses:
        """What could not be given to the team, after all else was. The team has not been run yet.

        What belongs to parts that the team no longer has is set aside, in case they come back: a release may
        be rolled back, and a thread may alternate between two. It is told of once.
        """
        saved: Any = state
        self._exchanges = [*saved.get("exchanges", ())]
        told: Mapping[str, Any] = {**saved.get("aside", {}), **saved.get("parts", {})}
        self._aside = {place: told[place] for place in told if self._plans_anew or place not in self._parts}
        lost = dict.fromkeys(self._aside.keys() & saved.get("parts", {}).keys(), GONE)
        for place in told.keys() - self._aside.keys():
            outcome = await _attempt(_load(self._parts[place], told[place]))
            if isinstance(outcome, BaseException):
                lost[place] = _reason(outcome)
        return lost

    def task(self, text: str) -> str:
        """The task as the team is given it. Magentic-One clears its agents: it is told the conversation."""
        if not self._plans_anew or not self._exchanges:
            return text
        said = "\n\n".join(f"User: {asked}\n\nAnswer: {answer}" for asked, answer in self._exchanges)
        return f"The conversation so far:\n\n{said}\n\nThe new message:\n\n{text}"

    async def save(self, *, task: str, answer: str) -> Knowledge:
        """What the team knows now. A part that can't tell loses its own state and nobody else's."""
        if self._plans_anew:
            exchanges = [*self._exchanges, [task, answer]][-EXCHANGES:]
            return Knowledge(state={"exchanges": exchanges, "aside": self._aside}, lost={})
        parts: dict[str, Any] = {}
        lost: dict[str, str] = {}
        for place, part in self._parts.items():
            outcome: Any = await _attempt(_save(part))
            if isinstance(outcome, BaseException):
                lost[place] = _reason(outcome)
            elif outcome:
                parts[place] = outcome
        return Knowledge(state={"parts": parts, "aside": self._aside}, lost=lost)


async def _attempt(work: Awaitable[Any]) -> Any:
    """What a user's code comes to: its value or what it raised, whatever that is."""
    outcome: Any
    (outcome,) = await asyncio.gather(asyncio.wait_for(work, PATIENCE), return_exceptions=True)
    return outcome


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:SHOWN]


async def _save(part: _Part) -> Mapping[str, Any]:
    """A part's state; nothing where there is none.

    Raises:
        TypeError, ValueError: it is no JSON.
    """
    match part:
        case BaseGroupChat():
            state: Mapping[str, Any] = await _save_team(part)
        case SocietyOfMindAgent():  # its own `save_state` holds the inner team, which has places of its own
            state = await part._model_context.save_state()
        case AssistantAgent():
            state = _without_open_calls(await part.save_state())
        case _:
            state = await part.save_state()
    canonical_json(state)
    return {} if state == _STATELESS else state


def _without_open_calls(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """An assistant's state without calls at its end that were never answered, which no model takes.

    An agent that failed, and for which another stood in, leaves such.
    """
    messages = state["llm_context"].get("messages", [])
    while (
        messages and messages[-1]["type"] == "AssistantMessage" and isinstance(messages[-1]["content"], list)
    ):
        messages.pop()
    return state


async def _load(part: _Part, state: Mapping[str, Any]) -> None:
    match part:
        case BaseGroupChat():
            await _load_team(part, state)
        case SocietyOfMindAgent():
            await part._model_context.load_state(state)
        case _:
            await part.load_state(state)


async def _save_team(team: BaseGroupChat) -> dict[str, Any]:
    """What members have not read yet, and what the manager needs to choose the next speaker well."""
    state: dict[str, Any] = {}
    if not team._initialized:
        return state
    unread = {}
    for name, topic in _members(team):
        member = await _inside(team, topic)
        if member._message_buffer:
            unread[name] = [message.dump() for message in member._message_buffer]
    if unread:
        state["unread"] = unread
    manager = await _inside(team, team._group_chat_manager_topic_type)
    if isinstance(team, SelectorGroupChat):
        said = [message.dump() for message in manager._message_thread if isinstance(message, BaseChatMessage)]
        state["said"] = said
    elif isinstance(team, Swarm):
        state["speaker"] = _next_of_swarm(manager)
    return state


async def _load_team(team: BaseGroupChat, state: Mapping[str, Any]) -> None:
    if not team._initialized:
        await team._init(team._runtime)
    members = dict(_members(team))
    for name, messages in state.get("unread", {}).items():
        if name in members:
            member = await _inside(team, members[name])
            member._message_buffer = [member._message_factory.create(message) for message in messages]
    manager = await _inside(team, team._group_chat_manager_topic_type)
    if isinstance(team, SelectorGroupChat) and "said" in state:
        # No previous speaker: behind a new message any agent may speak, also the one that spoke last.
        await manager.load_state(SelectorManagerState(message_thread=state["said"]).model_dump())
    elif isinstance(team, Swarm) and state.get("speaker") in members:
        manager._current_speaker = state["speaker"]


def _members(team: BaseGroupChat) -> Sequence[tuple[str, str]]:
    return tuple(zip(team._participant_names, team._participant_topic_types, strict=True))


async def _inside(team: BaseGroupChat, topic: str) -> Any:
    """What AutoGen's runtime keeps for a member of a team, or for its manager."""
    runtime: Any = team._runtime
    return await runtime.try_get_underlying_agent_instance(AgentId(type=topic, key=team._team_id))


def _next_of_swarm(manager: Any) -> str:
    """The agent that has the conversation: who was handed it last, unless that is nobody of the team.

    AutoGen refuses to go on behind a handoff to the user; the answer is for the agent that asked.
    """
    for message in reversed(manager._message_thread):
        if isinstance(message, HandoffMessage):
            if message.target in manager._participant_names:
                return message.target
            break
    return str(manager._current_speaker)
