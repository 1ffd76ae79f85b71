"""Execution by this process: of one run, or of all that an application can take, until it is told to stop."""

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rich.text import Text

from proctor.app import App, Loaded, Proctor, Settings, load_app, load_settings, open_proctor
from proctor.cli._live import View
from proctor.cli._output import console
from proctor.core import Conflict, DatabaseInUse, MissingSetting
from proctor.runs import Run
from proctor.tools import check_packages, loose_package

RETRY = 1.0
"""Seconds between looks whether the database is free."""


class Interrupted(Exception):
    """A person or the system stopped this process. The run is not lost."""

    def __init__(self, *, elsewhere: bool) -> None:
        super().__init__()
        self.elsewhere = elsewhere
        """Whether another process goes on with the run."""


def strange_teams(app: App, settings: Settings) -> dict[str, str]:
    """The configured teams that an application doesn't have, each with a hint."""
    there = ", ".join(app.teams) or "none"
    hints = {}
    for name in sorted(settings.teams.keys() - app.teams.keys()):
        near = get_close_matches(name, app.teams, n=1)
        hints[name] = f"Did you mean {near[0]}?" if near else f"Teams there: {there}."
    return hints


def print_strange_teams(app: App, settings: Settings) -> None:
    """Warns whoever starts a process of settings that are for no team of its application."""
    for name, hint in strange_teams(app, settings).items():
        line = f"The configuration has a team {name}, and the application has none. {hint}"
        console(stderr=True).print(Text(line, style="yellow"), soft_wrap=True)


def print_loose_packages(settings: Settings) -> None:
    """Warns whoever starts a process of tool servers that may be another version at the next start."""
    for name, server in settings.tools.items():
        if (found := loose_package(server.command)) is not None:
            line = f"[tools.{name}]: {found.why}. {found.todo}"
            console(stderr=True).print(Text(line, style="yellow"), soft_wrap=True)


def freeze_loaded() -> None:
    """Leaves what is loaded by now out of garbage collections: a full one would take 0.3 s, and all wait."""
    gc.collect()
    gc.freeze()


@contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """An event that Ctrl-C and SIGTERM set. A second signal ends the process at once."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop() -> None:
        stopped.set()
        restore()

    def restore() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield stopped
    finally:
        restore()


async def follow(proctor: Proctor, run: Run, view: View, *, after: int = 0) -> Run:
    """The run when it has ended or waits for a person; executed here unless another process does that.

    Raises:
        Interrupted: the person or the system stopped this process first.
    """
    proctor.take_only(run.id)
    items = proctor.runs.watch(run.id, after=after, until_wait=True)
    await executing(proctor, view.follow(items, since=run.created_at), note=view.note)
    return await proctor.runs.get(run.id)


async def executing(
    proctor: Proctor, work: Coroutine[Any, Any, None], *, note: Callable[[str], None]
) -> None:
    """Returns when work has ended; meanwhile this process executes, as soon as no other one does.

    Raises:
        Interrupted: the person or the system stopped this process first.
    """
    with stop_signals() as stopped:
        starting = asyncio.create_task(_start_when_free(proctor, note))
        try:
            if not await _ends(work, stopped=stopped, starting=starting):
                raise Interrupted(elsewhere=not proctor.engine.running)
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            if proctor.engine.running:
                await proctor.stop_executing()


async def _start_when_free(proctor: Proctor, note: Callable[[str], None]) -> None:
    """Returns when this process executes: at once, or when the one that has the database ends.

    Where Temporal distributes the runs this process only follows: workers execute.
    """
    if proctor.settings.engine.kind == "temporal":
        return
    told = False
    while True:
        try:
            await proctor.start_executing()
        except DatabaseInUse as error:
            if not told:
                note(f"{error.message}. This one follows, and takes over when that one ends.")
                told = True
        else:
            return
        await asyncio.sleep(RETRY)


async def _ends(
    work: Coroutine[Any, Any, None], *, stopped: asyncio.Event, starting: "asyncio.Task[None]"
) -> bool:
    """Whether work has ended before this process was told to stop."""
    watching = asyncio.create_task(work)
    stopping = asyncio.create_task(stopped.wait())
    waits: set[asyncio.Future[Any]] = {watching, stopping, starting}
    try:
        while not watching.done() and not stopping.done():
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if starting in done:
                starting.result()
                waits.discard(starting)
        if watching.done():
            watching.result()
        return watching.done()
    finally:
        for each in (watching, stopping):
            each.cancel()
        await asyncio.gather(watching, stopping, return_exceptions=True)


async def carry_on(run: Run, settings: Settings, view: View) -> Run:
    """A queued run, or one that a dead process left, after it has ended or come to wait for a person.

    Raises:
        Conflict: the run tells not where its team is.
        Interrupted: the person or the system stopped this process first.
    """
    if not run.target:
        raise Conflict(
            f"run {run.id} was started by a program and tells not where its team is",
            hint="That program takes it up when it runs, or `proctor serve --app` with the team's file.",
        )
    app = load_app(place_of(run))
    async with open_proctor(app, settings=settings, target=run.target, executes=False) as proctor:
        seen = await proctor.runs.events(run.id)
        return await follow(proctor, run, view, after=seen[-1].seq if seen else 0)


def frozen_in(settings: Settings) -> Settings:
    """The settings under which nothing is believed that nobody has looked at: what `--frozen` means."""
    trust = settings.trust.model_copy(update={"frozen": True, "pins": "required"})
    return settings.model_copy(update={"trust": trust})


def load_to_execute(config: Path | None, *, frozen: bool) -> Loaded:
    """The configuration of a process that executes runs, with what `--frozen` means where it is given.

    Raises:
        ConfigurationError: the configuration can't be read, or packages are frozen and one isn't fixed.
    """
    loaded = load_settings(config)
    if frozen:
        loaded = replace(loaded, settings=frozen_in(loaded.settings))
    check_packages(loaded.settings.tools, loaded.settings.trust)
    return loaded


def place_of(run: Run) -> str:
    """The module or file that holds the run's application."""
    return run.target.removesuffix(f":{run.team}")


def place_to_serve(app: str | None, settings: Settings) -> str:
    """The module or file of the application that a process serves.

    Raises:
        MissingSetting: neither the command nor the configuration names one.
    """
    place = app or settings.app
    if not place:
        raise MissingSetting("no application is named", hint="Give --app, or set `app` in the configuration.")
    return place


def whole_place(place: str) -> str:
    """A module or file so that it is found again from any folder."""
    file, colon, name = place.partition(":")
    return f"{Path(file).resolve()}{colon}{name}" if file.endswith(".py") else place
