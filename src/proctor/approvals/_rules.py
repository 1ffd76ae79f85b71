"""Which rule holds for a call, and on which terms it asks.

A rule is the first whose patterns name the tool and whose conditions are met. What can't be told, because an
argument is missing or of another type than the condition, never spares a person.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase

from proctor.approvals._edits import editable_schema
from proctor.approvals._values import SIGNIFICANT
from proctor.approvals._who import Roles, is_reserved
from proctor.core import (
    SANDBOX,
    ApprovalRule,
    Condition,
    ConfigurationError,
    JsonObject,
    JsonValue,
    Licensed,
    ReviewSettings,
    RoleSettings,
    Second,
    SecondRule,
    TeamSettings,
    Terms,
    ToolCall,
    ToolSpec,
    digest,
    person,
)


class ActionRules:
    """A team's rules for tool calls. Those that name a tool are found at once, however many there are."""

    def __init__(self, team: TeamSettings) -> None:
        self._team = team
        self._naming: dict[tuple[str, str], tuple[tuple[int, ApprovalRule], ...]] = {}
        """By tool: the rules whose patterns name it, each with its place."""

    def terms_of(self, call: ToolCall) -> Terms | None:
        """The terms on which a person is asked about a call; nothing where nobody is."""
        terms = self._ruled(call)
        if names_tool(self._team.review.significant, call.tool):
            return _significant(call, terms)
        return terms

    def _ruled(self, call: ToolCall) -> Terms | None:
        for place, rule in self._rules_naming(call.tool):
            met = _met(rule.when, call.arguments)
            if met or (met is None and rule.needs == "person"):
                return None if rule.needs == "nobody" else _action_terms(rule, place, call)
        if call.tool.effect == "read_only" or self._team.approval == "never":
            return None
        return Terms(editable=editable_schema(call.tool.parameters, call.arguments, "all"))

    def _rules_naming(self, tool: ToolSpec) -> tuple[tuple[int, ApprovalRule], ...]:
        key = (tool.server, tool.name)
        found = self._naming.get(key)
        if found is None:
            rules = enumerate(self._team.approvals, start=1)
            found = tuple(
                (place, rule) for place, rule in rules if not rule.human and names_tool(rule.tools, tool)
            )
            self._naming[key] = found
        return found


def _significant(call: ToolCall, terms: Terms | None) -> Terms:
    """The terms on which a person decides, whatever the rules say. Silence never approves here."""
    if terms is None:
        editable = editable_schema(call.tool.parameters, call.arguments, "all")
        return Terms(rule="significant", labels=(SIGNIFICANT,), editable=editable)
    on_expiry = "reject" if terms.on_expiry == "approve" else terms.on_expiry
    return replace(terms, labels=(*terms.labels, SIGNIFICANT), on_expiry=on_expiry)


def elicit_terms(call: ToolCall, team: TeamSettings) -> Terms:
    """The terms on which a person gives a tool what it asks for while it runs: those of the call itself."""
    terms = ActionRules(team).terms_of(call)
    return Terms() if terms is None else replace(terms, editable=None, second=None)


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
    tools = {*declared, (SANDBOX, settings.sandbox)} if settings.sandbox else declared
    known = {name for server, tool in tools for name in (tool, f"{server}.{tool}")}
    patterns = [
        (f"approvals: rule {place}", pattern)
        for place, rule in enumerate(settings.approvals, start=1)
        for pattern in (*rule.tools, *(rule.second.tools if rule.second else ()))
    ]
    patterns += [("review: significant", pattern) for pattern in settings.review.significant]
    for where, pattern in patterns:
        if pattern not in known and not any(fnmatchcase(name, pattern) for name in known):
            near = get_close_matches(pattern, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else "Mend it, or take it out."
            raise ConfigurationError(
                f"teams.{team}.{where} is for {pattern}, and no tool of the team is", hint=hint
            )


def check_humans(team: str, settings: TeamSettings, humans: Collection[str]) -> None:
    """Returns where no rule for a human is likely to mean one of a team's humans for whom there is none.

    A rule for somebody whom the team doesn't have is well where all others have theirs: a team may be built
    in several forms.

    Raises:
        ConfigurationError: a name seems to be misspelt, so that anybody could answer.
    """
    meant = {rule.human: place for place, rule in enumerate(settings.approvals, start=1) if rule.human}
    unruled = sorted(set(humans) - meant.keys())
    for human, place in meant.items():
        if human not in humans and unruled:
            near = get_close_matches(human, unruled, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Add a rule for {unruled[0]}, or mend this one."
            raise ConfigurationError(
                f"teams.{team}.approvals: rule {place} is for the human {human}, whom the team doesn't have",
                hint=hint,
            )


def check_roles(
    teams: Mapping[str, TeamSettings],
    roles: Mapping[str, RoleSettings],
    deployments: Collection[str],
    *,
    told: Collection[str],
) -> None:
    """Returns where every rule can be met: its roles exist and have people enough, and its judge exists.

    `told` are the roles that are told of questions that name nobody.

    Raises:
        ConfigurationError: one can't; or a member couldn't sign, or a role that is told doesn't exist.
    """
    for name, settings_of_role in roles.items():
        _check_members(name, settings_of_role.members)
    for role in told:
        check_role("notices.roles", role, roles)
    for team, settings in teams.items():
        for place, rule in enumerate(settings.approvals, start=1):
            where = f"teams.{team}.approvals: rule {place}"
            second = rule.second or SecondRule()
            for role in (*rule.roles, *rule.escalate_to, *second.roles):
                check_role(where, role, roles)
            _check_people(where, rule, roles)
            _check_judge(where, second.judge, deployments)
        _check_review(f"teams.{team}.review", settings.review, roles, deployments)


def check_licensed(licensed: Mapping[Licensed, str], roles: Mapping[str, RoleSettings]) -> None:
    """Returns where every role that lets advice out has somebody other than whoever asks.

    Raises:
        ConfigurationError: one hasn't.
    """
    for kind, role in licensed.items():
        where = f"policies.licensed.{kind}"
        check_role(where, role, roles)
        _check_enough(where, (role,), 1, roles)


def _check_review(
    where: str, review: ReviewSettings, roles: Mapping[str, RoleSettings], deployments: Collection[str]
) -> None:
    for role in (*review.roles, *review.escalate_to):
        check_role(where, role, roles)
    needed = review.quorum + review.not_requester
    for names in (review.roles, *((role,) for role in review.escalate_to)):
        if names and (needed > 1 or not any(roles[name].notify for name in names)):
            _check_enough(where, names, needed, roles)
    _check_judge(where, review.judge, deployments)


def _check_judge(where: str, judge: str | None, deployments: Collection[str]) -> None:
    if judge and judge not in deployments:
        raise ConfigurationError(
            f"{where} has the judge {judge}, which no model is called",
            hint=f"Add [models.{judge}], or name another one.",
        )


def roles_from(settings: Mapping[str, RoleSettings]) -> Roles:
    """The members of each role."""
    return {name: role.members for name, role in settings.items()}


def check_role(where: str, role: str, roles: Mapping[str, RoleSettings]) -> None:
    """Returns where there is a role of that name that somebody has, or is told of.

    Raises:
        ConfigurationError: there isn't.
    """
    if role not in roles:
        near = get_close_matches(role, roles, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Add [roles.{role}] with its members."
        raise ConfigurationError(f"{where} names the role {role}, which isn't configured", hint=hint)
    if not roles[role].members and not roles[role].notify:
        raise ConfigurationError(
            f"{where} names the role {role}, which has no members", hint=f"Add roles.{role}.members."
        )


def _check_members(role: str, members: Iterable[str]) -> None:
    for member in members:
        if not person(member) or is_reserved(member):
            raise ConfigurationError(
                f"roles.{role}.members: nobody can sign as {member!r}",
                hint="Name members as they sign: ann@example.org.",
            )


def _check_people(where: str, rule: ApprovalRule, roles: Mapping[str, RoleSettings]) -> None:
    second = rule.second.roles if rule.second else ()
    if second:
        _check_enough(where, second, 1, roles)
    asked = [
        (rule.roles, rule.quorum + rule.not_requester),
        *(((role,), rule.quorum) for role in rule.escalate_to),
    ]
    for names, needed in asked:
        # Who decides by a role's link can't be told from others: it counts where any one person is enough.
        linked = any(roles[name].notify for name in names) and (needed, rule.second) == (1, None)
        if names and not linked:
            _check_enough(where, names, needed, roles)
            if second:
                _check_enough(where, (*names, *second), needed + 1, roles)


def _check_enough(where: str, names: Iterable[str], needed: int, roles: Mapping[str, RoleSettings]) -> None:
    people = len({person(member) for name in names for member in roles[name].members})
    if people < needed:
        raise ConfigurationError(
            f"{where} needs {needed} persons, and {' and '.join(dict.fromkeys(names))} have {people}",
            hint="Add members, or ask less: quorum, second, and not_requester, which takes one of them away.",
        )


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
    if rule is None or (rule.tools and not names_tool(rule.tools, call.tool)):
        return None
    if _met(rule.when, call.arguments) is False or _drawn(call) >= rule.share:
        return None
    return Second(roles=rule.roles, judge=rule.judge or "", rubric=rule.rubric)


def _drawn(call: ToolCall) -> float:
    """A number from 0 to 1 that belongs to the call, the same at every attempt."""
    return int(digest([call.scope.key, "second"])[:8], 16) / 0x1_0000_0000


def names_tool(patterns: Sequence[str], tool: ToolSpec) -> bool:
    """Whether a pattern names a tool, as `refund` or as `orders.refund`."""
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
