"""Blocking work that nobody leaves half done."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def to_its_end(work: Callable[[], T]) -> T:
    """What blocking work comes to in a thread; whoever is cancelled meanwhile waits for its end first.

    A thread can't be cancelled. Where it takes something that is given back later, giving it back must not
    come before the taking.
    """
    thread = asyncio.create_task(asyncio.to_thread(work))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait({thread})
        raise
