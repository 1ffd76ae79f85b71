"""The application: teams and functions registered by decorators, and how a file of them is loaded."""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from proctor.agents import TeamFactory
from proctor.core import ConfigurationError, Effect, NotFound
from proctor.tools import PythonTool, function_tool

if TYPE_CHECKING:
    from proctor.app._proctor import Proctor

F = TypeVar("F", bound=Callable[..., Any])

LONGEST_NAME = 64

Lifespan: TypeAlias = Callable[["Proctor"], AbstractAsyncContextManager[None]]
"""What an application opens for its tools when it is opened itself, and closes with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredTeam:
    """A team as an application declares it."""

    name: str
    factory: TeamFactory
    tools: tuple[str, ...]
    """What the team may use: servers, single tools (`server.tool`), or functions. Nothing else reaches it."""
    simple: TeamFactory | None = None
    """A simpler form, best a single agent, for runs that start while the system is degraded."""


class App:
    """What an application offers: its teams and its own functions as tools.

    ```python
    app = proctor.App()

    @app.tool(effect="read_only")
    def opening_hours(day: str) -> str:
        "When the shop is open on a day."

    @app.team("triage", tools=["orders", "opening_hours"])
    def triage(ctx: proctor.TeamContext) -> RoundRobinGroupChat: ...
    ```

    `lifespan` is entered before the first run and left after the last one.
    """

    def __init__(self, *, lifespan: Lifespan | None = None) -> None:
        self.lifespan = lifespan
        self.teams: dict[str, RegisteredTeam] = {}
        self.functions: dict[str, PythonTool] = {}

    def team(
        self, name: str, *, tools: list[str] | None = None, simple: TeamFactory | None = None
    ) -> Callable[[F], F]:
        """Registers a factory. It is called for each segment of a run, with the run's `TeamContext`.

        `simple` builds the team's simpler form. A run that starts while the system is degraded to level 2 or
        beyond keeps to it for its whole life.
        """

        def register(factory: F) -> F:
            if not 0 < len(name) <= LONGEST_NAME:
                raise ConfigurationError(f"a team's name has between 1 and {LONGEST_NAME} characters")
            if name in self.teams:
                raise ConfigurationError(
                    f"two teams are called {name}", hint="Give one of them another name."
                )
            self.teams[name] = RegisteredTeam(
                name=name, factory=factory, tools=tuple(tools or ()), simple=simple
            )
            return factory

        return register

    def tool(self, *, effect: Effect, name: str | None = None) -> Callable[[F], F]:
        """Registers a function as a tool; its signature is the schema and its docstring the description."""

        def register(function: F) -> F:
            tool = function_tool(function, effect=effect, name=name)
            if tool.spec.name in self.functions:
                raise ConfigurationError(f"two tools are called {tool.spec.name}")
            self.functions[tool.spec.name] = tool
            return function

        return register

    def find(self, name: str) -> RegisteredTeam:
        """A team by its name.

        Raises:
            NotFound: there is none, with the likely one.
        """
        team = self.teams.get(name)
        if team is None:
            near = get_close_matches(name, self.teams, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Teams here: {', '.join(self.teams) or 'none'}."
            raise NotFound(f"there is no team {name!r}", hint=hint)
        return team


def load_app(target: str) -> App:
    """The application that a module or a Python file holds; `module:name` where it isn't called `app`.

    Raises:
        NotFound: there is no such module, file or application.
    """
    place, _, name = target.partition(":")
    module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    if name:
        app = getattr(module, name, None)
    else:
        found = [value for value in vars(module).values() if isinstance(value, App)]
        app = found[0] if len(found) == 1 else getattr(module, "app", None)
    if not isinstance(app, App):
        raise NotFound(f"{place} holds no proctor.App", hint="Write `app = proctor.App()` there.")
    return app


def split_target(target: str) -> tuple[str, str]:
    """`module_or_file:team` as the place of the application and the team's name.

    Raises:
        NotFound: no team is named.
    """
    place, _, team = target.rpartition(":")
    if not place or not team:
        raise NotFound(
            f"{target!r} names no team", hint="Write module_or_file:team, for example support.py:desk."
        )
    return place, team


def _load_module(name: str) -> ModuleType:
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and name.startswith(error.name):
            raise NotFound(
                f"there is no module {name!r}", hint="Name an importable module or a file.py."
            ) from error
        raise


def _load_file(file: Path) -> ModuleType:
    if not file.is_file():
        raise NotFound(f"there is no file {file}", hint="Name the file from the folder you are in.")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(file.stem, module)
    sys.path.insert(0, str(file.resolve().parent))
    spec.loader.exec_module(module)
    return module
