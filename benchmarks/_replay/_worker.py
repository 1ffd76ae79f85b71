"""The process that is struck: executes runs, and says by marks where it stands.

It keeps nothing: what the next worker knows stands in the database, and in the shops. With the embedded
engine it is the only process, so that it also starts the runs and decides what they ask.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from random import Random

import proctor
from benchmarks._replay._cases import Cases
from benchmarks._replay._data import Task
from benchmarks._replay._desk import application, script, settings
from benchmarks._replay._faults import PROVIDER_FAULTS, ProviderFault, fail_as_a_provider
from benchmarks._replay._person import Person
from benchmarks._replay._place import Place
from proctor.core import DatabaseInUse, ModelCall, Unavailable
from proctor.testing import ScriptedModel

ASKED, ANSWERED = b"a", b"b"
"""A model call begins, a model call ends."""
FAULTS: Mapping[ProviderFault, bytes] = {
    fault: bytes([ord("0") + number]) for number, fault in enumerate(PROVIDER_FAULTS)
}
"""A provider fails."""

_AGAIN = 0.2
"""Seconds before a worker that can't reach its database, or may not have it yet, tries to start again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a worker does."""

    place: Place
    cases: Sequence[Task]
    window: int
    """Runs at a time."""
    thinking: tuple[float, float]
    """The least and the most seconds that a model call takes."""
    provider_faults: float
    """The share of model calls that fail."""
    pause: str
    """The store's own fault door."""
    seed: int


def main(work: Work, marks: Connection) -> None:
    """Works until every run has ended, or until SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    asyncio.run(_Worker(work, marks).run())


class _Worker:
    def __init__(self, work: Work, marks: Connection) -> None:
        self._work = work
        self._marks = marks
        self._rng = Random(work.seed)
        self._stopped = asyncio.Event()
        self._open = False

    async def run(self) -> None:
        opening = asyncio.create_task(self._execute())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop, opening)
        await asyncio.wait({opening})
        if not opening.cancelled():
            opening.result()

    def _stop(self, opening: asyncio.Task[None]) -> None:
        self._stopped.set()
        if not self._open:  # a start may take long, and nothing is lost with it
            opening.cancel()

    async def _execute(self) -> None:
        model = ScriptedModel(script(self._work.cases, around=self._think))
        configured = settings(self._work.place, pause=self._work.pause)
        while not self._stopped.is_set():
            try:
                async with proctor.open(
                    application(), settings=configured, environ={}, providers={"openai": model}
                ) as running:
                    self._open = True
                    await self._until_stopped(running)
                    return
            except (Unavailable, DatabaseInUse):
                await asyncio.sleep(_AGAIN)

    async def _until_stopped(self, running: proctor.Proctor) -> None:
        waits: set[asyncio.Task[object]] = {asyncio.create_task(self._stopped.wait())}
        if not self._shares_the_work:
            waits.add(asyncio.create_task(self._carry_out(running)))
        done, rest = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for task in done:
            task.result()

    async def _carry_out(self, running: proctor.Proctor) -> None:
        person = Person(running, self._work.place.shops)
        await Cases(running, person, self._work.cases, window=self._work.window).carry_out()

    @property
    def _shares_the_work(self) -> bool:
        return self._work.place.engine.kind == "temporal"

    async def _think(self, call: ModelCall) -> None:
        self._mark(ASKED)
        try:
            await asyncio.sleep(self._rng.uniform(*self._work.thinking))
            if self._rng.random() < self._work.provider_faults:
                fault = self._rng.choice(PROVIDER_FAULTS)
                self._mark(FAULTS[fault])
                await fail_as_a_provider(fault, call)
        finally:
            self._mark(ANSWERED)

    def _mark(self, mark: bytes) -> None:
        os.write(self._marks.fileno(), mark)
