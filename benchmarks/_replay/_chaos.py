"""A desk whose workers are struck again and again while they carry out recorded tasks."""

import asyncio
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from random import Random

import proctor
from benchmarks._replay._cases import Cases, all_runs, tenant_of
from benchmarks._replay._check import Checked, check
from benchmarks._replay._data import Task
from benchmarks._replay._desk import application, settings
from benchmarks._replay._faults import Sizes, plan
from benchmarks._replay._fleet import Fleet
from benchmarks._replay._losses import TakeOvers, losses, take_overs, waits
from benchmarks._replay._person import Person
from benchmarks._replay._place import Place
from benchmarks._replay._shops import auditors, look, make_bases, open_shop
from benchmarks._replay._sight import Sight
from benchmarks._replay._strikes import PAUSE, Story, Strikes
from benchmarks._replay._worker import Work
from benchmarks._servers import Postgres
from proctor import Run

THINKING = (0.005, 0.03)
PAUSES = (f"after:{PAUSE}", f"before:{PAUSE}", "")
"""What the stores of several workers do with writes, in turn."""
STUCK = 120.0
"""Seconds in which at least one model call must have ended."""
TOLD_EVERY = 10.0
"""Seconds between two words on stderr."""


class Stuck(Exception):
    """The work doesn't go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is left after all strikes."""

    checked: Sequence[Checked | None]
    """Each case, or nothing where its run was lost."""
    story: Story
    handed_over: TakeOvers
    waits: Sequence[float]
    """Seconds from decisions to the attempts that go on with them."""
    provider_faults: dict[str, int]
    broke: Sequence[str]
    """What ended in another way than by a strike or at the end of the work."""


async def chaos(cases: Sequence[Task], sizes: Sizes, place: Place, postgres: Postgres | None) -> Outcome:
    """What is left when all cases are carried out."""
    with auditors(2) as pool:
        await asyncio.to_thread(make_bases, place.shops, frozenset(case.form for case in cases))
        async with proctor.open(
            application(), settings=settings(place), executes=False, environ={}
        ) as watching:
            desk = _Chaos(watching, cases, sizes, place=place, postgres=postgres, pool=pool)
            await desk.open_shops()
            await desk.live()
            return await desk.outcome()


class _Chaos:
    def __init__(
        self,
        watching: proctor.Proctor,
        cases: Sequence[Task],
        sizes: Sizes,
        *,
        place: Place,
        postgres: Postgres | None,
        pool: ProcessPoolExecutor,
    ) -> None:
        self._watching = watching
        self._place = place
        self._pool = pool
        self._cases = cases
        self._sizes = sizes
        self._rng = Random(sizes.seed)
        planned = plan(sizes, sum(len(case.steps) + 2 for case in cases), self._rng)
        self._fleet = Fleet(sizes.workers, self._work)
        self._strikes = Strikes(
            list(planned), self._fleet, Sight(watching, place.shops), postgres, Random(sizes.seed)
        )
        self._lives = 0
        self._initial: list[str] = []
        self._broke: list[str] = []

    async def open_shops(self) -> None:
        """Makes a shop for each case."""
        loop = asyncio.get_running_loop()
        opening = (
            loop.run_in_executor(self._pool, open_shop, self._place.shops, tenant_of(number), case)
            for number, case in enumerate(self._cases)
        )
        self._initial = await asyncio.gather(*opening)

    async def live(self) -> None:
        """Returns when all work is done, or doesn't go on."""
        try:
            async with asyncio.TaskGroup() as group:
                working = group.create_task(self._fleet.work())
                beside = [group.create_task(self._strikes.fall()), group.create_task(self._see_it_go_on())]
                if self._place.engine.kind == "temporal":
                    await self._carry_out()
                    for task in beside:
                        task.cancel()
                    await self._fleet.close()
                await working
                for task in beside:
                    task.cancel()
        except* Stuck as stuck:
            self._broke += map(str, stuck.exceptions)
        finally:
            await self._fleet.end()

    async def outcome(self) -> Outcome:
        """Each case, held against its recording; and all that happened on the way."""
        found = {run.tenant: run for run in await all_runs(self._watching)}
        checking = (self._check(number, found.get(tenant_of(number))) for number in range(len(self._cases)))
        return Outcome(
            checked=await asyncio.gather(*checking),
            story=self._strikes.story,
            handed_over=take_overs(await self._watching.database.read(losses), self._strikes.story.struck),
            waits=await self._watching.database.read(waits),
            provider_faults={kind: count for kind, count in self._fleet.faults.items() if count},
            broke=[*self._broke, *self._fleet.broke],
        )

    async def _carry_out(self) -> None:
        """Starts the runs and decides what they ask, while the workers execute them."""
        person = Person(self._watching, self._place.shops, self._fleet.settled)
        window, admit = self._sizes.window, self._strikes.caught_up
        await Cases(self._watching, person, self._cases, window=window, admit=admit).carry_out()

    async def _see_it_go_on(self) -> None:
        answered, waited = -1, 0.0
        while waited < STUCK:
            now = self._fleet.answered
            answered, waited = now, 0.0 if now != answered else waited + TOLD_EVERY
            told = f"{self._strikes.fallen} of {self._strikes.planned} strikes, {answered} model calls"
            print(told, file=sys.stderr, flush=True)
            await asyncio.sleep(TOLD_EVERY)
        raise Stuck(f"no model call ended within {STUCK:g} s")

    def _work(self) -> Work:
        self._lives += 1
        pause = self._strikes.pause
        if self._sizes.workers > 1:  # whoever comes to the place is struck there
            pause = PAUSES[self._lives % len(PAUSES)]
        return Work(
            place=self._place,
            cases=self._cases,
            window=self._sizes.window,
            thinking=THINKING,
            provider_faults=self._sizes.provider_faults,
            pause=pause,
            seed=self._rng.getrandbits(32),
        )

    async def _check(self, number: int, run: Run | None) -> Checked | None:
        if run is None:
            return None
        case = self._cases[number]
        loop = asyncio.get_running_loop()
        shop = await loop.run_in_executor(self._pool, look, self._place.shops, tenant_of(number), case)
        return await check(self._watching, run, case, initial_hash=self._initial[number], shop=shop)
