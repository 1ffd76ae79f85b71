"""`proctor serve`."""

import asyncio
from functools import partial
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from proctor.app import App, Settings, decision_page, load_app, load_settings, open_proctor
from proctor.cli._execution import (
    frozen_in,
    place_to_serve,
    print_loose_packages,
    print_strange_teams,
    stop_signals,
    whole_place,
)
from proctor.cli._options import PORTS, ConfigFile, Frozen
from proctor.cli._output import console
from proctor.cli._report import tell
from proctor.cli._web import loopback, web
from proctor.runs import Share


def serve(
    *,
    app: str | None = None,
    host: str | None = None,
    port: Annotated[
        int | None, Parameter(validator=PORTS, help="Port of /metrics and /decide; 0 takes a free one.")
    ] = None,
    frozen: Frozen = False,
    config: ConfigFile = None,
) -> None:
    """Execute the runs of this database until stopped, and answer on /metrics and on decision links.

    SIGTERM and Ctrl-C stop it in order: runs stop at their next call, within 2 s, and the next process goes
    on with them.

    Parameters
    ----------
    app
        Where the teams are, as `module` or `file.py`; else the setting `app`.
    host
        Address to listen on: a loopback address, since there is no authentication yet. Decision links reach
        it through a proxy, which needs to pass on /decide/ alone.
    """
    settings = load_settings(config).settings
    settings = frozen_in(settings) if frozen else settings
    address = loopback(host or settings.server.host)
    place = place_to_serve(app, settings)
    loaded = load_app(place)
    print_strange_teams(loaded, settings)
    print_loose_packages(settings)
    listens_on = settings.server.port if port is None else port
    asyncio.run(_serve(loaded, settings, whole_place(place), address, listens_on))


async def _serve(app: App, settings: Settings, place: str, host: str, port: int) -> None:
    out = console()
    share = Share(teams=frozenset(app.teams), place=place)
    executes = settings.engine.kind == "embedded"
    async with open_proctor(
        app,
        settings=settings,
        target=place,
        share=share,
        on_segment=partial(tell, out),
        executes=executes,
    ) as proctor:
        page = decision_page(proctor)
        async with web(proctor.metrics.registry, page, host=host, port=port) as address:
            with stop_signals() as stopped:
                decisions = f", decisions: {address}/decide/" if page else ""
                doing = "Executing" if executes else "Workers execute"
                line = f"{doing} {', '.join(app.teams)} of {place}. Metrics: {address}/metrics{decisions}"
                out.print(Text(line), soft_wrap=True)
                await stopped.wait()
                if executes:
                    out.print("Stopping: runs stop at their next call, and go on at the next start.")
