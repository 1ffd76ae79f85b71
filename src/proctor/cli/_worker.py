"""`proctor worker`."""

import asyncio
from functools import partial
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.text import Text

from proctor.app import App, Settings, load_app, load_settings, open_proctor
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
from proctor.core import ConfigurationError
from proctor.runs import Share
from proctor.telemetry import set_up_logs


def worker(
    *,
    app: str | None = None,
    concurrency: Annotated[
        int | None, Parameter(validator=Number(gte=1), help="Runs at a time; else `engine.concurrency`.")
    ] = None,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=PORTS, help="Port of /metrics; 0 takes a free one.")] = 0,
    frozen: Frozen = False,
    config: ConfigFile = None,
) -> None:
    """Execute runs that Temporal gives to this process, until stopped.

    Any number of workers on any machines share the runs of one PostgreSQL database; when one dies, the others
    go on with its runs within seconds. SIGTERM and Ctrl-C drain it: its runs stop at their next call, within
    2 s, and go on elsewhere.

    Parameters
    ----------
    app
        Where the teams are, as `module` or `file.py`; else the setting `app`.
    host
        Address of /metrics; another than a loopback one needs authentication: see [access].
    """
    from proctor.api import check_reach  # it takes a while to load

    settings = load_settings(config).settings
    settings = frozen_in(settings) if frozen else settings
    set_up_logs(settings.telemetry, "service")
    if settings.engine.kind != "temporal":
        raise ConfigurationError(
            "workers share their runs through Temporal, and the configuration names the embedded engine",
            hint='Write kind = "temporal" under [engine]; on one machine `proctor serve` is enough.',
        )
    check_reach(settings, host)
    place = place_to_serve(app, settings)
    if concurrency is not None:
        engine = settings.engine.model_copy(update={"concurrency": concurrency})
        settings = settings.model_copy(update={"engine": engine})
    loaded = load_app(place)
    print_strange_teams(loaded, settings)
    print_loose_packages(settings)
    asyncio.run(_work(loaded, settings, whole_place(place), host, port))


async def _work(app: App, settings: Settings, place: str, host: str, port: int) -> None:
    from proctor.api import make_worker_server

    out = console()
    share = Share(teams=frozenset(app.teams), place=place)
    listener = log_segment if settings.telemetry.logs == "json" else partial(tell, out)
    freeze_loaded()
    async with (
        open_proctor(app, settings=settings, target=place, share=share, on_segment=listener) as proctor,
        web(make_worker_server(proctor, host=host), host=host, port=port) as address,
    ):
        with stop_signals() as stopped:
            teams = ", ".join(app.teams)
            worker = proctor.runs.execution.worker
            line = f"Worker {worker} executes {teams} of {place}. Metrics: {address}/metrics"
            out.print(Text(line), soft_wrap=True)
            await stopped.wait()
            out.print("Stopping: runs stop at their next call, and go on elsewhere.")
