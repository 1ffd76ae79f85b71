"""All cases, carried out: a run is started for each, and what it asks is decided."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import proctor
from benchmarks._replay._data import Task
from benchmarks._replay._desk import Keys, opening
from benchmarks._replay._person import Person, at_once

_PAGE = 500


class Cases:
    """Carries cases out, so many at a time. What was done before stands in the database, and in the shops."""

    def __init__(
        self,
        running: proctor.Proctor,
        person: Person,
        cases: Sequence[Task],
        *,
        window: int,
        admit: Callable[[], Awaitable[None]] = at_once,
    ) -> None:
        """`admit` returns when one more run may be started."""
        self._running = running
        self._person = person
        self._cases = cases
        self._slots = asyncio.Semaphore(window)
        self._admit = admit

    async def carry_out(self) -> None:
        """Returns when every run has ended."""
        known = {run.tenant: run for run in await all_runs(self._running)}
        async with asyncio.TaskGroup() as group:
            for number in range(len(self._cases)):
                group.create_task(self._one(number, known.get(tenant_of(number))))

    async def _one(self, number: int, run: proctor.Run | None) -> None:
        case = self._cases[number]
        async with self._slots:
            if run is None:
                await self._admit()
                team, text = keys_of(number), opening(number, case)
                run = await self._running.start(team, text, tenant=tenant_of(number))
            await self._person.attend(run, case)


def tenant_of(number: int) -> str:
    """The tenant of the n-th case."""
    return f"case-{number}"


def keys_of(number: int) -> Keys:
    """Every other case has a shop that honours idempotency keys."""
    return "keyless" if number % 2 else "keyed"


async def all_runs(running: proctor.Proctor) -> list[proctor.Run]:
    """Every run of the database, newest first."""
    found: list[proctor.Run] = []
    before = ""
    while page := await running.runs.page(before=before, limit=_PAGE):
        found += page
        before = page[-1].id
    return found
