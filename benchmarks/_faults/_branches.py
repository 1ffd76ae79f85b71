"""Faults of agents, providers and tool servers, in one process."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from benchmarks._faults._cases import BRANCHES, CASES, Case
from benchmarks._faults._desk import Site
from benchmarks._faults._figures import Row, by_case, row_of
from benchmarks._faults._processes import worker
from benchmarks._faults._runs import Runs, open_runs
from benchmarks._faults._traces import MENDED

WINDOW = 30
"""Runs at a time: more of them would wait for the processor, and not for what is measured."""


async def branch_rows(site: Site, count: int) -> list[Row]:
    """A row for each fault of a branch and each mechanism that meets it.

    Runs that were parked are resumed once everything is mended, by another process.
    """
    async with open_runs(site) as runs:
        async with worker(replace(site, desks=True)):
            cases = [case for case in CASES.values() if case.family in BRANCHES]
            keys = await _met(runs, cases, count)
        site.traces.mark(MENDED)
        parked = [key for key in keys if CASES[key.rpartition("/")[0]].mechanism == "by_hand"]
        async with worker(replace(site, mended=True)):
            await runs.resume(parked)
            await runs.until_stopped(parked)
        told = by_case(await runs.told(keys))
    return [row_of(CASES[name], of_it, site.traces) for name, of_it in told.items()]


async def _met(runs: Runs, cases: Sequence[Case], count: int) -> list[str]:
    """The keys of all runs, when each has stopped."""
    places = asyncio.Semaphore(max(1, WINDOW // count))

    async def meet(case: Case) -> Sequence[str]:
        async with places:
            keys = await runs.start([case], count)
            await runs.until_stopped(keys)
            await runs.settle_questions(keys)
            return keys

    met = await asyncio.gather(*map(meet, cases))
    return [key for keys in met for key in keys]
