"""Executions that are under way in this process."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Generic

from proctor.core import end_tasks
from proctor.engine._duties import Done

log = logging.getLogger("proctor.engine")

PATIENCE = 2.0
"""Seconds that a cancelled execution has to end. What swallows its cancellation holds up no stop."""


class Executions(Generic[Done]):
    """What this process executes at this moment, one execution for each id."""

    def __init__(self, *, ended: Callable[[], None]) -> None:
        self._ended = ended
        self._tasks: dict[str, asyncio.Task[Done]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def get(self, id: str) -> "asyncio.Task[Done] | None":
        """The execution of a piece of work, where one is under way."""
        return self._tasks.get(id)

    def begin(self, id: str, work: Coroutine[Any, Any, Done]) -> "asyncio.Task[Done]":
        """A new execution. There must be none of this id."""
        task = self._tasks[id] = asyncio.create_task(work)
        task.add_done_callback(lambda task: self._end_one(id, task))
        return task

    async def done(self, id: str) -> Done | None:
        """What the execution that is under way comes to; nothing where none is, or where it broke."""
        task = self._tasks.get(id)
        if task is None:
            return None
        await asyncio.wait({task})
        return None if task.cancelled() or task.exception() is not None else task.result()

    async def ended(self) -> None:
        """Returns when all that are under way now have ended."""
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    async def end(self, grace: timedelta) -> None:
        """Ends them all: by themselves where that takes no longer than `grace`."""
        if self._tasks and grace:
            await asyncio.wait(self._tasks.values(), timeout=grace.total_seconds())
        await end_tasks(tuple(self._tasks.values()), within=PATIENCE)

    def _end_one(self, id: str, task: "asyncio.Task[Done]") -> None:
        del self._tasks[id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the execution of %s broke", id, exc_info=error)
        self._ended()
