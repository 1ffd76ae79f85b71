"""Every task once, many at a time, in one process."""

import asyncio
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import proctor
from benchmarks._replay._check import Checked, check
from benchmarks._replay._data import Task
from benchmarks._replay._desk import application, opening, script, settings
from benchmarks._replay._person import Person
from benchmarks._replay._place import small_place
from benchmarks._replay._shops import auditors, close_shop, make_bases, open_shop
from proctor import ProctorError
from proctor.deployments.support.shop import ShopError
from proctor.testing import ScriptedModel

TOLD_EVERY = 50
"""Tasks between two words on stderr."""


async def replay(tasks: Sequence[Task], *, parallel: int) -> list[Checked]:
    """Each task after it was carried out by a team in a shop of its own."""
    with TemporaryDirectory(prefix="proctor-replay-") as folder, auditors(2) as pool:
        place = small_place(Path(folder))
        await asyncio.to_thread(make_bases, place.shops, frozenset(task.form for task in tasks))
        model = ScriptedModel(script(tasks))
        async with proctor.open(
            application(), settings=settings(place), environ={}, providers={"openai": model}
        ) as running:
            desk = _Replay(running, place.shops, pool, parallel, len(tasks))
            async with asyncio.TaskGroup() as group:
                made = [group.create_task(desk.one(*numbered)) for numbered in enumerate(tasks)]
        return [task.result() for task in made]


class _Replay:
    def __init__(
        self, running: proctor.Proctor, shops: Path, pool: ProcessPoolExecutor, parallel: int, total: int
    ) -> None:
        self._running = running
        self._person = Person(running, shops)
        self._shops = shops
        self._pool = pool
        self._slots = asyncio.Semaphore(parallel)
        self._total = total
        self._done = 0

    async def one(self, number: int, task: Task) -> Checked:
        async with self._slots:
            try:
                checked = await self._checked(number, task)
            except (ProctorError, ShopError) as error:
                fault = f"it can't be carried out: {type(error).__name__}: {error}"
                checked = Checked(task=task.id, run="", faults=(fault,))
        self._done += 1
        if self._done % TOLD_EVERY == 0 or self._done == self._total:
            print(f"{self._done} of {self._total} tasks", file=sys.stderr, flush=True)
        return checked

    async def _checked(self, number: int, task: Task) -> Checked:
        tenant = f"case-{number}"
        loop = asyncio.get_running_loop()
        initial = await loop.run_in_executor(self._pool, open_shop, self._shops, tenant, task)
        run = await self._running.start("keyed", opening(number, task), tenant=tenant)
        run = await self._person.attend(run, task)
        shop = await loop.run_in_executor(self._pool, close_shop, self._shops, tenant, task)
        return await check(self._running, run, task, initial_hash=initial, shop=shop)
