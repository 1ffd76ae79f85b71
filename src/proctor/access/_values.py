"""Who somebody is to the server, and what that lets them do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Role = Literal["viewer", "operator", "approver", "auditor", "admin"]
"""`viewer` reads runs; `operator` starts, cancels and sets things; `approver` decides; `auditor` reads the
record and exports it; `admin` does all that, and says who may do what."""

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
    """The person's name as the configuration's roles write it, or the key's."""
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
