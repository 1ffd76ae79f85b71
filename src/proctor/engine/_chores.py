"""Chores: done again and again, whatever becomes of one time."""

import asyncio
import logging
from contextlib import suppress

from proctor.core import ProctorError
from proctor.engine._duties import Chore

log = logging.getLogger("proctor.engine")


class Routine:
    """Chores that are seen to until the routine ends."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, chore: Chore, *, sooner: asyncio.Event | None = None) -> None:
        """Does a chore at once and again after each pause; `sooner` cuts a pause short."""
        self._tasks.append(asyncio.create_task(_repeat(chore, sooner or asyncio.Event())))

    async def end(self) -> None:
        """Returns when no chore is done any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()


async def _repeat(chore: Chore, sooner: asyncio.Event) -> None:
    failed = False
    while True:
        sooner.clear()
        try:
            await chore.work()
        except Exception as error:  # the worker loop: a database or a service may be away for a while
            if not failed:
                trace = None if isinstance(error, ProctorError) else error
                log.error("%s: this failed; it is tried again: %s", chore.name, error, exc_info=trace)  # noqa: TRY400
            failed = True
        else:
            if failed:
                log.info("%s: this works again", chore.name)
            failed = False
        with suppress(TimeoutError):
            async with asyncio.timeout(chore.every.total_seconds()):
                await sooner.wait()
