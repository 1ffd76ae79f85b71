"""Who may use the server: keys, people, roles, tenants. Knows no HTTP server."""

from proctor.access._keys import OVERLAP, Keys
from proctor.access._sessions import Sessions
from proctor.access._setup import offer_setup, spend_setup
from proctor.access._values import INCLUDES, Key, KeyState, NewKey, Principal, Role, Session

__all__ = [
    "INCLUDES",
    "OVERLAP",
    "Key",
    "KeyState",
    "Keys",
    "NewKey",
    "Principal",
    "Role",
    "Session",
    "Sessions",
    "offer_setup",
    "spend_setup",
]
