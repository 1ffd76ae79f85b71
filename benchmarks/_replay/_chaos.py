"""A desk whose worker is killed again and again while it carries out recorded tasks."""

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Literal

from sqlalchemy import Connection, select

import proctor
from benchmarks._replay._check import Checked, check
from benchmarks._replay._data import Task
from benchmarks._replay._desk import SHOPS, application, settings
from benchmarks._replay._life import Life
from benchmarks._replay._person import same_call
from benchmarks._replay._shops import auditors, look, make_bases, open_shop
from benchmarks._replay._worker import Work, all_runs, tenant_of
from proctor import Run
from proctor.core import JsonObject, read_object
from proctor.deployments.support.shop import read_effects
from proctor.runs import calls, runs

Aim = Literal["model call", "before effect", "after effect", "anywhere", "start", "store alone"]
AIMS: tuple[Aim, ...] = ("model call", "before effect", "after effect", "anywhere", "start")

THINKING = (0.005, 0.03)
PAUSE = 0.3
"""Seconds for which a store holds a write, where a kill is aimed at it."""
PATIENCE = 5.0
"""Seconds in which the place that was aimed at must come; else the kill falls where the worker stands."""
LAST_KILL = 0.9
"""Of all model calls: behind it there may be too little left to kill."""
LOOK = 0.01
"""Seconds between two looks into the database."""
STUCK = 300.0
"""Seconds in which a life must have come to its end."""
ENOUGH = 3
"""Workers that broke by themselves, after which no further one is started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much of everything."""

    kills: int
    store_kills: int
    window: int
    """Runs at a time."""
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A kill that is to come."""

    at: float
    """Model calls after which it is due."""
    aim: Aim


@dataclass(slots=True)
class Story:
    """What happened to the workers."""

    kills: int = 0
    store_kills: int = 0
    aimed: Counter[str] = field(default_factory=Counter)
    """Kills by the place that they were aimed at."""
    hit: Counter[str] = field(default_factory=Counter)
    """Kills by what they interrupted; one may interrupt several things."""
    resumed: int = 0
    """Failed runs that were resumed, after their store was killed."""
    broke: list[str] = field(default_factory=list)
    """Workers that ended in another way than by a kill or at the end of their work."""


async def chaos(cases: Sequence[Task], sizes: Sizes) -> tuple[list[Checked | None], Story]:
    """Each case after all its workers' lives, or nothing where its run was lost; and the story."""
    with TemporaryDirectory(prefix="proctor-chaos-") as place, auditors(2) as pool:
        folder = Path(place)
        await asyncio.to_thread(make_bases, folder / SHOPS, frozenset(case.form for case in cases))
        async with proctor.open(
            application(), settings=settings(folder), executes=False, environ={}
        ) as watching:
            desk = _Chaos(watching, folder, pool, cases, sizes)
            await desk.open_shops()
            await desk.live()
            return await desk.checked(), desk.story


class _Chaos:
    def __init__(
        self,
        watching: proctor.Proctor,
        folder: Path,
        pool: ProcessPoolExecutor,
        cases: Sequence[Task],
        sizes: Sizes,
    ) -> None:
        self._watching = watching
        self._folder = folder
        self._shops = folder / SHOPS
        self._pool = pool
        self._cases = cases
        self._sizes = sizes
        self._rng = Random(sizes.seed)
        self._strikes = list(self._plan())
        self._initial: list[str] = []
        self._answered = 0
        self.story = Story()

    async def open_shops(self) -> None:
        """Makes a shop for each case."""
        loop = asyncio.get_running_loop()
        opening = (
            loop.run_in_executor(self._pool, open_shop, self._shops, tenant_of(number), case)
            for number, case in enumerate(self._cases)
        )
        self._initial = await asyncio.gather(*opening)

    async def live(self) -> None:
        """Returns when a worker has come to the end of all work."""
        finished = False
        while not finished:
            life = Life(self._work())
            await life.start()
            try:
                async with asyncio.timeout(STUCK):
                    await self._strike(life)
            except TimeoutError:
                self.story.broke.append(f"a worker came to no end within {STUCK:g} s")
                life.kill(with_stores=True)
            code = await life.end()
            self._answered += life.answered
            self.story.resumed += life.resumed
            if code not in (0, -signal.SIGKILL):
                self.story.broke.append(f"a worker ended with code {code}")
            finished = code == 0 or len(self.story.broke) >= ENOUGH
            print(
                f"{self.story.kills} of {self._sizes.kills} kills, {self._answered} model calls",
                file=sys.stderr,
                flush=True,
            )

    async def checked(self) -> list[Checked | None]:
        """Each case, held against its recording."""
        found = {run.tenant: run for run in await all_runs(self._watching)}
        checking = (self._check(number, found.get(tenant_of(number))) for number in range(len(self._cases)))
        return await asyncio.gather(*checking)

    async def _check(self, number: int, run: Run | None) -> Checked | None:
        if run is None:
            return None
        case = self._cases[number]
        loop = asyncio.get_running_loop()
        shop = await loop.run_in_executor(self._pool, look, self._shops, tenant_of(number), case)
        return await check(self._watching, run, case, initial_hash=self._initial[number], shop=shop)

    def _plan(self) -> Iterator[Strike]:
        """Every kill, in order, spread over the whole work; the places take turns in an order of chance."""
        last = LAST_KILL * sum(len(case.steps) + 2 for case in self._cases)
        rounds = -(-self._sizes.kills // len(AIMS))
        aims: list[Aim] = [aim for _ in range(rounds) for aim in AIMS][: self._sizes.kills]
        aims += ["store alone"] * self._sizes.store_kills
        self._rng.shuffle(aims)
        for at, aim in zip(sorted(self._rng.uniform(0, last) for _ in aims), aims, strict=True):
            yield Strike(at=at, aim=aim)

    def _work(self) -> Work:
        aims: Iterator[Aim] = (strike.aim for strike in self._strikes if strike.aim != "store alone")
        pauses: dict[Aim, str] = {"before effect": f"before:{PAUSE}", "after effect": f"after:{PAUSE}"}
        return Work(
            folder=self._folder,
            cases=self._cases,
            window=self._sizes.window,
            thinking=THINKING,
            pause=pauses.get(next(aims, "anywhere"), ""),
            seed=self._rng.getrandbits(32),
        )

    async def _strike(self, life: Life) -> None:
        """Returns when the worker was killed, or has ended by itself."""
        while self._strikes:
            strike = self._strikes[0]
            if strike.aim != "start":
                await life.until(partial(self._is_due, strike, life))
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._wait_for(strike.aim, life)
            if life.over.is_set():
                return
            if strike.aim == "store alone":
                self.story.store_kills += life.kill_stores()
                del self._strikes[0]
                continue
            life.kill(with_stores=self._rng.random() < 1 / 4)
            await life.over.wait()
            del self._strikes[0]
            self.story.kills += 1
            self.story.aimed[strike.aim] += 1
            self.story.hit.update(await self._interrupted(life))
            return
        await life.over.wait()

    def _is_due(self, strike: Strike, life: Life) -> bool:
        return self._answered + life.answered >= strike.at

    async def _wait_for(self, aim: Aim, life: Life) -> None:
        """Returns when the worker is at the place, or is dead."""
        match aim:
            case "model call":
                await life.until(lambda: life.thinks)
            case "before effect" | "store alone":
                await _seen(self._begun, life)
                await asyncio.sleep(self._rng.uniform(0, PAUSE / 2))
            case "after effect":
                await _seen(self._some_took_effect, life)
            case "anywhere":
                await asyncio.sleep(self._rng.uniform(0, 0.5))
            case "start":
                await asyncio.sleep(self._rng.uniform(0, 2))

    async def _interrupted(self, life: Life) -> set[str]:
        """What a kill has interrupted, as far as the marks, the journal and the shops tell."""
        places = {"after effect" if took else "before effect" for took in await self._took_effect()}
        if life.thinks:
            places.add("model call")
        return places or {"elsewhere"}

    async def _some_took_effect(self) -> bool:
        return any(await self._took_effect())

    async def _took_effect(self) -> list[bool]:
        """For each call that is under way in a store, whether it has taken effect."""
        found = []
        for tenant, request in await self._begun():
            effects = await asyncio.to_thread(read_effects, self._shops, tenant)
            found.append(
                any(same_call(request, effect.tool, json.loads(effect.arguments)) for effect in effects)
            )
        return found

    async def _begun(self) -> list[tuple[str, JsonObject]]:
        """The tenant and the request of each call that the present attempts have begun and not ended."""
        return await self._watching.database.read(_begun)


async def _seen(look: Callable[[], Awaitable[object]], life: Life) -> None:
    """Returns when there is what is looked for, or when the worker is dead."""
    while not life.over.is_set():
        if await look():
            return
        await asyncio.sleep(LOOK)


def _begun(connection: Connection) -> list[tuple[str, JsonObject]]:
    query = (
        select(runs.c.tenant, calls.c.request)
        .join(calls, (calls.c.run_id == runs.c.id) & (calls.c.attempt == runs.c.attempt))
        .where(runs.c.state == "running", calls.c.kind == "tool", calls.c.outcome.is_(None))
    )
    return [(row.tenant, read_object(row.request)) for row in connection.execute(query)]
