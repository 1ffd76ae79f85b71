"""The third level: every provider fails for a while under load, and the system steps down and climbs back."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import proctor
from benchmarks._faults._cases import LADDER, task_of
from benchmarks._faults._desk import SHORT, Site, application, settings
from benchmarks._faults._endpoint import OUTAGE
from benchmarks._faults._processes import worker
from benchmarks._faults._traces import EFFECTS, of_case
from proctor import Run
from proctor.core import Degraded

PAUSE = 0.25
"""Seconds between two runs."""
CALM = 2.0
"""Seconds before the outage."""
OUTAGE_AT_MOST = 60.0
CLOSED_FOR = 3.0
"""Seconds of the outage at the last level."""
CLIMB_AT_MOST = 120.0
END_AT_MOST = 120.0
"""Seconds for the last runs to come to their ends."""
LAST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A change of the level."""

    seconds: float
    """Since the outage began."""
    level: int
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """What a total outage of all providers came to."""

    outage_s: float
    steps: tuple[Step, ...]
    reached: int
    """The worst level."""
    recovered_s: float | None
    """From the end of the outage to level 0."""
    accepted: int
    """Runs that were started."""
    refused: int
    """Starts that were told to come back later."""
    completed_share: float
    """Of the accepted runs."""
    rescheduled: int
    """Runs that were put off at least once."""
    simplified: int
    """Runs that took their team's simple form."""
    tools_refused: int
    """Tool calls that level 3 refused."""
    effects_doubled: int
    windows: dict[str, float]
    complaints: tuple[str, ...]


async def climb(site: Site) -> Ladder:
    """Runs come at a steady pace while every model fails, and until the system is back at level 0."""
    async with proctor.open(
        application(site), settings=settings(site), executes=False, environ={}
    ) as running:
        load = _Load(running)
        async with worker(site):
            loading = asyncio.create_task(load.go())
            await asyncio.sleep(CALM)
            site.traces.mark(OUTAGE)
            began = time.time()
            await load.until(LAST, OUTAGE_AT_MOST)
            await asyncio.sleep(CLOSED_FOR)
            site.traces.unmark(OUTAGE)
            over = time.time()
            await load.until(0, CLIMB_AT_MOST)
            load.enough.set()
            await loading
            runs = await load.ended()
        return await _ladder(running, load, runs, site, outage=(began, over))


class _Load:
    def __init__(self, running: proctor.Proctor) -> None:
        self._running = running
        self.enough = asyncio.Event()
        self.started: list[str] = []
        self.refused = 0

    async def go(self) -> None:
        """Starts runs until there are enough."""
        while not self.enough.is_set():
            try:
                run = await self._running.start(LADDER, task_of(LADDER, len(self.started)))
            except Degraded:
                self.refused += 1
            else:
                self.started.append(run.id)
            await asyncio.sleep(PAUSE)

    async def until(self, level: int, within: float) -> None:
        """Returns when the workers are at a level, or the time is over."""
        end = time.monotonic() + within
        while time.monotonic() < end and (await self._running.degradation.outlook()).level != level:  # noqa: ASYNC110 - other processes leave files
            await asyncio.sleep(PAUSE)

    async def ended(self) -> Sequence[Run]:
        """All runs, when they have come to their ends, or the time is over."""
        end = time.monotonic() + END_AT_MOST
        while True:
            runs = await self._all()
            if time.monotonic() > end or all(run.state not in ("queued", "running") for run in runs):
                return runs
            await asyncio.sleep(PAUSE)

    async def _all(self) -> Sequence[Run]:
        return [await self._running.runs.get(id) for id in self.started]


async def _ladder(
    running: proctor.Proctor,
    load: "_Load",
    runs: Sequence[Run],
    site: Site,
    *,
    outage: tuple[float, float],
) -> Ladder:
    began, over = outage
    history = await running.degradation.history(limit=500)
    steps = tuple(
        Step(seconds=round(one.at.timestamp() - began, 2), level=one.level, rule=one.rule)
        for one in reversed(history)
    )
    happened = [
        {event.type for event in await running.runs.events(run.id)}
        | {"refused by degradation" for event in await running.runs.events(run.id) if _refused(event.data)}
        for run in runs
    ]
    counted = Counter(type for types in happened for type in types)
    effects = Counter((line["key"], line["by"]) for line in of_case(site.traces.read(EFFECTS), LADDER))
    doubled = sum(count - 1 for count in effects.values())
    completed = sum(run.state == "completed" for run in runs)
    back = next((step.seconds for step in steps if step.level == 0), None)
    reached = max((step.level for step in steps), default=0)
    wrong = []
    if reached < LAST:
        wrong.append(f"the ladder reached level {reached} only")
    if not steps or steps[-1].level != 0:
        wrong.append("the ladder didn't end at 0")
    if completed < len(runs):
        states = Counter(f"{run.state} {run.error_code or ''}".strip() for run in runs)
        wrong.append(f"runs that didn't complete: {dict(states)}")
    if doubled:
        wrong.append(f"{doubled} effects doubled")
    if not load.refused:
        wrong.append("no run was refused")
    return Ladder(
        outage_s=round(over - began, 2),
        steps=steps,
        reached=reached,
        recovered_s=None if back is None else round(back - (over - began), 2),
        accepted=len(runs),
        refused=load.refused,
        completed_share=round(completed / len(runs), 3),
        rescheduled=counted["run.rescheduled"],
        simplified=counted["run.simplified"],
        tools_refused=counted["refused by degradation"],
        effects_doubled=doubled,
        windows=dict(SHORT),
        complaints=tuple(f"{LADDER}: {one}" for one in wrong),
    )


def _refused(data: object) -> bool:
    return isinstance(data, dict) and data.get("rule") == "degradation"
