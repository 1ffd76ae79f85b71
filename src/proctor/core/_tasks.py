"""Ending tasks that may not want to end."""

import asyncio
import logging
from collections.abc import Collection
from typing import Any

log = logging.getLogger("proctor.tasks")


async def end_tasks(tasks: Collection["asyncio.Task[Any]"], *, within: float) -> "set[asyncio.Task[Any]]":
    """The tasks that have not ended so many seconds after they were cancelled."""
    for task in tasks:
        task.cancel()
    if not tasks:
        return set()
    ended, left = await asyncio.wait(tasks, timeout=within)
    for task in ended:
        if not task.cancelled():
            task.exception()  # asked for, so that the loop doesn't report it: whoever cancels has the reason
    for task in left:
        log.warning("%s doesn't end although it is cancelled: %r", task.get_name(), task.get_coro())
    return left
