"""The measuring side of a contender's process: takes orders on standard input, answers each with figures."""

import asyncio
import gc
import json
import resource
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from benchmarks._overhead._workload import ANSWER, task


class Contender(Protocol):
    """A framework that is ready to do the work."""

    @property
    def commits(self) -> int:
        """Disk commits so far."""

    async def run(self, scenario: str, task: str) -> str:
        """The answer of one run: a fresh team, or a fresh thread."""


Opening = Callable[[str, Path], AbstractAsyncContextManager[Contender]]
"""Makes a contender of an endpoint's address and a folder for its database."""


def serve(opening: Opening, *packages: str, beside: Callable[[], float] | None = None) -> None:
    """Carries out orders until the standard input ends. `packages` are those whose versions are told.

    `beside` tells the processor time so far of what goes on behind a burst, where that is a part of its cost.
    """
    asyncio.run(_serve(opening, sys.argv[1], Path(sys.argv[2]), packages, beside))


async def _serve(
    opening: Opening,
    url: str,
    folder: Path,
    packages: tuple[str, ...],
    beside: Callable[[], float] | None,
) -> None:
    async with opening(url, folder) as contender:
        print(json.dumps({"versions": {name: version(name) for name in packages}}), flush=True)
        left = 0.0 if beside is None else beside()
        while line := await asyncio.to_thread(sys.stdin.readline):
            order = json.loads(line)
            since = {} if beside is None else {"beside_cpu_s": beside() - left}
            await _burst(contender, order["scenario"], order["concurrency"], order["warmup"])
            figures = await _measure(contender, order)
            left = 0.0 if beside is None else beside()
            print(json.dumps(figures | since), flush=True)


async def _measure(contender: Contender, order: dict[str, Any]) -> dict[str, float]:
    gc.collect()
    commits, cpu, began = contender.commits, _cpu(), time.perf_counter()
    await _burst(contender, order["scenario"], order["concurrency"], order["runs"])
    return {
        "wall_s": time.perf_counter() - began,
        "cpu_s": _cpu() - cpu,
        "commits": contender.commits - commits,
    }


def _cpu() -> float:
    """Seconds of processor time of all threads of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def _burst(contender: Contender, scenario: str, concurrency: int, runs: int) -> None:
    numbers = iter(range(1000, 1000 + runs))

    async def work() -> None:
        for number in numbers:
            answer = await contender.run(scenario, task(number))
            if answer != ANSWER:
                raise RuntimeError(f"{scenario} answered {answer!r}")

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())
