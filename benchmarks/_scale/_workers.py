"""Throughput of worker processes that share PostgreSQL and Temporal."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from sqlalchemy import Connection, text

import proctor
from benchmarks._overhead._environments import CACHE, ROOT
from benchmarks._overhead._workload import ANSWER, task
from benchmarks._scale._configuration import write_configuration
from benchmarks._scale._consumed import Cpu, until
from benchmarks._scale._teams import PLACE, app
from benchmarks._servers import Postgres, Temporal

BOUND = 600
"""Seconds within which a cell's runs have ended."""

WARM = 24
"""Runs for each worker before anything is measured: imports are made then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What a number of workers did."""

    scenario: str
    workers: int
    concurrency: int
    """Runs at a time, of each worker."""
    runs: int
    right: int
    doubled: int
    """Runs that were taken up more than once."""
    runs_per_s: float
    cpu_ms: dict[str, float]
    """Milliseconds of processor time a run, by what used it."""
    cores: float
    """Busy on average, of all these processes together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where workers run."""

    endpoint: str
    endpoint_pid: int
    postgres: Postgres
    temporal: Temporal


async def measure_workers(
    site: Site, *, scenarios: Sequence[str], counts: Sequence[int], concurrency: int, runs: int
) -> list[Cell]:
    """A cell for each scenario and number of workers, which are added as they are needed."""
    cells: list[Cell] = []
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(dir=CACHE)))
        config = write_configuration(
            folder,
            endpoint=site.endpoint,
            database=site.postgres.create_database(),
            concurrency=concurrency,
            temporal=site.temporal.address,
        )
        settings = proctor.load_settings(config, environ={}).settings
        running = await stack.enter_async_context(
            proctor.open(app, settings=settings, target=PLACE, executes=False, environ={})
        )
        crew = _Crew(site, running, concurrency)
        for count in sorted(counts):
            while len(crew.workers) < count:
                crew.workers.append(await stack.enter_async_context(_worker(config)))
            await crew.all_alive()
            for scenario in scenarios:
                await crew.burst(scenario, WARM * count)
            for scenario in scenarios:
                cells.append(await crew.cell(scenario, runs))
                _tell(cells[-1])
    return cells


@asynccontextmanager
async def _worker(config: Path) -> AsyncIterator[int]:
    """The id of a new worker's process."""
    quiet = asyncio.subprocess.DEVNULL
    command = [sys.executable, "-m", "proctor", "worker", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=quiet, stdout=quiet)
    try:
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(BOUND):
            await process.wait()


class _Crew:
    """Workers, and this process, which starts runs for them."""

    def __init__(self, site: Site, running: proctor.Proctor, concurrency: int) -> None:
        self.workers: list[int] = []
        self._site = site
        self._running = running
        self._concurrency = concurrency

    async def all_alive(self) -> None:
        """Returns when every worker has said that it is there."""

        async def there() -> bool:
            workers = await self._running.workers.page()
            return sum(worker.alive(datetime.now(UTC)) for worker in workers) >= len(self.workers)

        await until(there, seconds=BOUND)

    async def cell(self, scenario: str, runs: int) -> Cell:
        """What these workers do with so many runs."""
        site = self._site
        cpu = Cpu(
            {
                "workers": tuple(self.workers),
                "temporal": (site.temporal.pid,),
                "postgres": (site.postgres.pid,),
                "endpoint": (site.endpoint_pid,),
            }
        )
        own, began = time.process_time(), time.perf_counter()
        right, doubled, seconds = await self.burst(scenario, runs)
        used = {**cpu.seconds(), "starter": time.process_time() - own}
        return Cell(
            scenario=scenario,
            workers=len(self.workers),
            concurrency=self._concurrency,
            runs=runs,
            right=right,
            doubled=doubled,
            runs_per_s=runs / seconds,
            cpu_ms={name: value / runs * 1000 for name, value in used.items()},
            cores=sum(used.values()) / (time.perf_counter() - began),
        )

    async def burst(self, scenario: str, runs: int) -> tuple[int, int, float]:
        """How many runs ended rightly, how many were taken up twice, and the seconds from first to last."""
        database, tenant, began = self._running.database, uuid4().hex, datetime.now(UTC)
        async with asyncio.TaskGroup() as group:
            for number in range(runs):
                group.create_task(self._running.start(scenario, task(number), tenant=tenant))

        async def ended() -> bool:
            return not await database.read(lambda connection: _open_runs(connection, tenant))

        await until(ended, seconds=BOUND)
        right, doubled, last = await database.read(lambda connection: _outcome(connection, tenant))
        return right, doubled, (last - began).total_seconds()


def _open_runs(connection: Connection, tenant: str) -> int:
    query = "SELECT count(*) FROM runs WHERE tenant = :tenant AND finished_at IS NULL"
    return int(connection.execute(text(query), {"tenant": tenant}).scalar_one())


def _outcome(connection: Connection, tenant: str) -> tuple[int, int, datetime]:
    query = """
        SELECT sum(CASE WHEN state = 'completed' AND result = :answer THEN 1 ELSE 0 END) AS right_ones,
               sum(CASE WHEN attempt > 1 THEN 1 ELSE 0 END) AS doubled, max(finished_at) AS last
        FROM runs WHERE tenant = :tenant
    """
    row = connection.execute(text(query), {"tenant": tenant, "answer": ANSWER}).one()
    return int(row.right_ones), int(row.doubled), row.last


def _tell(cell: Cell) -> None:
    line = f"  {cell.scenario}: {cell.workers} workers at {cell.concurrency}: {cell.runs_per_s:.1f} runs/s"
    print(line, file=sys.stderr, flush=True)
