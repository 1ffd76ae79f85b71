"""What a process holds: memory, tasks, files, threads, children, connections, metric series."""

import asyncio
import gc
import time
from dataclasses import dataclass

import psutil
from sqlalchemy import QueuePool

import proctor


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """What the process holds at an instant."""

    seconds: float
    """Since the measuring began."""
    rss_mb: float
    tasks: int
    fds: int
    threads: int
    children: int
    connections: int
    """Of the database, open ones."""
    series: int
    """Samples that Prometheus would read."""
    objects: int
    """That the garbage collector follows; 0 where they weren't counted."""


class Meter:
    """Looks at this process."""

    def __init__(self, running: proctor.Proctor) -> None:
        self._running = running
        self._process = psutil.Process()
        self._began = time.monotonic()
        self._cpu = self._seconds_of_cpu()

    def look(self, *, collect: bool = False) -> Vitals:
        """What this process holds now; with `collect` after a garbage collection."""
        objects = 0
        if collect:
            gc.collect()
            objects = len(gc.get_objects())
        pool = self._running.database.engine.pool
        assert isinstance(pool, QueuePool)
        with self._process.oneshot():
            return Vitals(
                seconds=round(time.monotonic() - self._began, 1),
                rss_mb=round(self._process.memory_info().rss / 2**20, 3),
                tasks=len(asyncio.all_tasks()),
                fds=self._process.num_fds(),
                threads=self._process.num_threads(),
                children=len(self._process.children(recursive=True)),
                connections=pool.checkedin() + pool.checkedout(),
                series=sum(len(metric.samples) for metric in self._running.metrics.registry.collect()),
                objects=objects,
            )

    @property
    def cpu_share(self) -> float:
        """Of one core, since the measuring began."""
        return (self._seconds_of_cpu() - self._cpu) / (time.monotonic() - self._began)

    def _seconds_of_cpu(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system
