"""`proctor.open`: an application with its database, models and tool servers, opened and closed together."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from proctor.app._guards import make_guards
from proctor.app._notices import make_notices
from proctor.app._proctor import GRACE, Proctor
from proctor.app._settings import Settings, check_names, load_settings
from proctor.app._teams import App
from proctor.core import Clock, SystemClock
from proctor.models import Models, Provider
from proctor.policies import redact
from proctor.runs import Run, Share
from proctor.store import Database
from proctor.telemetry import open_spans
from proctor.tools import Toolbox, ToolServer, ruled

OPENING = timedelta(seconds=10)
"""What a process that executes waits at its start for a database that is away."""


def _nobody_listens(_run: Run) -> None:
    """Takes note of nothing."""


@asynccontextmanager
async def open_proctor(
    app: App,
    *,
    settings: Settings | None = None,
    target: str = "",
    share: Share | None = None,
    on_segment: Callable[[Run], None] = _nobody_listens,
    executes: bool = True,
    environ: Mapping[str, str] = os.environ,
    clock: Clock | None = None,
    providers: Mapping[str, Provider] | None = None,
    grace: timedelta = GRACE,
) -> AsyncIterator[Proctor]:
    """An application ready to execute runs; with `executes=False` only to start and read them.

    `settings` default to `proctor.toml` and the environment. `target` is where the application is, so that
    other processes find it again. `share` is which runs this process executes: those of the application's
    teams. `on_segment` is told of each run as a segment of it has left it. `providers` and `clock` are the
    seams for tests (`proctor.testing`).

    Raises:
        ConfigurationError: the configuration can't be used.
        DatabaseInUse: another process executes runs on this database.
    """
    settings = settings or load_settings(environ=environ).settings
    check_names(settings)
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        opening = Database.open(
            settings.database.url,
            patience=settings.database.patience,
            wait=OPENING if executes else timedelta(0),
        )
        database = await stack.enter_async_context(await opening)
        spans = open_spans(
            settings.telemetry,
            environ=environ,
            clock=clock,
            deployments=settings.models,
            release=settings.release,
            redact=redact,
        )
        stack.push_async_callback(spans.close)
        models = Models(settings.models, local=settings.local, environ=environ, providers=providers)
        stack.push_async_callback(models.close)
        guards = make_guards(settings, database, clock=clock)
        servers = {
            name: ToolServer(name, server, clock, pins=guards.pins, environ=environ)
            for name, server in settings.tools.items()
        }
        stack.push_async_callback(_close_all, servers.values())
        notices = make_notices(settings, database, clock=clock, environ=environ, signs=executes)
        running = Proctor(
            app,
            settings,
            database,
            target=target,
            share=share or Share(teams=frozenset(app.teams)),
            on_segment=on_segment,
            clock=clock,
            models=models,
            toolbox=Toolbox(servers, ruled(app.functions, settings.functions)),
            guards=guards,
            notices=notices,
            spans=spans,
            environ=environ,
        )
        stack.push_async_callback(running.metrics_page.close)
        if app.lifespan is not None:
            await stack.enter_async_context(app.lifespan(running))
        if executes:
            await running.start_executing()
            stack.push_async_callback(running.stop_executing, grace)
        yield running


async def _close_all(servers: Iterable[ToolServer]) -> None:
    """Ends tool servers, all at once: each may take a moment, and a process that drains has few."""
    await asyncio.gather(*(server.close() for server in servers))
