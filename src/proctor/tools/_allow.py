"""Which tools a team and its agents may call."""

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import TypeAlias

from proctor.core import (
    AgentSettings,
    ConfigurationError,
    TeamSettings,
    ToolCall,
    ToolHandler,
    ToolMiddleware,
    ToolResult,
    ToolSpec,
)
from proctor.tools._callers import narrowest
from proctor.tools._commands import runs_commands
from proctor.tools._functions import PYTHON
from proctor.tools._refusals import refuse
from proctor.tools._rules import ToolRules
from proctor.tools._text import did_you_mean

RULE = "allow_list"
AGENT_RULE = "agent_allow_list"
COMMANDS_RULE = "commands"

Tools: TypeAlias = frozenset[tuple[str, str]]


def allow_list(
    allowed: Collection[tuple[str, str]],
    *,
    agents: Mapping[str, AgentSettings] | None = None,
    rules: ToolRules | None = None,
) -> ToolMiddleware:
    """A middleware that passes on calls of the tools that are named exactly, as (server, tool).

    A name that only looks like an allowed one is refused; the likeness goes no further than the hint.
    `agents` narrow it for single agents. With `rules`, tools that run commands are refused where no rule
    allows it. What an agent holds itself is no tool of the team's: it was looked at when the team was built.
    """
    exact = frozenset(allowed)
    of_agent = _narrowed(exact, agents or {})
    commands = _commands(rules)

    async def middleware(call: ToolCall, handler: ToolHandler) -> ToolResult:
        if call.act is not None:
            return await handler(call)
        name = (call.tool.server, call.tool.name)
        if name not in exact:
            return refuse(call, RULE, f"{_title(call)} may not be called by this team. {_hint(call, exact)}")
        mine = of_agent(call.scope.agent)
        if name not in mine:
            text = f"{_title(call)} may not be called by {call.scope.agent!r}. {_hint(call, mine)}"
            return refuse(call, AGENT_RULE, text)
        if reason := commands(call.tool):
            text = f"{_title(call)} was not called: {reason}, and running commands is not allowed here."
            return refuse(call, COMMANDS_RULE, text)
        return await handler(call)

    return middleware


def check_agent_tools(team: str, settings: TeamSettings, declared: Collection[tuple[str, str]]) -> None:
    """Returns where every tool in an agent's list is one of the team's.

    Raises:
        ConfigurationError: one isn't, so that the agent could never call it.
    """
    known = {name for server, tool in declared for name in _names(server, tool)}
    for agent, own in settings.agents.items():
        for name in own.tools or ():
            if name not in known:
                raise ConfigurationError(
                    f"teams.{team}.agents.{agent}.tools names {name!r}, and the team has no such tool",
                    hint=did_you_mean(name, known),
                )


def _names(server: str, tool: str) -> tuple[str, ...]:
    """The words that stand for a tool in a list."""
    return (tool,) if server == PYTHON else (server, f"{server}.{tool}")


def _narrowed(exact: Tools, agents: Mapping[str, AgentSettings]) -> Callable[[str], Tools]:
    lists = {
        agent: frozenset(each for each in exact if not set(own.tools).isdisjoint(_names(*each)))
        for agent, own in agents.items()
        if own.tools is not None
    }
    if not lists:
        return lambda _: exact

    @lru_cache(maxsize=1024)
    def of_agent(place: str) -> Tools:
        return narrowest(place, lists, exact)

    return of_agent


def _commands(rules: ToolRules | None) -> Callable[[ToolSpec], str]:
    """Why a tool is refused as one that runs commands; each specification is looked at once."""
    if rules is None:
        return lambda _: ""
    known: dict[tuple[str, str], tuple[ToolSpec, str]] = {}

    def reason(tool: ToolSpec) -> str:
        key = (tool.server, tool.name)
        found = known.get(key)
        if found is None or found[0] is not tool:
            allowed = rules.of(*key).commands == "allow"
            found = known[key] = (tool, "" if allowed else runs_commands(tool))
        return found[1]

    return reason


def _title(call: ToolCall) -> str:
    return f"The tool {call.tool.name!r} of {call.tool.server!r}"


def _hint(call: ToolCall, allowed: Tools) -> str:
    return did_you_mean(call.tool.name, {tool for _, tool in allowed})
