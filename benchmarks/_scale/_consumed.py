"""What processes use, seen from outside: the same for every contender."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import psutil

from benchmarks._overhead._children import Child

LOOK = 0.1
"""Seconds between looks at another process."""


async def rss_mb(child: Child, pid: int) -> float:
    """Resident memory after a garbage collection."""
    await child.tell(do="collect")
    return float(psutil.Process(pid).memory_info().rss) / 2**20


async def until(holds: Callable[[], Awaitable[bool]], *, seconds: float) -> None:
    """Returns when another process has come so far.

    Raises:
        TimeoutError: it hasn't in time.
    """
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - nothing here is told of it
            await asyncio.sleep(LOOK)


class Cpu:
    """Processor time of named process trees from now on."""

    def __init__(self, roots: Mapping[str, tuple[int, ...]]) -> None:
        self._roots = roots
        self._before = self._read()

    def seconds(self) -> dict[str, float]:
        """Of each tree, threads and living children included."""
        return {
            name: sum(used - self._before[name].get(pid, 0.0) for pid, used in now.items())
            for name, now in self._read().items()
        }

    def _read(self) -> dict[str, dict[int, float]]:
        return {name: _used(pids) for name, pids in self._roots.items()}


def _used(pids: tuple[int, ...]) -> dict[int, float]:
    found: dict[int, float] = {}
    for root in map(psutil.Process, pids):
        for process in (root, *root.children(recursive=True)):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            found[process.pid] = times.user + times.system
    return found
