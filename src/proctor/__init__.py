"""Proctor: the production runtime for AutoGen multi-agent teams.

Names are loaded when they are first used, so that the command line starts without AutoGen or a database.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proctor.agents import TeamContext
    from proctor.app import App, Proctor, Settings, load_settings
    from proctor.app import open_proctor as open
    from proctor.core import Decision, Event, ProctorError, Token
    from proctor.runs import Run

_ROOMS = {
    "App": "proctor.app",
    "Decision": "proctor.core",
    "Event": "proctor.core",
    "Proctor": "proctor.app",
    "ProctorError": "proctor.core",
    "Run": "proctor.runs",
    "Settings": "proctor.app",
    "TeamContext": "proctor.agents",
    "Token": "proctor.core",
    "load_settings": "proctor.app",
    "open": "proctor.app",
}

__all__ = [
    "App",
    "Decision",
    "Event",
    "Proctor",
    "ProctorError",
    "Run",
    "Settings",
    "TeamContext",
    "Token",
    "load_settings",
    "open",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'proctor' has no attribute {name!r}")
    return getattr(import_module(_ROOMS[name]), "open_proctor" if name == "open" else name)
