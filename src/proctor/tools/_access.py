"""Who may see which kinds of data that tools return: whole answers, and parts of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from proctor.core import (
    LEVELS,
    Confidentiality,
    ConfigurationError,
    DataSettings,
    JsonObject,
    Label,
    TeamSettings,
    ToolCall,
    ToolHandler,
    ToolMiddleware,
    ToolResult,
    in_own_thread,
    join,
)
from proctor.tools._callers import narrowest
from proctor.tools._fields import Fields
from proctor.tools._masks import Masked, mask
from proctor.tools._output import is_long
from proctor.tools._refusals import refuse
from proctor.tools._rules import Rule, ToolRules
from proctor.tools._text import fitted

RULE = "access"

LONG = 20_000
"""Characters from which on an answer is masked beside the event loop: about 10 ms of work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """One tool's answers as those see them who have one clearance."""

    denied: tuple[str, ...]
    """Kinds of data for which the tool isn't called."""
    seen: tuple[str, ...]
    """Kinds of data that an answer may show."""
    hidden: Fields | None
    label: Label
    """Of what is shown."""
    most: int
    """Characters of an answer: what stands for what was masked may be longer."""


def guard_access(rules: ToolRules, team: TeamSettings, data: DataSettings) -> ToolMiddleware:
    """A middleware that keeps kinds of data from those who have no clearance for them, and labels answers.

    A tool that returns such data as a whole isn't called: the model reads a refusal. Where parts of its
    answer are such data they are masked. An answer's label is the join of the tool's and of what the call
    rests on.
    """
    views: dict[tuple[str, str, frozenset[str]], _View] = {}
    clearances: dict[str, frozenset[str]] = {}

    def view_of(call: ToolCall) -> _View:
        agent = call.scope.agent
        clearance = clearances.get(agent)
        if clearance is None:
            clearance = clearances[agent] = _clearance(agent, team, data)
        key = (call.tool.server, call.tool.name, clearance)
        view = views.get(key)
        if view is None:
            view = views[key] = _view(rules.of(call.tool.server, call.tool.name), clearance, rules)
        return view

    async def middleware(call: ToolCall, handler: ToolHandler) -> ToolResult:
        view = view_of(call)
        if view.denied:
            return _deny(call, view.denied)
        result = await handler(call)
        if result.refused_by:
            return result
        label = join((result.label, call.scope.label, view.label))
        if view.hidden is None:
            if view.seen:
                _tell(call, view.seen, ())
            return replace(result, label=label)
        work = partial(_masked, view.hidden, result, view.most)
        masked = await in_own_thread(work, name="proctor-mask") if is_long(result, LONG) else work()
        if view.seen or masked.kinds:
            _tell(call, view.seen, masked.kinds)
        return replace(result, text=masked.text, structured=masked.structured, label=label)

    return middleware


def check_clearances(teams: Mapping[str, TeamSettings], rules: ToolRules, data: DataSettings) -> None:
    """Returns where every kind of data that a team or an agent may see is known, and the team may see it.

    Raises:
        ConfigurationError: one isn't known; or an agent is to see what its team may not.
    """
    for name, team in teams.items():
        for kind in team.clearance or ():
            rules.check_class(f"teams.{name}.clearance", kind)
        may_see = data.clearance if team.clearance is None else team.clearance
        for agent, settings in team.agents.items():
            where = f"teams.{name}.agents.{agent}.clearance"
            for kind in settings.clearance or ():
                rules.check_class(where, kind)
                if kind not in may_see:
                    raise ConfigurationError(
                        f"{where} names {kind!r}, and the team may not see that",
                        hint=f"Add it to teams.{name}.clearance, or take it out here.",
                    )


def _clearance(agent: str, team: TeamSettings, data: DataSettings) -> frozenset[str]:
    """The kinds of data that an agent may see."""
    may_see = frozenset(data.clearance if team.clearance is None else team.clearance)
    own = {
        name: frozenset(each.clearance) for name, each in team.agents.items() if each.clearance is not None
    }
    return may_see.intersection(narrowest(agent, own, may_see))


def _view(rule: Rule, clearance: frozenset[str], rules: ToolRules) -> _View:
    hidden = {path: kind for path, kind in rule.fields.items() if kind not in clearance}
    seen = rule.classes | {kind for kind in rule.fields.values() if kind in clearance}
    levels: list[Confidentiality] = [rule.level, *map(rules.level_of, seen)]
    level = max(levels, key=LEVELS.index)
    is_ordinary = rule.label.is_trusted and not Label(confidentiality=level).exceeds("user")
    return _View(
        denied=tuple(sorted(rule.classes - clearance)),
        seen=tuple(sorted(seen)),
        hidden=Fields(hidden) if hidden else None,
        label=replace(rule.label, confidentiality=level, sources=() if is_ordinary else rule.label.sources),
        most=rule.max_output,
    )


def _masked(hidden: Fields, result: ToolResult, most: int) -> Masked:
    masked = mask(hidden, result.text, result.structured)
    text, structured = fitted(masked.text, masked.structured, most)
    return replace(masked, text=text, structured=structured)


def _deny(call: ToolCall, kinds: tuple[str, ...]) -> ToolResult:
    data: JsonObject = {"server": call.tool.server, "tool": call.tool.name, "classes": kinds}
    call.scope.event("data.denied", data)
    text = (
        f"The tool {call.tool.name!r} of {call.tool.server!r} was not called: it returns "
        f"{' and '.join(kinds)} data, for which there is no clearance here. Go on without it."
    )
    return refuse(call, RULE, text)


def _tell(call: ToolCall, seen: tuple[str, ...], masked: tuple[str, ...]) -> None:
    data: JsonObject = {
        "server": call.tool.server,
        "tool": call.tool.name,
        "classes": seen,
        "masked": masked,
    }
    call.scope.event("data.accessed", data)
