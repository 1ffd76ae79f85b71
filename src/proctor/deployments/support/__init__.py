"""The customer-support deployment: its teams, its shop behind an MCP server, and its help articles.

Run it with `proctor run proctor.deployments.support:support "How long can I return something?"`.
Names are loaded when they are first used: the shop's server lives in this package and starts without AutoGen.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proctor.deployments.support._shelf import load_knowledge
    from proctor.deployments.support._teams import app, make_app

_MODULES = {"app": "_teams", "load_knowledge": "_shelf", "make_app": "_teams"}

__all__ = ["app", "load_knowledge", "make_app"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
