"""Execution by this process: of one run, or of all that an application can take, until it is told to stop."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from proctor.app import GRACE, Proctor, Settings, load_app, open_proctor
from proctor.cli._live import View
from proctor.core import Conflict, DatabaseInUse, ProctorError
from proctor.engine import EmbeddedEngine
from proctor.runs import Run

CONCURRENCY = 64
RETRY = 1.0
"""Seconds between looks whether the database is free."""


class Interrupted(Exception):
    """A person or the system stopped this process. The run is not lost."""

    def __init__(self, *, elsewhere: bool) -> None:
        super().__init__()
        self.elsewhere = elsewhere
        """Whether another process goes on with the run."""


class Execution:
    """Executes queued runs: those that it takes for its own, until it stops at call boundaries."""

    def __init__(
        self,
        proctor: Proctor,
        *,
        takes: Callable[[str], Awaitable[bool]],
        ended: Callable[[str, Run | ProctorError], None],
    ) -> None:
        self._runs = proctor.runs
        self._takes = takes
        self._ended = ended
        self._open = True
        self._engine: EmbeddedEngine[str, None] = EmbeddedEngine(
            lock=proctor.database.lock(),
            due=self._due,
            recover=self._recover,
            execute=self._execute,
            suspend=self._suspend,
            concurrency=CONCURRENCY,
        )

    @property
    def running(self) -> bool:
        """Whether this process has the right to execute."""
        return self._engine.running

    async def start(self) -> None:
        """Takes the right to execute, and takes up what is due.

        Raises:
            DatabaseInUse: another process has the right.
        """
        await self._engine.start()

    async def stop(self) -> None:
        """Ends all segments: at their next call boundary, or where that takes too long at once."""
        await self._engine.stop(GRACE)

    def _suspend(self) -> None:
        self._open = False
        self._runs.suspend_all()

    async def _due(self) -> Sequence[str]:
        if not self._open:
            return ()
        return [run_id for run_id in await self._runs.queued() if await self._takes(run_id)]

    async def _recover(self) -> Sequence[str]:
        return [run_id for run_id in await self._runs.recover() if await self._takes(run_id)]

    async def _execute(self, run_id: str) -> None:
        if not self._open:
            return
        try:
            run = await self._runs.execute(run_id)
        except ProctorError as error:
            self._ended(run_id, error)
        else:
            if run is not None:
                self._ended(run_id, run)


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
        ProctorError: the run can't be executed here.
    """
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def takes(run_id: str) -> bool:
        return run_id == run.id

    def ended(_: str, outcome: Run | ProctorError) -> None:
        if isinstance(outcome, ProctorError) and not failed.done():
            failed.set_exception(outcome)

    def started(task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None and not failed.done():
            failed.set_exception(error)

    execution = Execution(proctor, takes=takes, ended=ended)
    with stop_signals() as stopped:
        starting = asyncio.create_task(_start_when_free(execution, view))
        starting.add_done_callback(started)
        try:
            items = proctor.runs.watch(run.id, after=after, until_wait=True)
            following = view.follow(items, since=run.created_at)
            if not await _ends(following, stopped=stopped, failed=failed):
                raise Interrupted(elsewhere=not execution.running)
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await execution.stop()
    return await proctor.runs.get(run.id)


async def _start_when_free(execution: Execution, view: View) -> None:
    """Returns when this process executes: at once, or when the one that has the database ends."""
    told = False
    while True:
        try:
            await execution.start()
        except DatabaseInUse as error:
            if not told:
                view.note(f"{error.message}. This one follows, and takes over when that one ends.")
                told = True
        else:
            return
        await asyncio.sleep(RETRY)


async def _ends(
    following: Coroutine[Any, Any, None], *, stopped: asyncio.Event, failed: "asyncio.Future[None]"
) -> bool:
    """Whether the run ended, or came to wait, before this process was told to stop."""
    watching = asyncio.create_task(following)
    stopping = asyncio.create_task(stopped.wait())
    waits: set[asyncio.Future[Any]] = {watching, stopping, failed}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            failed.result()
        if watching.done():
            watching.result()
        return watching.done()
    finally:
        for each in waits:
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


def place_of(run: Run) -> str:
    """The module or file that holds the run's application."""
    return run.target.removesuffix(f":{run.team}")


def whole_place(place: str) -> str:
    """A module or file so that it is found again from any folder."""
    file, colon, name = place.partition(":")
    return f"{Path(file).resolve()}{colon}{name}" if file.endswith(".py") else place
