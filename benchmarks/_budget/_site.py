"""Where the benchmark happens: its configuration, and worker processes that are killed and replaced."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from signal import SIGKILL

import proctor
from benchmarks._budget._teams import PLACE
from benchmarks._budget._workload import MAX_TOKENS, prices
from benchmarks._overhead._environments import ROOT
from benchmarks._scale._consumed import until

BOUND = 1_800
"""Seconds within which all runs have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a benchmark runs on."""

    provider: str
    tools: str
    database: str
    temporal: str
    seed: int
    repeats: str
    concurrency: int

    def write(self, folder: Path) -> Path:
        """The configuration of all processes."""
        models = "".join(
            f"""
[models.{name}]
model = "{name}"
base_url = "{self.provider}"
api_key = "none"
repeats = "{self.repeats}"
max_output = {MAX_TOKENS}
price = {{ {", ".join(f'{kind} = "{rate}"' for kind, rate in price.items())} }}
"""
            for name, price in prices(self.seed).items()
        )
        tools = "".join(
            f"""
[tools.{name}]
url = "{self.tools}"
allow = ["{tool}"]
cost_per_call = "{cost}"
cost_per_second = "0.0005"
call_timeout = 10
max_output = 1000
"""
            for name, tool, cost in (("lookups", "look_up", "0.0003"), ("stocks", "stock", "0.000171"))
        )
        file = folder / "proctor.toml"
        file.write_text(
            f"""\
app = "{PLACE}"

[database]
url = "{self.database}"

[engine]
kind = "temporal"
address = "{self.temporal}"
concurrency = {self.concurrency}

[budget]
daily_usd = 1000
{models}{tools}"""
            + "".join(f"\n[teams.{team}]\nretries = 20\n" for team in ("desk", "shop", "lab"))
        )
        return file


class Crew:
    """Worker processes."""

    def __init__(self, config: Path, running: proctor.Proctor, rng: Random) -> None:
        self._config = config
        self._running = running
        self._rng = rng
        self._processes: list[asyncio.subprocess.Process] = []
        self.killed = 0

    async def add(self, count: int = 1) -> None:
        """Starts further workers."""
        quiet = asyncio.subprocess.DEVNULL
        command = [sys.executable, "-m", "proctor", "worker", "--config", str(self._config)]
        for _ in range(count):
            self._processes.append(
                await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=quiet, stdout=quiet)
            )

    async def alive(self) -> None:
        """Returns when every worker has said that it is there."""

        async def there() -> bool:
            workers = await self._running.workers.page()
            return sum(worker.alive(datetime.now(UTC)) for worker in workers) >= len(self._processes)

        await until(there, seconds=BOUND)

    async def renew(self) -> None:
        """Ends all workers in order, and starts as many others."""
        count = len(self._processes)
        await self.end()
        await self.add(count)
        await self.alive()

    async def strike(self) -> None:
        """Kills one worker as the kernel might, and starts another one."""
        victim = self._processes.pop(self._rng.randrange(len(self._processes)))
        victim.send_signal(SIGKILL)
        await victim.wait()
        self.killed += 1
        await self.add()

    async def end(self) -> None:
        """Ends all workers in order."""
        for process in self._processes:
            if process.returncode is None:
                process.terminate()
        async with asyncio.timeout(BOUND):
            await asyncio.gather(*(process.wait() for process in self._processes))
        self._processes.clear()


@asynccontextmanager
async def crew_of(config: Path, running: proctor.Proctor, rng: Random) -> AsyncIterator[Crew]:
    """Workers that are gone afterwards."""
    crew = Crew(config, running, rng)
    try:
        yield crew
    finally:
        await crew.end()
