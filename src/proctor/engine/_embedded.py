"""The embedded engine: this process executes segments itself.

Knows neither teams nor the journal: only ids of work, how to find what is due, and how to have it executed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Generic, TypeVar

from proctor.store import Lock

log = logging.getLogger("proctor.engine")

POLL = 0.5
"""Seconds between looks for work that other processes have queued."""

Work = TypeVar("Work")
Done = TypeVar("Done")
Due = Callable[[], Awaitable[Sequence[str]]]


class EmbeddedEngine(Generic[Work, Done]):
    """Executes due work, `concurrency` pieces at a time, as the only process on its database."""

    def __init__(
        self,
        *,
        lock: Lock,
        due: Due,
        recover: Due,
        execute: Callable[[str | Work], Awaitable[Done]],
        suspend: Callable[[], None],
        concurrency: int,
    ) -> None:
        self._lock = lock
        self._due = due
        self._recover = recover
        self._execute = execute
        self._suspend = suspend
        self._slots = asyncio.Semaphore(concurrency)
        self._tasks: dict[str, asyncio.Task[Done]] = {}
        self._poller: asyncio.Task[None] | None = None
        self._stopping = False
        self.running = False
        """Whether this process has the right to execute work."""

    async def start(self) -> None:
        """Takes the right to execute, and takes up what a dead process left.

        Raises:
            DatabaseInUse: another process has the right.
        """
        await asyncio.to_thread(self._lock.acquire)
        self.running, self._stopping = True, False
        for id in await self._recover():
            self.submit(id)
        self._poller = asyncio.create_task(self._poll())

    def submit(self, id: str, work: Work | None = None) -> "asyncio.Task[Done]":
        """The execution of a piece of work, known by its id or given whole; one under way stays as it is."""
        task = self._tasks.get(id)
        if task is None:
            task = asyncio.create_task(self._work(id if work is None else work))
            self._tasks[id] = task
            task.add_done_callback(lambda ended: self._ended(id, ended))
        return task

    def executing(self, id: str) -> bool:
        """Whether this process executes the work at this moment."""
        return id in self._tasks

    async def done(self, id: str) -> Done | None:
        """What the execution that is under way comes to; nothing where none is, or where it broke."""
        task = self._tasks.get(id)
        if task is None:
            return None
        await asyncio.wait({task})
        return None if task.cancelled() or task.exception() is not None else task.result()

    async def idle(self) -> None:
        """Returns when nothing is executed and nothing is due."""
        while True:
            for id in await self._due():
                self.submit(id)
            if not self._tasks:
                return
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def stop(self, grace: timedelta) -> None:
        """Ends the executions and gives the right back. The next start takes up what was not finished.

        Executions come to a call boundary by themselves where that takes no longer than `grace`. Work that
        still waits for its turn, or comes meanwhile, is not begun.
        """
        self._stopping = True
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)
            self._poller = None
        self._suspend()
        if self._tasks and grace:
            await asyncio.wait(self._tasks.values(), timeout=grace.total_seconds())
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self.running:
            self._lock.release()
            self.running = False

    async def _work(self, work: str | Work) -> Done:
        async with self._slots:
            if self._stopping:
                raise asyncio.CancelledError
            return await self._execute(work)

    def _ended(self, id: str, task: "asyncio.Task[Done]") -> None:
        del self._tasks[id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the execution of %s broke", id, exc_info=error)

    async def _poll(self) -> None:
        failed = False
        while True:
            await asyncio.sleep(POLL)
            try:
                due = await self._due()
            except Exception:  # the worker loop: a database may be away for a while
                if not failed:
                    log.exception("what is due can't be read; it is tried again")
                failed = True
                continue
            failed = False
            for id in due:
                self.submit(id)
