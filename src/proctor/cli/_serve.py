"""`proctor serve`."""

import asyncio
from functools import partial
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from proctor.access import offer_setup
from proctor.app import App, Proctor, Settings, decision_page, load_app, load_settings, open_proctor
from proctor.cli._execution import (
    freeze_loaded,
    frozen_in,
    place_to_serve,
    print_loose_packages,
    print_strange_teams,
    stop_signals,
    whole_place,
)
from proctor.cli._options import PORTS, ConfigFile, Frozen
from proctor.cli._output import console
from proctor.cli._report import log_segment, tell
from proctor.cli._web import web
from proctor.runs import Share
from proctor.telemetry import set_up_logs


def serve(
    *,
    app: str | None = None,
    host: str | None = None,
    port: Annotated[
        int | None, Parameter(validator=PORTS, help="Port of the server; 0 takes a free one.")
    ] = None,
    frozen: Frozen = False,
    config: ConfigFile = None,
) -> None:
    """Execute the runs of this database until stopped, and answer under /api/v1, /v1, /mcp and /metrics.

    SIGTERM and Ctrl-C stop it in order: runs stop at their next call, within 2 s, and the next process goes
    on with them.

    Parameters
    ----------
    app
        Where the teams are, as `module` or `file.py`; else the setting `app`.
    host
        Address to listen on; another than a loopback one needs authentication: see [access].
    """
    from proctor.api import check_address  # it takes a while to load

    settings = load_settings(config).settings
    settings = frozen_in(settings) if frozen else settings
    set_up_logs(settings.telemetry, "service")
    address = host or settings.server.host
    check_address(settings, address)
    place = place_to_serve(app, settings)
    loaded = load_app(place)
    print_strange_teams(loaded, settings)
    print_loose_packages(settings)
    listens_on = settings.server.port if port is None else port
    asyncio.run(_serve(loaded, settings, whole_place(place), address, listens_on))


async def _serve(app: App, settings: Settings, place: str, host: str, port: int) -> None:
    from proctor.api import make_server

    out = console()
    share = Share(teams=frozenset(app.teams), place=place)
    executes = settings.engine.kind == "embedded"
    freeze_loaded()
    async with open_proctor(
        app,
        settings=settings,
        target=place,
        share=share,
        on_segment=log_segment if settings.telemetry.logs == "json" else partial(tell, out),
        executes=executes,
    ) as proctor:
        page = decision_page(proctor)
        site = make_server(proctor, host=host, page=page)
        async with web(site, host=host, port=port) as own:
            address = settings.server.url or own
            with stop_signals() as stopped:
                await _print_setup(proctor, address, out)
                decisions = f", decisions: {address}/decide/" if page else ""
                doing = "Executing" if executes else "Workers execute"
                listens = "" if own == address else f" Listening on {own}."
                answers = f"API: {address}/api/v1. Metrics: {address}/metrics{decisions}"
                line = f"{doing} {', '.join(app.teams)} of {place}.{listens} {answers}"
                out.print(Text(line), soft_wrap=True)
                await stopped.wait()
                proctor.runs.feed.close()  # else the server would wait for streams that have no end
                if executes:
                    out.print("Stopping: runs stop at their next call, and go on at the next start.")


async def _print_setup(proctor: Proctor, address: str, out: Console) -> None:
    """Prints how the first admin gets a key, where nobody could get in otherwise."""
    access = proctor.settings.access
    if access.authentication == "none" or access.oidc is not None:
        return
    token = await offer_setup(proctor.database, clock=proctor.clock)
    if token is not None:
        body = f"""{{"token": "{token}"}}"""
        lines = (
            "No admin has a key yet. Within an hour, this makes the first one, once:",
            f"curl {address}/api/v1/setup -H 'Content-Type: application/json' -d '{body}'",
        )
        out.print(Text("\n".join(lines)), soft_wrap=True)
