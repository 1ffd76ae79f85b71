"""Who may decide a question: names, roles, delegations."""

from collections.abc import Collection, Mapping
from typing import TypeAlias

from proctor.approvals._values import EXPIRY, STANDING, Approval
from proctor.core import LINK, Conflict, Forbidden, InvalidInput, person

Roles: TypeAlias = Mapping[str, Collection[str]]
"""The members of each role."""


def roles_of(name: str, roles: Roles) -> tuple[str, ...]:
    """The roles that a person is a member of. A link that was sent to a role counts as a member."""
    who = person(name)
    return tuple(role for role, members in roles.items() if who in _members(role, members))


def check_right(approval: Approval, by: str, roles: Roles, *, link_of: str = "") -> None:
    """Returns where a person may decide a question now. `link_of` is the role whose link was used.

    Raises:
        InvalidInput: the name is one that Proctor itself signs with.
        Forbidden: the person isn't one of those who decide.
        Conflict: the person has decided already.
    """
    who = person(by)
    by_link = bool(link_of) and who == person(LINK + link_of)
    if not by_link:
        check_name(by)
    if by_link and approval.needs_names:
        raise Forbidden(
            "this question is decided by persons who are known by name, and anybody may hold a role's link",
            hint=f"Decide with your own name: proctor approvals decide {approval.id} --by NAME.",
        )
    if not who:
        if approval.roles or approval.needs_names:
            raise Forbidden("this question isn't decided without a name", hint="Say who decides: --by NAME.")
        return
    if who in approval.barred:
        reason = "asked for this run" if who == person(approval.requester) else "gave the first approval"
        raise Forbidden(f"{by} {reason}: somebody else decides")
    if any(person(vote.by) == who for vote in approval.votes):
        raise Conflict(f"{by} has voted on approval {approval.id} already")
    if approval.roles:
        _check_role(approval, by, roles)
    elif approval.needs_names and ":" in who:
        raise Forbidden(
            f"persons decide this question, and {by} is a program's key",
            hint="Decide with a key of your own: proctor keys create --person NAME.",
        )


def is_reserved(name: str) -> bool:
    """Whether Proctor itself signs with a name."""
    return person(name) == EXPIRY or person(name).startswith((STANDING, LINK))


def check_name(name: str) -> None:
    """Returns where a name may be a person's.

    Raises:
        InvalidInput: it is one that Proctor itself signs with.
    """
    if is_reserved(name):
        raise InvalidInput(f"nobody is called {name}", hint="Sign with your own name.")


def _check_role(approval: Approval, by: str, roles: Roles) -> None:
    who = person(by)
    handed_on = {person(given.by): person(given.to) for given in approval.delegations}
    if is_member(approval, by, roles):
        if who in handed_on:
            raise Forbidden(f"{by} has handed this decision to {handed_on[who]}")
        return
    if not any(to == who and is_member(approval, by, roles) for by, to in handed_on.items()):
        names = " or ".join(approval.roles)
        raise Forbidden(
            f"{by} isn't one of those who decide approval {approval.id}: {names}",
            hint="A member can hand the decision on: proctor approvals delegate.",
        )


def voters(approval: Approval, handed_on: Mapping[str, str], roles: Roles) -> set[str]:
    """Who may vote on a question that members of roles decide, as far as they are known by name."""
    members = {person(member) for role in approval.roles for member in roles.get(role, ())}
    return {handed_on.get(member, member) for member in members} - set(approval.barred)


def is_member(approval: Approval, name: str, roles: Roles) -> bool:
    """Whether a person belongs to a role that decides now."""
    who = person(name)
    return any(who in _members(role, roles.get(role, ())) for role in approval.roles)


def _members(role: str, members: Collection[str]) -> set[str]:
    return {person(LINK + role), *(person(member) for member in members)}
