"""The embedded engine: this process executes segments itself.

Knows neither teams nor the journal: only ids of work, how to find what is due, and how to have it executed.
"""

import asyncio
import logging
from contextlib import ExitStack
from datetime import timedelta
from typing import Generic

from proctor.core import DatabaseInUse, to_its_end
from proctor.engine._chores import Routine
from proctor.engine._duties import Chore, Done, Duties, Work
from proctor.engine._executions import Executions
from proctor.store import Lock

log = logging.getLogger("proctor.engine")

POLL = timedelta(seconds=0.5)
"""Between looks for work that other processes have queued, and at the right to execute."""

LOST_GRACE = timedelta(seconds=2)
"""What calls in progress have to end when the right to execute is lost: as long as in a planned stop."""


class EmbeddedEngine(Generic[Work, Done]):
    """Executes due work, `concurrency` pieces at a time, as the only process on its database."""

    def __init__(self, duties: Duties[Work, Done], *, lock: Lock, concurrency: int) -> None:
        self._duties = duties
        self._lock = lock
        self._concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency)
        self._executions: Executions[Done] = Executions(ended=self._freed)
        self._routine = Routine()
        self._looking = asyncio.Lock()
        self._look_now = asyncio.Event()
        self._more = False
        self._running = False
        self._stopping = False

    @property
    def running(self) -> bool:
        """Whether this process has the right to execute work."""
        return self._running

    @property
    def direct(self) -> bool:
        """Whether work that is given whole is executed at once."""
        return self._running and not self._stopping and len(self._executions) < self._concurrency

    async def start(self) -> None:
        """Takes the right to execute, and takes up what a dead process left.

        Raises:
            DatabaseInUse: another process has the right.
        """
        with ExitStack() as failing:
            failing.callback(self._lock.release)
            await to_its_end(asyncio.to_thread(self._lock.acquire))
            await self._duties.recover()
            failing.pop_all()
        self._running, self._stopping = True, False
        self._routine.begin(Chore(name="the right to execute", every=POLL, work=self._guard))
        self._routine.begin(
            Chore(name="look for due work", every=POLL, work=self._look), sooner=self._look_now
        )
        for chore in self._duties.chores:
            self._routine.begin(chore)

    def submit(self, id: str, work: Work | None = None) -> "asyncio.Task[Done]":
        """The execution of a piece of work, known by its id or given whole; one under way stays as it is."""
        task = self._executions.get(id)
        return task or self._executions.begin(id, self._work(id if work is None else work))

    def wake(self) -> None:
        """Looks for due work at once."""
        self._look_now.set()

    def executing(self, id: str) -> bool:
        """Whether this process executes the work at this moment."""
        return self._executions.get(id) is not None

    async def done(self, id: str) -> Done | None:
        """What the execution that is under way comes to; nothing where none is, or where it broke."""
        return await self._executions.done(id)

    async def idle(self) -> None:
        """Returns when nothing is executed and nothing is due."""
        while True:
            await self._look()
            if not self._executions:
                return
            await self._executions.ended()

    async def stop(self, grace: timedelta) -> None:
        """Ends the executions and gives the right back. The next start takes up what was not finished.

        Executions come to a call boundary by themselves where that takes no longer than `grace`. Work that
        still waits for its turn, or comes meanwhile, is not begun.
        """
        self._stopping = True
        await self._routine.end()
        self._duties.suspend()
        await self._executions.end(grace)
        await to_its_end(asyncio.to_thread(self._lock.release))
        self._running = False

    async def _work(self, work: str | Work) -> Done:
        async with self._slots:
            if self._stopping or not self._running:
                raise asyncio.CancelledError
            return await self._duties.execute(work)

    def _freed(self) -> None:
        if self._more:
            self._look_now.set()

    async def _look(self) -> None:
        async with self._looking:
            free = self._concurrency - len(self._executions)
            self._more = free <= 0
            if self._more or not self._running:
                return
            due = await self._duties.due(free)
            self._more = len(due) == free
            for id in due:
                self.submit(id)

    async def _guard(self) -> None:
        """Takes the right to execute again where it was lost: a database's restart ends its locks."""
        if not await to_its_end(asyncio.to_thread(self._lock.held)):
            try:
                await to_its_end(asyncio.to_thread(self._lock.acquire))
            except DatabaseInUse:
                if self._running:
                    await self._step_back()
                raise
        if not self._running:
            await self._duties.recover()
            self._running = True
            log.warning("this process executes again")

    async def _step_back(self) -> None:
        log.error("the right to execute runs is lost; this process stops them until it has it again")
        self._running = False
        self._duties.suspend()
        await self._executions.end(LOST_GRACE)
        await to_its_end(asyncio.to_thread(self._lock.release))
