"""The process that is killed: executes runs and decides their approvals, and says by marks where it stands.

It keeps nothing: what the next worker knows stands in the database, and in the shops.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import proctor
from benchmarks._replay._data import Task
from benchmarks._replay._desk import SHOPS, Keys, application, opening, script, settings
from benchmarks._replay._person import Person
from proctor.core import ToolServerUnavailable
from proctor.testing import ScriptedModel

ASKED, ANSWERED, RESUMED = b"a", b"b", b"r"
"""A model call begins, a model call ends, a failed run was resumed."""

_PAGE = 500
_BREATH = 0.2
"""Seconds before a run that failed with its tool server is resumed: the server needs time to start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a worker does."""

    folder: Path
    cases: Sequence[Task]
    window: int
    """Runs at a time."""
    thinking: tuple[float, float]
    """The least and the most seconds that a model call takes."""
    pause: str
    """The store's own fault door."""
    seed: int


def tenant_of(number: int) -> str:
    """The tenant of the n-th case."""
    return f"case-{number}"


def keys_of(number: int, cases: int) -> Keys:
    """The first half of all cases has a shop that honours idempotency keys."""
    return "keyed" if number < cases / 2 else "keyless"


def main(work: Work, marks: Connection) -> None:
    """Works until every run has ended."""
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    asyncio.run(_Worker(work, marks).run())


class _Worker:
    def __init__(self, work: Work, marks: Connection) -> None:
        self._work = work
        self._marks = marks
        self._rng = Random(work.seed)
        self._slots = asyncio.Semaphore(work.window)

    async def run(self) -> None:
        model = ScriptedModel(script(self._work.cases, around=self._think))
        async with proctor.open(
            application(),
            settings=settings(self._work.folder, pause=self._work.pause),
            environ={},
            providers={"openai": model},
        ) as running:
            known = {run.tenant: run for run in await all_runs(running)}
            async with asyncio.TaskGroup() as group:
                for number in range(len(self._work.cases)):
                    group.create_task(self._case(running, number, known.get(tenant_of(number))))

    async def _case(self, running: proctor.Proctor, number: int, run: proctor.Run | None) -> None:
        task, cases = self._work.cases[number], len(self._work.cases)
        person = Person(running, self._work.folder / SHOPS)
        async with self._slots:
            if run is None:
                team, text = keys_of(number, cases), opening(number, task)
                run = await running.start(team, text, tenant=tenant_of(number))
            run = await person.attend(run, task)
            while run.state == "failed" and run.error_code == ToolServerUnavailable.code:
                await asyncio.sleep(_BREATH)
                run = await running.resume(run.id)
                self._mark(RESUMED)
                run = await person.attend(run, task)

    async def _think(self) -> None:
        self._mark(ASKED)
        await asyncio.sleep(self._rng.uniform(*self._work.thinking))
        self._mark(ANSWERED)

    def _mark(self, mark: bytes) -> None:
        os.write(self._marks.fileno(), mark)


async def all_runs(running: proctor.Proctor) -> list[proctor.Run]:
    """Every run of the database, newest first."""
    found: list[proctor.Run] = []
    before = ""
    while page := await running.runs.page(before=before, limit=_PAGE):
        found += page
        before = page[-1].id
    return found
