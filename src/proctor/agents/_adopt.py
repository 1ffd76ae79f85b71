"""Making a team that a factory built the run's own: governed, killable, and named part by part.

Written against the private parts of AutoGen 0.7.5, to which Proctor is pinned; the contract tests hold each.
Knows no journal, policy or provider.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autogen_agentchat.agents import (
    AssistantAgent,
    CodeExecutorAgent,
    MessageFilterAgent,
    SocietyOfMindAgent,
    UserProxyAgent,
)
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.teams import BaseGroupChat
from autogen_agentchat.tools import AgentTool, TeamTool
from autogen_core.code_executor import CodeExecutor
from autogen_core.models import ChatCompletionClient
from autogen_core.tools import BaseTool, StaticWorkbench, Workbench

from proctor.agents._human import DurableHuman
from proctor.agents._model import GovernedModelClient
from proctor.agents._runtime import KillableRuntime
from proctor.agents._workbench import GovernedWorkbench, NestedWorkbench
from proctor.core import TeamError, UngovernedTeam

LONGEST_PLACE = 160
"""Characters of an agent's name behind those of the teams around it; the journal keeps 200."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What is known of a team's members."""

    iterations: Mapping[str, int]
    """The tool iterations that each assistant may make."""
    people: frozenset[str]


def adopt(team: Team | ChatAgent, runtime: KillableRuntime, *, max_tool_iterations: int) -> Roles:
    """The team's members, after the team has been made the run's own.

    Raises:
        UngovernedTeam: a part of the team would bypass the chain.
    """
    limits: dict[str, int] = {}
    people: set[str] = set()
    for place, part in _parts(team, ""):
        if len(place) > LONGEST_PLACE:
            raise TeamError(f"an agent's place has more than {LONGEST_PLACE} characters: {place}")
        match part:
            case BaseGroupChat():
                _adopt_team(part, place, runtime)
            case AssistantAgent():
                limits[part.name] = _adopt_assistant(part, place, runtime, max_tool_iterations)
            case SocietyOfMindAgent():
                part._model_client = _bound(part._model_client, place)
            case CodeExecutorAgent():
                raise _executes_code(place)
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


def _parts(part: object, above: str) -> Iterator[tuple[str, Any]]:
    """Every agent and team within, the outer ones first, each with its place such as `desk/analyst`."""
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
        yield from _parts(child, place)


def _check_held(part: object, place: str, runtime: KillableRuntime) -> None:
    """Returns where an agent of the user's own holds nothing that would bypass the chain."""
    for held in vars(part).values():
        for value in _items(held):
            match value:
                case ChatCompletionClient():
                    _bound(value, place)
                case Workbench():
                    tuple(_govern(value, place, runtime))
                case BaseTool() if not isinstance(value, AgentTool | TeamTool):
                    raise _free_tools(place, [value.name])
                case CodeExecutor():
                    raise _executes_code(place)
                case _:
                    pass


def _items(held: object) -> Iterable[object]:
    match held:
        case Mapping():
            return held.values()
        case list() | tuple() | set() | frozenset():
            return held
        case _:
            return (held,)


def _executes_code(place: str) -> UngovernedTeam:
    return UngovernedTeam(
        f"{place} executes code, which no chain can govern",
        hint="Give the work to a tool server that runs it in a sandbox.",
    )


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
    agent: AssistantAgent, place: str, runtime: KillableRuntime, max_tool_iterations: int
) -> int:
    agent._model_client = _bound(agent._model_client, place)
    agent._workbench = [part for workbench in agent._workbench for part in _govern(workbench, place, runtime)]
    agent._max_tool_iterations = min(agent._max_tool_iterations, max_tool_iterations)
    return agent._max_tool_iterations


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
