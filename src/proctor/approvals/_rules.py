"""Which rule holds for a call, and on which terms it asks.

A rule is the first whose patterns name the tool and whose conditions are met. What can't be told, because an
argument is missing or of another type than the condition, never spares a person.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from proctor.approvals._edits import editable_schema
from proctor.approvals._who import Roles
from proctor.core import (
    ApprovalRule,
    Condition,
    ConfigurationError,
    JsonObject,
    JsonValue,
    RoleSettings,
    Second,
    SecondRule,
    TeamSettings,
    Terms,
    ToolCall,
    ToolSpec,
    digest,
)


def terms_of(call: ToolCall, team: TeamSettings) -> Terms | None:
    """The terms on which a person is asked about a call; nothing where nobody is."""
    for place, rule in enumerate(team.approvals, start=1):
        if rule.human or not _names(rule.tools, call.tool):
            continue
        met = _met(rule.when, call.arguments)
        if met or (met is None and rule.needs == "person"):
            return None if rule.needs == "nobody" else _action_terms(rule, place, call)
    if call.tool.effect == "read_only" or team.approval == "never":
        return None
    return Terms(editable=editable_schema(call.tool.parameters, call.arguments, "all"))


def human_terms(role: str, team: TeamSettings) -> Terms:
    """The terms on which a team's own human is asked to speak."""
    for place, rule in enumerate(team.approvals, start=1):
        if rule.human == role:
            return _terms(rule, place)
    return Terms()


def check_patterns(team: str, settings: TeamSettings, declared: Collection[tuple[str, str]]) -> None:
    """Returns where every pattern of a team's rules names a tool that the team declares.

    Raises:
        ConfigurationError: one names none, so that its rule would never hold.
    """
    known = {name for server, tool in declared for name in (tool, f"{server}.{tool}")}
    for place, rule in enumerate(settings.approvals, start=1):
        for pattern in (*rule.tools, *(rule.second.tools if rule.second else ())):
            if not any(fnmatchcase(name, pattern) for name in known):
                near = get_close_matches(pattern, known, n=1)
                hint = f"Did you mean {near[0]}?" if near else "Mend it, or take it out."
                raise ConfigurationError(
                    f"teams.{team}.approvals: rule {place} is for {pattern}, and no tool of the team is",
                    hint=hint,
                )


def check_roles(
    teams: Mapping[str, TeamSettings], roles: Mapping[str, RoleSettings], deployments: Collection[str]
) -> None:
    """Returns where every rule can be met: its roles exist and have people enough, and its judge exists.

    Raises:
        ConfigurationError: one can't.
    """
    for team, settings in teams.items():
        for place, rule in enumerate(settings.approvals, start=1):
            where = f"teams.{team}.approvals: rule {place}"
            second = rule.second or SecondRule()
            for role in (*rule.roles, *rule.escalate_to, *second.roles):
                _check_role(where, role, roles)
            for asked in (rule.roles, *((role,) for role in rule.escalate_to)):
                if asked and rule.quorum > (people := _people(asked, roles)):
                    raise ConfigurationError(
                        f"{where} needs {rule.quorum} persons, and {' and '.join(asked)} have {people}",
                        hint="Lower its quorum, or add members.",
                    )
            if second.judge and second.judge not in deployments:
                raise ConfigurationError(
                    f"{where} has the judge {second.judge}, which no model is called",
                    hint=f"Add [models.{second.judge}], or name another one.",
                )


def roles_from(settings: Mapping[str, RoleSettings]) -> Roles:
    """The members of each role."""
    return {name: role.members for name, role in settings.items()}


def _check_role(where: str, role: str, roles: Mapping[str, RoleSettings]) -> None:
    if role not in roles:
        near = get_close_matches(role, roles, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Add [roles.{role}] with its members."
        raise ConfigurationError(f"{where} names the role {role}, which isn't configured", hint=hint)
    if not roles[role].members and not roles[role].notify:
        raise ConfigurationError(
            f"{where} names the role {role}, which has no members", hint=f"Add roles.{role}.members."
        )


def _people(names: Iterable[str], roles: Mapping[str, RoleSettings]) -> int:
    """How many persons can vote; a role's links count as one."""
    members = {member.casefold().strip() for name in names for member in roles[name].members}
    return len(members) + sum(bool(roles[name].notify) for name in names)


def _action_terms(rule: ApprovalRule, place: int, call: ToolCall) -> Terms:
    editable = editable_schema(call.tool.parameters, call.arguments, rule.editable)
    return _terms(rule, place, editable=editable, second=_second(rule.second, call))


def _terms(
    rule: ApprovalRule, place: int, *, editable: JsonObject | None = None, second: Second | None = None
) -> Terms:
    return Terms(
        rule=rule.name or f"approvals.{place}",
        risk=rule.risk,
        labels=rule.labels,
        roles=rule.roles,
        quorum=rule.quorum,
        not_requester=rule.not_requester,
        expires=rule.expires,
        on_expiry=rule.on_expiry,
        escalate_to=rule.escalate_to,
        default=rule.default,
        remind=rule.remind,
        editable=editable,
        second=second,
    )


def _second(rule: SecondRule | None, call: ToolCall) -> Second | None:
    if rule is None or (rule.tools and not _names(rule.tools, call.tool)):
        return None
    if _met(rule.when, call.arguments) is False or _drawn(call) >= rule.share:
        return None
    return Second(roles=rule.roles, judge=rule.judge or "", rubric=rule.rubric)


def _drawn(call: ToolCall) -> float:
    """A number from 0 to 1 that belongs to the call, the same at every attempt."""
    return int(digest([call.scope.key, "second"])[:8], 16) / 0x1_0000_0000


def _names(patterns: Sequence[str], tool: ToolSpec) -> bool:
    names = (tool.name, f"{tool.server}.{tool.name}")
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def _met(when: Mapping[str, Condition], arguments: JsonObject) -> bool | None:
    """Whether the arguments meet all conditions; nothing where that can't be told."""
    answers = [_holds(condition, *_find(arguments, path)) for path, condition in when.items()]
    if False in answers:
        return False
    return None if None in answers else True


def _find(arguments: JsonObject, path: str) -> tuple[bool, JsonValue]:
    value: JsonValue = arguments
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return False, None
        value = value[part]
    return True, value


def _holds(condition: Condition, there: bool, value: JsonValue) -> bool | None:  # noqa: FBT001 - as `_find` gives it
    if not there:
        return None
    answers: list[bool | None] = []
    given = condition.model_fields_set
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if condition.above is not None:
        answers.append(None if number is None else number > condition.above)
    if condition.below is not None:
        answers.append(None if number is None else number < condition.below)
    if condition.like is not None:
        answers.append(fnmatchcase(value, condition.like) if isinstance(value, str) else None)
    if "equals" in given:
        answers.append(_same(value, condition.equals))
    if condition.one_of is not None:
        answers.append(any(_same(value, one) for one in condition.one_of))
    if False in answers:
        return False
    return None if None in answers else True


def _same(one: JsonValue, other: JsonValue) -> bool:
    """Whether two JSON values are equal; `true` is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other
