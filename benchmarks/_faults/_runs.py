"""The runs of a site, seen from beside the process that executes them."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from sqlalchemy import Connection, func, select

import proctor
from benchmarks._faults._cases import SIBLINGS, Case, task_of
from benchmarks._faults._desk import Site, application, settings
from benchmarks._faults._traces import EFFECTS, HELD, of_case
from proctor import Decision, Event, Run
from proctor.runs import calls, runs

LOOK = 0.2
"""Seconds between looks."""
STOPPED = frozenset({"completed", "failed", "waiting", "cancelled"})
HUNG = 90.0
"""Seconds after which a run that hasn't stopped counts as hung."""
SIBLING_CALLS = 4
"""Calls of the branches beside the faulty one: the clerk's two and its tool's, and the writer's."""
_PERSON = "ann"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A run after all that was done for it."""

    key: str
    """Its case and number."""
    run: Run
    events: tuple[Event, ...]


class Runs:
    """Starts runs that another process executes, and looks after them."""

    def __init__(self, running: proctor.Proctor, site: Site) -> None:
        self._running = running
        self._site = site
        self.ids: dict[str, str] = {}
        """Each run's key, with its id."""

    async def start(self, cases: Iterable[Case], count: int) -> tuple[str, ...]:
        """The keys of so many new runs of each case."""
        keys = {f"{case.name}/{number}": (case.name, number) for case in cases for number in range(count)}
        started = await asyncio.gather(
            *(self._running.start(name, task_of(name, number)) for name, number in keys.values())
        )
        self.ids |= {key: run.id for key, run in zip(keys, started, strict=True)}
        return tuple(keys)

    async def until_stopped(self, keys: Collection[str], states: Collection[str] = STOPPED) -> None:
        """Returns when all are in such a state, or were given up."""
        end = time.monotonic() + HUNG
        while time.monotonic() < end:
            if all(state in states for state in (await self._states(keys)).values()):
                return
            await asyncio.sleep(LOOK)

    async def until_held(self, case: Case, keys: Sequence[str]) -> None:
        """Returns when every run stands in its faulty branch, and all else is recorded."""
        wanted = len(keys) * SIBLING_CALLS
        async with asyncio.timeout(HUNG):
            while (  # noqa: ASYNC110 - other processes leave files
                len(of_case(self._site.traces.read(HELD), case.name)) < len(keys)
                or await self._recorded(keys) < wanted
            ):
                await asyncio.sleep(LOOK)

    async def settle_questions(self, keys: Collection[str]) -> None:
        """A person looks what became of each action whose end isn't known, and decides on it."""
        end = time.monotonic() + HUNG
        by_id = {self.ids[key]: key for key in keys}
        while "waiting" in (await self._states(keys)).values() and time.monotonic() < end:
            for approval in await self._running.approvals(limit=500):
                if approval.run_id not in by_id:
                    continue
                effects = self._site.traces.read(EFFECTS)
                took = any(
                    effect["key"] == by_id[approval.run_id] and effect["by"] == "expert" for effect in effects
                )
                decision = Decision(
                    kind="respond" if took else "approve", comment="done" if took else "", by=_PERSON
                )
                await self._running.decide(approval.id, decision)
            await self.until_stopped(keys)

    async def resume(self, keys: Iterable[str]) -> None:
        """Resumes runs that were parked."""
        for key in keys:
            if (await self._running.runs.get(self.ids[key])).state == "failed":
                await self._running.resume(self.ids[key])

    async def told(self, keys: Iterable[str]) -> list[Told]:
        """How the runs stand, and what happened in them."""
        return [
            Told(
                key=key,
                run=await self._running.runs.get(self.ids[key]),
                events=await self._running.runs.events(self.ids[key]),
            )
            for key in keys
        ]

    async def _states(self, keys: Collection[str]) -> dict[str, str]:
        ids = [self.ids[key] for key in keys]

        def query(connection: Connection) -> dict[str, str]:
            rows = connection.execute(select(runs.c.id, runs.c.state).where(runs.c.id.in_(ids)))
            return {row.id: row.state for row in rows}

        return await self._running.database.read(query)

    async def _recorded(self, keys: Collection[str]) -> int:
        """Calls of the siblings that the journal holds."""
        ids = [self.ids[key] for key in keys]
        query = (
            select(func.count())
            .select_from(calls)
            .where(calls.c.run_id.in_(ids), calls.c.agent.in_(SIBLINGS), calls.c.outcome.is_not(None))
        )
        return await self._running.database.read(lambda connection: connection.execute(query).scalar_one())


@asynccontextmanager
async def open_runs(site: Site) -> AsyncIterator[Runs]:
    """The runs of a site; this process waits for its database as long as it takes."""
    patient = settings(replace(site, patience=120))
    async with proctor.open(application(site), settings=patient, executes=False, environ={}) as running:
        yield Runs(running, site)
