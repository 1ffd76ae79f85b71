"""What an identity provider says of somebody, as somebody whom the server knows."""

from collections.abc import Collection, Mapping

from proctor.access._keys import check_person
from proctor.access._values import Principal, Role
from proctor.core import Forbidden, InvalidInput, JsonValue, OidcSettings


def person_of(claims: Mapping[str, JsonValue], settings: OidcSettings) -> Principal:
    """Who somebody is, by the claims of a token that was checked.

    Raises:
        Forbidden: the claims don't name them, or no group of theirs gives them a role.
    """
    name = claims.get(settings.name)
    if not isinstance(name, str) or not name.strip():
        raise Forbidden(
            f"the identity provider doesn't say {settings.name}",
            hint="Set `name` under [access.oidc] to a claim that it gives, or ask it for another scope.",
        )
    if settings.name == "email" and claims.get("email_verified") not in (True, "true"):
        raise Forbidden("the identity provider hasn't verified the address")
    try:
        check_person(name)
    except InvalidInput as error:
        raise Forbidden(error.message) from error
    roles, tenant = _granted(_groups(claims.get(settings.groups)), settings)
    if not roles:
        raise Forbidden("no group of theirs gives this person a role", hint="An admin gives roles to groups.")
    return Principal(name=name, kind="person", roles=roles, tenant=tenant)


def _groups(said: JsonValue) -> Collection[str]:
    if isinstance(said, str):
        return {said}
    return {each for each in said if isinstance(each, str)} if isinstance(said, list) else ()


def _granted(groups: Collection[str], settings: OidcSettings) -> tuple[frozenset[Role], str | None]:
    """The roles and the tenant of the first grant that matches, with the roles of others of that tenant.

    Roles of two tenants are never joined: nobody becomes an admin of one by being it of another.
    """
    matching = [grant for grant in settings.grants if grant.group in groups]
    if not matching:
        return frozenset(), None
    tenant = matching[0].tenant
    roles = (role for grant in matching if grant.tenant == tenant for role in grant.roles)
    return frozenset(roles), tenant
