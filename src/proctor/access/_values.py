"""Who somebody is to the server, and what that lets them do."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from proctor.core import AccessRole

Role: TypeAlias = AccessRole
KeyState: TypeAlias = Literal["active", "expired", "revoked"]

INCLUDES: Mapping[Role, frozenset[Role]] = {
    "viewer": frozenset({"viewer"}),
    "operator": frozenset({"viewer", "operator"}),
    "approver": frozenset({"viewer", "approver"}),
    "auditor": frozenset({"viewer", "auditor"}),
    "admin": frozenset({"viewer", "operator", "approver", "auditor", "admin"}),
}
"""What each role may do of the others' work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody whom the server knows: a program by its key, a person by signing in."""

    name: str
    """The person's name as the configuration's roles write it; of a key that is nobody's own, `key:NAME`."""
    kind: Literal["key", "person", "local"]
    """`local`: whoever reaches a server on a loopback address that asks for no authentication."""
    roles: frozenset[Role]
    tenant: str | None
    """The one tenant whose things they see; nothing: they belong to the platform and see all."""

    def may(self, role: Role) -> bool:
        """Whether they may do what the role does."""
        return any(role in INCLUDES[own] for own in self.roles)

    def sees(self, tenant: str) -> bool:
        """Whether the tenant's things are theirs to see."""
        return self.tenant is None or self.tenant == tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as everybody may read it: without its secret."""

    id: str
    name: str
    person: str
    """Whose own key it is: what it decides is signed with this name. Empty: with `key:NAME`."""
    roles: frozenset[Role]
    tenant: str | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    successor: str | None = None
    """The key that it was rotated to."""
    used_at: datetime | None = None
    """When it was used last, give or take five minutes."""

    @property
    def principal(self) -> Principal:
        """Who holds it."""
        name = self.person or f"key:{self.name}"
        return Principal(name=name, kind="key", roles=self.roles, tenant=self.tenant)

    def state(self, at: datetime) -> KeyState:
        """Whether it opens anything."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= at else "active"

    def told(self, at: datetime) -> Mapping[str, object]:
        """What programs are told of it, by its fields' names."""
        return {**asdict(self), "roles": sorted(self.roles), "state": self.state(at)}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key with its secret, which nobody can be told again."""

    key: Key
    token: str = field(repr=False)

    def told(self) -> Mapping[str, object]:
        """What programs are told of it, this once."""
        return {**self.key.told(self.key.created_at), "token": self.token}


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who has signed in."""

    id: str
    """The hash of what the browser holds."""
    name: str
    roles: frozenset[Role]
    tenant: str | None
    began_at: datetime
    seen_at: datetime
    """When it was used last, give or take a minute."""

    @property
    def principal(self) -> Principal:
        """Who has signed in."""
        return Principal(name=self.name, kind="person", roles=self.roles, tenant=self.tenant)
