"""Workers that are killed, frozen and drained, and a database that goes away.

Each time the runs stand in their faulty branch, with all else recorded.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

from benchmarks._faults._cases import CASES, Case
from benchmarks._faults._desk import Site
from benchmarks._faults._figures import Row, row_of
from benchmarks._faults._processes import Process, start_worker, worker
from benchmarks._faults._runs import LOOK, Runs, open_runs
from benchmarks._faults._traces import ANSWERS, of_case, released
from benchmarks._servers import Postgres

DRAIN = 0.3
"""Seconds after SIGTERM until calls in progress come to their end."""
AWAY = 2.0
"""Seconds for which the database is away, where its patience is longer."""
LONG_AWAY = 4.0
IMPATIENT = 1.0
"""Seconds that runs wait for it, where it is away for longer."""
WAKING = 60.0
"""Seconds in which a frozen worker, once it goes on, has heard the answers that it waited for."""
LAST_WORD = 1.0
"""Seconds that it then has to write and to act, if nothing kept it from that."""


async def embedded_rows(site: Site, count: int) -> list[Row]:
    """One process on one file: it is killed, or drained, and started again."""
    rows = []
    async with AsyncExitStack() as stack:
        runs = await stack.enter_async_context(open_runs(site))
        executing = await stack.enter_async_context(worker(site))
        for name in ("worker_killed_embedded-reschedule", "worker_drained_embedded-hand_over"):
            case = CASES[name]
            keys = await _held(runs, case, count)
            began = time.time()
            more = await _end(executing, case, site)
            executing = await stack.enter_async_context(worker(site))
            await runs.until_stopped(keys)
            rows.append(row_of(case, await runs.told(keys), site.traces, began=began, **more))
    return rows


async def _end(process: Process, case: Case, site: Site) -> dict[str, float]:
    """Kills or drains a worker; returns when it is gone."""
    if "killed" in case.fault:
        process.send(SIGKILL)
        await process.ended()
        return {}
    process.send(SIGTERM)
    await asyncio.sleep(DRAIN)
    site.traces.mark(released(case.name))
    return {"seconds_to_drain": round(DRAIN + await process.ended(), 3)}


async def temporal_rows(site: Site, count: int) -> list[Row]:
    """Workers that share their runs through Temporal. All runs are on the one that the fault meets."""
    rows = []
    async with AsyncExitStack() as stack:
        runs = await stack.enter_async_context(open_runs(site))
        first = await stack.enter_async_context(worker(site))
        for fault, name in (
            ("killed", "worker_killed_temporal-reschedule"),
            ("frozen", "worker_frozen_temporal-reschedule"),
            ("drained", "worker_drained_temporal-hand_over"),
        ):
            case = CASES[name]
            keys = await _held(runs, case, count)
            second = await start_worker(site)
            stack.push_async_callback(second.end)
            await second.ready()
            began = time.time()
            more = {}
            if fault == "frozen":
                first.send(SIGSTOP)
            else:
                more = await _end(first, case, site)
            await runs.until_stopped(keys)
            if fault == "frozen":
                await _wake(first, case, site, keys)
            rows.append(row_of(case, await runs.told(keys), site.traces, began=began, **more))
            await first.end()
            first = second
    return rows


async def _wake(frozen: Process, case: Case, site: Site, keys: Sequence[str]) -> None:
    """Lets a frozen worker go on, with the answers that it waited for; its runs have ended elsewhere."""

    def answered() -> int:
        return len(of_case(site.traces.read(ANSWERS), case.name))

    wanted = answered() + len(keys)
    site.traces.mark(released(case.name))
    frozen.send(SIGCONT)
    async with asyncio.timeout(WAKING):
        while answered() < wanted:  # noqa: ASYNC110 - other processes leave files
            await asyncio.sleep(LOOK)
    await asyncio.sleep(LAST_WORD)


async def database_rows(site: Site, postgres: Postgres, count: int) -> list[Row]:
    """A database that goes away under the process that executes, for less and for more than its patience."""
    rows = []
    async with open_runs(site) as runs:
        for name, patience, away in (
            ("database_restarts-wait", site.patience, AWAY),
            ("database_stays_away-reschedule", IMPATIENT, LONG_AWAY * site.slack),
        ):
            case = CASES[name]
            async with worker(replace(site, patience=patience)):
                keys = await _held(runs, case, count)
                began = time.time()
                await asyncio.to_thread(postgres.stop)
                try:
                    site.traces.mark(released(case.name))
                    await asyncio.sleep(away)
                finally:
                    await asyncio.to_thread(postgres.start)
                away_for = round(time.time() - began, 3)
                await runs.until_stopped(keys)
            told = await runs.told(keys)
            rows.append(row_of(case, told, site.traces, began=began, seconds_away=away_for))
    return rows


async def _held(runs: Runs, case: Case, count: int) -> Sequence[str]:
    """So many runs that stand in their faulty branch, with all else recorded."""
    keys = await runs.start([case], count)
    await runs.until_held(case, keys)
    return keys
