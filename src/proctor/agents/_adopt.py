"""Making a team that a factory built the run's own: governed, killable, and named part by part.

Written against the private parts of AutoGen 0.7.5, to which Proctor is pinned; the contract tests hold each.
Knows no journal, policy or provider.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeAlias

from autogen_agentchat.agents import (
    AssistantAgent,
    CodeExecutorAgent,
    MessageFilterAgent,
    SocietyOfMindAgent,
    UserProxyAgent,
)
from autogen_agentchat.base import ChatAgent, Handoff, Team
from autogen_agentchat.messages import StructuredMessage
from autogen_agentchat.teams import BaseGroupChat, Swarm
from autogen_agentchat.tools import AgentTool, TeamTool
from autogen_core.code_executor import CodeExecutor
from autogen_core.models import ChatCompletionClient
from autogen_core.tools import BaseTool, StaticWorkbench, Workbench

from proctor.agents._human import DurableHuman
from proctor.agents._isolation import Circle, Isolated, Member
from proctor.agents._model import GovernedModelClient
from proctor.agents._recall import WatchedMemory
from proctor.agents._runtime import KillableRuntime
from proctor.agents._sandbox import executes_code, sandboxed
from proctor.agents._session import Session
from proctor.agents._workbench import GovernedWorkbench, NestedWorkbench
from proctor.core import AgentSettings, TeamError, TeamSettings, UngovernedTeam

log = logging.getLogger("proctor.agents")

LONGEST_PLACE = 160
"""Characters of an agent's name behind those of the teams around it; the journal keeps 200."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What is known of a team's members."""

    iterations: Mapping[str, int]
    """The tool iterations that each assistant may make."""
    people: frozenset[str]


StandIns: TypeAlias = Mapping[ChatAgent, ChatAgent]
"""Agents, each with the one that takes its place when it fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A team that is the run's own."""

    team: Team | ChatAgent
    roles: Roles


def adopt(
    team: Team | ChatAgent,
    runtime: KillableRuntime,
    *,
    session: Session,
    settings: TeamSettings,
    stand_ins: StandIns,
) -> Adopted:
    """The team as the run's own: governed part by part, and each agent's failures kept its own.

    Raises:
        UngovernedTeam: a part of the team would bypass the chain.
        TeamError: two agents have one place, or somebody stands in for who is no member of a team.
    """
    parts = _with_held(parts_of(team, "", stand_ins), stand_ins)
    roles = _govern_parts(parts, runtime, session, settings)
    isolation = _Isolation(session=session, runtime=runtime, settings=settings, stand_ins=stand_ins)
    for place, part in parts:
        if isinstance(part, BaseGroupChat):
            isolation.of_team(part, place)
    known = {word for place, _ in parts for word in (place, place.rpartition("/")[2])}
    for name in settings.agents.keys() - known:
        _pass_over(name, settings.agents, known)
    if isinstance(team, ChatAgent) and not isinstance(team, DurableHuman):
        team = isolation.of_agent(team, "", Circle())
    for agent in stand_ins.keys() - isolation.done:
        raise TeamError(f"{agent.name} is no member of a team here, so nobody can stand in for it")
    return Adopted(team=team, roles=roles)


def _pass_over(name: str, agents: Mapping[str, AgentSettings], known: set[str]) -> None:
    """Takes note of settings for an agent that isn't there: a team may be built in several forms.

    Raises:
        TeamError: they narrow an agent, and the name seems to be misspelt, so that one would not be narrowed.
    """
    near = get_close_matches(name, known - agents.keys(), n=1)
    if near and (agents[name].tools is not None or agents[name].clearance is not None):
        raise TeamError(
            f"the settings of {name} are for no agent of this team", hint=f"Did you mean {near[0]}?"
        )
    log.warning("the settings of %s are for no agent of this team", name)


def _govern_parts(
    parts: Iterable[tuple[str, Any]], runtime: KillableRuntime, session: Session, settings: TeamSettings
) -> Roles:
    limits: dict[str, int] = {}
    people: set[str] = set()
    for place, part in parts:
        if len(place) > LONGEST_PLACE:
            raise TeamError(f"an agent's place has more than {LONGEST_PLACE} characters: {place}")
        match part:
            case BaseGroupChat():
                _adopt_team(part, place, runtime)
            case AssistantAgent():
                limits[part.name] = _adopt_assistant(
                    part, place, runtime, session, settings.max_tool_iterations
                )
            case SocietyOfMindAgent():
                part._model_client = _bound(part._model_client, place)
                session.instruct(part._instruction)
                session.instruct(part._response_prompt)
            case CodeExecutorAgent():
                _adopt_executor(part, place, session, settings.sandbox)
            case DurableHuman():
                people.add(part.name)
            case UserProxyAgent():
                raise UngovernedTeam(
                    f"{place} reads answers from a keyboard, for which a run can't wait",
                    hint=f'Build it with ctx.human("{part.name}").',
                )
            case _:
                _check_held(part, place, runtime)
    return Roles(iterations=limits, people=frozenset(people))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Isolation:
    """What makes each agent's failures its own."""

    session: Session
    runtime: KillableRuntime
    settings: TeamSettings
    stand_ins: StandIns
    done: set[ChatAgent] = field(default_factory=set)

    def of_team(self, team: BaseGroupChat, place: str) -> None:
        """Puts every agent of a team, people aside, behind an `Isolated`."""
        circle = Circle(hands_off=isinstance(team, Swarm), takes=team._message_factory.is_registered)
        members: list[ChatAgent | Team] = []
        for member in team._participants:
            if isinstance(member, ChatAgent) and not isinstance(member, DurableHuman):
                members.append(self.of_agent(member, place, circle))
                for backup in _line(member, self.stand_ins)[1:]:
                    _register(team, backup)
            else:
                members.append(member)
                circle.others = (*circle.others, member.name)
        team._participants = members
        _check_names(team)

    def of_agent(self, agent: ChatAgent, above: str, circle: Circle) -> Isolated:
        """An agent with those that stand in for it."""
        line = _line(agent, self.stand_ins)
        self.done.update(line)
        members = [self._member(each, f"{above}/{each.name}" if above else each.name) for each in line]
        states = self._of(members[0]).on_failure or self.settings.on_failure
        isolated = Isolated(
            members, session=self.session, runtime=self.runtime, circle=circle, states=states == "state"
        )
        circle.agents.append(isolated)
        return isolated

    def _member(self, agent: ChatAgent, place: str) -> Member:
        member = Member(agent=agent, place=place, timeout=self.settings.agent_timeout)
        own = self._of(member).timeout
        return member if own is None else replace(member, timeout=own)

    def _of(self, member: Member) -> AgentSettings:
        """The settings of an agent, by its place or else by its name."""
        agents = self.settings.agents
        return agents.get(member.place) or agents.get(member.agent.name) or AgentSettings()


def _line(agent: ChatAgent, stand_ins: StandIns) -> list[ChatAgent]:
    """An agent, the one that stands in for it, the one that stands in for that, and so on."""
    line = [agent]
    while (following := stand_ins.get(line[-1])) is not None:
        line.append(following)
    return line


def _register(team: BaseGroupChat, agent: ChatAgent) -> None:
    """Lets a team pass on what a stand-in says, as AutoGen does for its own members."""
    for kind in agent.produced_message_types:
        if issubclass(kind, StructuredMessage) and not team._message_factory.is_registered(kind):
            team._message_factory.register(kind)


def _check_names(team: BaseGroupChat) -> None:
    names = [member.name for member in team._participants]
    for member in team._participants:
        if isinstance(member, Isolated):
            names += [each.agent.name for each in member.members[1:]]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TeamError(f"two agents are called {', '.join(twice)}", hint="Give the stand-in another name.")


def parts_of(
    part: object, above: str, stand_ins: StandIns = MappingProxyType({})
) -> Iterator[tuple[str, Any]]:
    """Every agent and team within, the outer ones first, each with its place such as `desk/analyst`.

    An agent is followed by those that stand in for it.
    """
    name = getattr(part, "name", type(part).__name__)
    place = f"{above}/{name}" if above else ("" if isinstance(part, BaseGroupChat) else name)
    yield place, part
    children: Sequence[object] = ()
    match part:
        case BaseGroupChat():
            children = part._participants
        case AssistantAgent():
            children = [tool._task_runner for tool in _nested_tools(part)]
        case SocietyOfMindAgent():
            children = [part._team]
        case MessageFilterAgent():
            children = [part._wrapped_agent]
        case _:
            pass
    for child in children:
        yield from parts_of(child, place, stand_ins)
    if isinstance(part, ChatAgent) and (backup := stand_ins.get(part)) is not None:
        yield from parts_of(backup, above, stand_ins)


def _with_held(parts: Iterable[tuple[str, Any]], stand_ins: StandIns) -> tuple[tuple[str, Any], ...]:
    """The parts, and those that agents of the user's own keep to themselves: they have tools too."""
    found = list(parts)
    known = {id(part) for _, part in found}
    for place, part in found:
        for held in [value for kept in vars(part).values() for value in _items(kept)]:
            if _is_part(held.__class__) and id(held) not in known:
                within = [each for each in parts_of(held, place, stand_ins) if id(each[1]) not in known]
                known |= {id(one) for _, one in within}
                found += within  # looked at in its turn
    return tuple(found)


@lru_cache(maxsize=1_000)
def _is_part(kind: type[Any]) -> bool:
    """Whether values of this class are agents or teams: asked of all that each agent holds, in every run."""
    return issubclass(kind, ChatAgent | BaseGroupChat)


def _check_held(part: object, place: str, runtime: KillableRuntime) -> None:
    """Returns where an agent of the user's own holds nothing that would bypass the chain.

    What it holds by a name of its own is told whose it is: it may be used where nothing else tells.
    """
    for name, held in list(vars(part).items()):
        if isinstance(held, GovernedWorkbench | GovernedModelClient):
            vars(part)[name] = held.bound(place)
        for value in _items(held):
            match value:
                case ChatCompletionClient():
                    _bound(value, place)
                case Workbench():
                    tuple(_govern(value, place, runtime))
                case BaseTool() if not isinstance(value, AgentTool | TeamTool):
                    raise _free_tools(place, [value.name])
                case CodeExecutor():
                    raise executes_code(place)
                case _:
                    pass


def _items(held: object) -> Iterable[Any]:
    match held:
        case Mapping():
            return held.values()
        case list() | tuple() | set() | frozenset():
            return held
        case _:
            return (held,)


def _free_tools(place: str, names: Sequence[str]) -> UngovernedTeam:
    return UngovernedTeam(
        f"{place} has tools that bypass the chain: {', '.join(names)}",
        hint="Register each with @app.tool(effect=…) and build the agent with workbench=ctx.tools(…).",
    )


def _nested_tools(agent: AssistantAgent) -> list[AgentTool | TeamTool]:
    found: list[AgentTool | TeamTool] = []
    for workbench in agent._workbench:
        if isinstance(workbench, StaticWorkbench):
            found += [tool for tool in workbench._tools if isinstance(tool, AgentTool | TeamTool)]
    return found


def _adopt_team(team: BaseGroupChat, place: str, runtime: KillableRuntime) -> None:
    team._runtime = runtime
    runtime.used = True
    team._embedded_runtime = False
    client = getattr(team, "_model_client", None)
    if client is not None:
        manager = team._group_chat_manager_name
        team._model_client = _bound(client, f"{place}/{manager}" if place else manager)  # type: ignore[attr-defined]


def _adopt_assistant(
    agent: AssistantAgent, place: str, runtime: KillableRuntime, session: Session, max_tool_iterations: int
) -> int:
    for message in agent._system_messages:
        session.instruct(message.content)
    for handoff in agent._handoffs.values():
        if type(handoff).handoff_tool is not Handoff.handoff_tool:
            raise _free_tools(place, [handoff.name])
        session.instruct(handoff.message)
    if agent._memory is not None:
        agent._memory = [WatchedMemory(session, memory) for memory in agent._memory]
    agent._model_client = _bound(agent._model_client, place)
    agent._workbench = [part for workbench in agent._workbench for part in _govern(workbench, place, runtime)]
    agent._max_tool_iterations = min(agent._max_tool_iterations, max_tool_iterations)
    return agent._max_tool_iterations


def _adopt_executor(agent: CodeExecutorAgent, place: str, session: Session, sandbox: str) -> None:
    agent._code_executor = sandboxed(agent._code_executor, place, sandbox, session)
    for message in agent._system_messages:
        session.instruct(message.content)
    if agent._model_client is not None:
        agent._model_client = _bound(agent._model_client, place)


def _bound(client: ChatCompletionClient, place: str) -> GovernedModelClient:
    if not isinstance(client, GovernedModelClient):
        raise UngovernedTeam(
            f"{place} has a model client of its own: {type(client).__name__}",
            hint='Build it with model_client=ctx.model("small").',
        )
    return client.bound(place)


def _govern(workbench: Workbench, place: str, runtime: KillableRuntime) -> Iterator[Workbench]:
    if isinstance(workbench, GovernedWorkbench):
        yield workbench.bound(place)
        return
    if isinstance(workbench, StaticWorkbench):
        nested = [tool for tool in workbench._tools if isinstance(tool, AgentTool | TeamTool)]
        others = [tool.name for tool in workbench._tools if not isinstance(tool, AgentTool | TeamTool)]
        if not others:
            yield NestedWorkbench(nested, runtime)
            return
        raise _free_tools(place, others)
    raise UngovernedTeam(
        f"{place} has a workbench of its own: {type(workbench).__name__}",
        hint='Configure the server under [tools.NAME] and build the agent with workbench=ctx.tools("NAME").',
    )
