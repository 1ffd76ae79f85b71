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


def serve(opening: Opening, *packages: str, settle: float = 0.0) -> None:
    """Carries out orders until the standard input ends. `packages` are those whose versions are told.

    What a contender still does in the `settle` seconds behind a burst counts as a part of it.
    """
    asyncio.run(_serve(opening, sys.argv[1], Path(sys.argv[2]), packages, settle))


async def _serve(opening: Opening, url: str, folder: Path, packages: tuple[str, ...], settle: float) -> None:
    async with opening(url, folder) as contender:
        print(json.dumps({"versions": {name: version(name) for name in packages}}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            order = json.loads(line)
            await _burst(contender, order["scenario"], order["concurrency"], order["warmup"])
            await asyncio.sleep(settle)  # of what is measured nothing is owed to the warm-up
            figures = await _measure(contender, order, settle)
            print(json.dumps(figures), flush=True)


async def _measure(contender: Contender, order: dict[str, Any], settle: float) -> dict[str, float]:
    gc.collect()
    commits, cpu, began = contender.commits, _cpu(), time.perf_counter()
    await _burst(contender, order["scenario"], order["concurrency"], order["runs"])
    wall = time.perf_counter() - began
    await asyncio.sleep(settle)
    return {
        "wall_s": wall,
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
