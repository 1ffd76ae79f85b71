"""The process that is soaked: executes runs and gives itself a steady load, and tells what it holds.

It prints a line of JSON for each look at itself, and a last one with what became of the runs.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from itertools import count, cycle
from typing import Any

import proctor
from benchmarks._scale._soak_teams import KINDS, Kind, app, attend, configuration
from benchmarks._scale._vitals import Meter, Vitals
from proctor.core import JsonObject

WARM_ROUNDS = 8
"""All kinds side by side, so often before the load: threads, connections and caches are made then."""

HELD = 0.2
"""Seconds that each place of a pool is held, so that all are held at once."""

POOLED = 32
"""More than any pool of threads or connections has places."""

QUIET = 6.0
"""Seconds after which an idle connection to the endpoint counts as expired: the SDK's own 5, and one."""

COLLECT_EVERY = 6
"""One look in so many comes after a garbage collection."""

SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is done."""

    url: str
    """Of the model endpoint."""
    settings: JsonObject
    """Database and engine."""
    seconds: float
    rate: float
    """Runs a second; a conversation of two messages counts as one."""
    every: float
    """Seconds between two looks."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of the runs."""

    done: dict[Kind, int] = field(default_factory=dict)
    faults: int = 0
    told: list[str] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    most_behind: float = 0.0
    """Seconds by which a run was begun too late."""


class Soak:
    """A load on a running Proctor."""

    def __init__(self, running: proctor.Proctor) -> None:
        self._running = running
        self._numbers = count(1000)
        self._meter = Meter(running)
        self.tally = Tally()

    async def warm_up(self) -> None:
        """Makes everything that is made once, and fills the pools that chance would fill during the load."""
        database = self._running.database
        held = (lambda _: time.sleep(HELD) for _ in range(POOLED))
        reading = [database.read(query) for query in held]
        threads = [asyncio.to_thread(time.sleep, HELD) for _ in range(POOLED)]
        await asyncio.gather(*reading, database.commit(lambda _: time.sleep(HELD)), *threads)
        for _ in range(WARM_ROUNDS):
            async with asyncio.TaskGroup() as group:
                for kind in KINDS:
                    group.create_task(self._one(kind))

    async def at_rest(self) -> Vitals:
        """What the process holds without load. Each pool is used once, so that it drops what has expired."""
        await asyncio.sleep(QUIET)
        for kind in KINDS:
            await self._one(kind)
        return self._meter.look(collect=True)

    async def load(self, order: Order) -> None:
        """Begins runs at the rate, and looks at the process meanwhile."""
        begins = time.monotonic()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch(order.every))
            for number, kind in zip(range(round(order.seconds * order.rate)), cycle(KINDS), strict=False):
                due = begins + number / order.rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                self.tally.most_behind = max(self.tally.most_behind, time.monotonic() - due)
                group.create_task(self._one(kind))
            watching.cancel()

    @property
    def cpu_share(self) -> float:
        """Of one core, over all."""
        return self._meter.cpu_share

    async def _watch(self, every: float) -> None:
        for number in count():
            tell(sample=asdict(self._meter.look(collect=number % COLLECT_EVERY == 0)))
            await asyncio.sleep(every)

    async def _one(self, kind: Kind) -> None:
        tally = self.tally
        tally.in_flight += 1
        tally.most_in_flight = max(tally.most_in_flight, tally.in_flight)
        try:
            faults = await attend(self._running, kind, next(self._numbers))
        except (proctor.ProctorError, TimeoutError) as error:
            faults = (f"{kind}: {type(error).__name__}: {error}",)
        finally:
            tally.in_flight -= 1
        tally.done[kind] = tally.done.get(kind, 0) + 1
        tally.faults += len(faults)
        tally.told += faults[: SHOWN - len(tally.told)]


def tell(**said: Any) -> None:
    """Prints one line."""
    print(json.dumps(said), flush=True)


async def main(order: Order) -> None:
    """Soaks this process as ordered."""
    settings = proctor.Settings.model_validate({**configuration(order.url), **order.settings})
    async with proctor.open(app, settings=settings, environ={}) as running:
        soak = Soak(running)
        await soak.warm_up()
        tell(before=asdict(await soak.at_rest()))
        soak.tally = Tally()
        await soak.load(order)
        share = soak.cpu_share
        after = asdict(await soak.at_rest())
        tell(after=after, cpu_share=round(share, 3), commits=running.database.commits, **asdict(soak.tally))


if __name__ == "__main__":
    asyncio.run(main(Order(**json.loads(sys.argv[1]))))
