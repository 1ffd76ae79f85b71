"""Who may use the server: keys, people, roles, tenants. Knows no HTTP."""

from proctor.access._values import INCLUDES, Principal, Role

__all__ = ["INCLUDES", "Principal", "Role"]
