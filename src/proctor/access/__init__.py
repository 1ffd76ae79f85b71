"""Who may use the server: keys, people, roles, tenants. Knows no HTTP server."""

from proctor.access._keys import KEY_NAME, LONGEST_LIFE, OVERLAP, Keys
from proctor.access._leaving import ShutOut, shut_out
from proctor.access._sessions import Sessions
from proctor.access._setup import offer_setup, spend_setup
from proctor.access._values import INCLUDES, Key, KeyState, NewKey, Principal, Role, Session

__all__ = [
    "INCLUDES",
    "KEY_NAME",
    "LONGEST_LIFE",
    "OVERLAP",
    "Key",
    "KeyState",
    "Keys",
    "NewKey",
    "Principal",
    "Role",
    "Session",
    "Sessions",
    "ShutOut",
    "offer_setup",
    "shut_out",
    "spend_setup",
]
