"""`proctor config`."""

import os
from collections.abc import Iterator
from typing import Annotated

from cyclopts import App as Commands
from cyclopts import Parameter
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from proctor.app import MODEL_CHAIN, TOOL_CHAIN, Link, Loaded, Settings, load_app, load_settings
from proctor.cli._checks import Finding, broken, print_findings
from proctor.cli._execution import strange_teams
from proctor.cli._options import ConfigFile, Json
from proctor.cli._output import console, fields, print_json, put
from proctor.cli._toml import plain, toml
from proctor.core import ProctorError
from proctor.ledger import Prices
from proctor.models import Models

config = Commands(name="config", help="Show and check the configuration.", help_format="plaintext")


@config.command
def show(
    *,
    sources: Annotated[bool, Parameter(negative="")] = False,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Show the settings as they are in effect, as TOML. Secrets are masked.

    Parameters
    ----------
    sources
        Say of each value where it comes from: a file, a variable, or the default.
    """
    loaded = load_settings(config)
    values = plain(loaded.settings)
    if json:
        origins = {key: loaded.source(key) for key in _leaves(values)} if sources else dict(loaded.sources)
        print_json({"settings": values, "sources": origins})
        return
    text = toml(values, lambda key: f"  # {loaded.source(key)}" if sources else "")
    console().print(Text(text), soft_wrap=True)


@config.command
def check(*, config: ConfigFile = None, json: Json = False) -> int:
    """Check that the configuration can be used: settings, keys, prices, and the application."""
    try:
        loaded = load_settings(config)
    except ProctorError as error:
        return print_findings([broken("settings", error)], json=json)
    return print_findings(list(check_settings(loaded)), json=json)


@config.command
def chain(*, json: Json = False) -> None:
    """Show the two chains that every model call and tool call passes, outermost first."""
    chains = {"model call": MODEL_CHAIN, "tool call": TOOL_CHAIN}
    if json:
        print_json(
            {
                name: [{"name": link.name, "does": link.does} for link in links]
                for name, links in chains.items()
            }
        )
        return
    out = console()
    for name, links in chains.items():
        out.print(Text(name, style="bold"))
        put(Padding(_links(links), (0, 0, 1, 2)), out)


def check_settings(loaded: Loaded) -> Iterator[Finding]:
    """What is to be said of a configuration that could be read."""
    settings = loaded.settings
    yield Finding(what="settings", state="ok", found=str(loaded.path or "defaults: there is no proctor.toml"))
    if not settings.models:
        yield Finding(
            what="models",
            state="broken",
            found="none is configured",
            todo="Add a section [models.NAME]; `proctor init` writes an example.",
        )
    for name in settings.models:
        yield _check_model(settings, name)
    for role in settings.alerts.all_roles:
        if not settings.roles[role].notify:
            found = f"of what {role} would be told nobody is: the role has no address"
            yield Finding(
                what="alerts", state="note", found=found, todo=f"Add notify = […] to [roles.{role}]."
            )
    if settings.app:
        yield from _check_app(settings)
    else:
        found = "none is named; `proctor serve` needs --app"
        yield Finding(what="app", state="note", found=found)


def _check_model(settings: Settings, name: str) -> Finding:
    deployment = {name: settings.models[name]}
    what = f"models.{name}"
    try:
        Models(deployment, environ=os.environ).check()
    except ProctorError as error:
        return broken(what, error)
    prices = Prices(deployment)
    if prices.has_price(name):
        price = "free" if prices.is_free(name) else "price known"
        return Finding(what=what, state="ok", found=f"{settings.models[name].model}, {price}")
    price = 'price = "free", or price = { input = …, output = … } in dollars for a million tokens'
    found = f"{settings.models[name].model}: its price isn't known, so every call is refused"
    return Finding(what=what, state="broken", found=found, todo=f"In [models.{name}] write {price}.")


def _check_app(settings: Settings) -> Iterator[Finding]:
    try:
        app = load_app(settings.app)
    except ProctorError as error:
        yield broken("app", error)
        return
    yield Finding(what="app", state="ok", found=f"{settings.app}: {', '.join(app.teams) or 'no team'}")
    offered = {*settings.tools, *app.functions}
    for team in app.teams.values():
        unknown = [
            tool
            for tool in team.tools
            if tool not in offered and tool.partition(".")[0] not in settings.tools
        ]
        if unknown:
            todo = f"Add [tools.{unknown[0]}], or correct the name in @app.team."
            found = f"declares tools that nothing offers: {', '.join(unknown)}"
            yield Finding(what=f"team {team.name}", state="broken", found=found, todo=todo)
    for name, todo in strange_teams(app, settings).items():
        yield Finding(what=f"teams.{name}", state="note", found="the application has no such team", todo=todo)


def _links(links: tuple[Link, ...]) -> Table:
    return fields({link.name: link.does for link in links})


def _leaves(values: dict[str, object], above: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        elif value is not None:
            yield f"{above}{key}"
