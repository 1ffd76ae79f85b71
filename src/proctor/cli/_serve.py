"""`proctor serve`."""

import asyncio
import ipaddress
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from proctor.app import App, Proctor, Settings, load_app, load_settings, open_proctor
from proctor.cli._execution import Execution, place_of, stop_signals, whole_place
from proctor.cli._options import ConfigFile
from proctor.cli._output import console, duration
from proctor.cli._report import MOODS
from proctor.core import ConfigurationError, MissingSetting, ProctorError, format_usd
from proctor.runs import Run
from proctor.telemetry import serve_metrics


def serve(
    *,
    app: str | None = None,
    host: str | None = None,
    port: Annotated[int | None, Parameter(help="Port of /metrics; 0 takes a free one.")] = None,
    config: ConfigFile = None,
) -> None:
    """Execute the runs of this database until stopped, and answer on /metrics.

    SIGTERM and Ctrl-C stop it in order: runs stop at their next call, within 2 s, and the next process goes
    on with them.

    Parameters
    ----------
    app
        Where the teams are, as `module` or `file.py`; else the setting `app`.
    host
        Address of /metrics: a loopback address, since there is no authentication yet.
    """
    settings = load_settings(config).settings
    address = _loopback(host or settings.server.host)
    place = app or settings.app
    if not place:
        raise MissingSetting("no application is named", hint="Give --app, or set `app` in the configuration.")
    loaded = load_app(place)
    listens_on = settings.server.port if port is None else port
    asyncio.run(_serve(loaded, settings, whole_place(place), address, listens_on))


async def _serve(app: App, settings: Settings, place: str, host: str, port: int) -> None:
    out = console()
    async with open_proctor(app, settings=settings, target=place, executes=False) as proctor:
        desk = _Desk(proctor, app, place, out)
        execution = Execution(proctor, takes=desk.takes, ended=desk.ended)
        await execution.start()
        try:
            metrics = serve_metrics(proctor.metrics.registry, host=host, port=port)
            try:
                with stop_signals() as stopped:
                    out.print(
                        Text(f"Executing {', '.join(app.teams)} of {place}. Metrics: {metrics.url}"),
                        soft_wrap=True,
                    )
                    await stopped.wait()
                    out.print("Stopping: runs stop at their next call, and go on at the next start.")
            finally:
                await metrics.close()
        finally:
            await execution.stop()


class _Desk:
    """Which runs are this application's, and what is told of their ends."""

    def __init__(self, proctor: Proctor, app: App, place: str, out: Console) -> None:
        self._proctor = proctor
        self._app = app
        self._place = place
        self._out = out
        self._known: dict[str, bool] = {}

    async def takes(self, run_id: str) -> bool:
        """Whether the run is of this application; runs of others are left, and named once."""
        if run_id not in self._known:
            run = await self._proctor.runs.get(run_id)
            of_here = run.team in self._app.teams and place_of(run) in ("", self._place)
            self._known[run_id] = of_here
            if not of_here:
                self._say(run_id, "left", f"it is of {run.target or run.team}", "yellow")
        return self._known[run_id]

    def ended(self, run_id: str, outcome: Run | ProctorError) -> None:
        """Tells of a segment's end."""
        if isinstance(outcome, ProctorError):
            self._say(run_id, "broken", outcome.message, "red")
            return
        seconds = ((outcome.finished_at or datetime.now(UTC)) - outcome.created_at).total_seconds()
        more = f": {outcome.error}" if outcome.error else ""
        text = f"{outcome.team}, {duration(seconds)}, {format_usd(outcome.cost)}{more}"
        self._say(run_id, outcome.state, text, MOODS.get(outcome.state, ""))

    def _say(self, run_id: str, word: str, text: str, style: str) -> None:
        line = Text.assemble(
            f"{datetime.now(UTC).astimezone():%H:%M:%S}  {run_id}  ", (f"{word:9}", style), f"  {text}"
        )
        self._out.print(line, soft_wrap=True)


def _loopback(host: str) -> str:
    """The host, where nobody beyond this machine reaches it.

    Raises:
        ConfigurationError: others could reach it.
    """
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigurationError(
            f"{host} is no loopback address, and there is no authentication yet",
            hint="Use 127.0.0.1, and a proxy or tunnel that authenticates for access from elsewhere.",
        )
    return host
