"""Proctor with its embedded engine as a measured process."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import proctor
from benchmarks._overhead._proctor import DurableAutoGen
from benchmarks._overhead._workload import task
from benchmarks._scale._serving import Load
from benchmarks._scale._teams import WAITS, app


class People:
    """The side of Proctor that people who decide use."""

    def __init__(self, running: proctor.Proctor) -> None:
        self._running = running

    async def wait(self, runs: int, beside: int) -> dict[str, Any]:
        """Executes runs until they wait for a person, and tells how many do."""
        numbers = iter(range(runs))
        waiting = 0

        async def work() -> None:
            nonlocal waiting
            for number in numbers:
                run = await self._running.run(WAITS, task(number))
                waiting += run.state == "waiting"

        async with asyncio.TaskGroup() as group:
            for _ in range(beside):
                group.create_task(work())
        return {"waiting": waiting}

    async def pages(self, size: int) -> dict[str, Any]:
        """Pages through everything that waits, and tells how long each page took."""
        took: list[float] = []
        listed, after = 0, ""
        while True:
            began = time.perf_counter()
            page = await self._running.approvals(after=after, limit=size)
            took.append((time.perf_counter() - began) * 1000)
            listed += len(page)
            if len(page) < size:
                return {"listed": listed, "ms": took}
            after = page[-1].id


async def _main(config: Path) -> None:
    settings = proctor.load_settings(config, environ={}).settings
    async with proctor.open(app, settings=settings, environ={}) as running:
        people = People(running)
        await Load(DurableAutoGen(running)).obey(wait=people.wait, pages=people.pages)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
