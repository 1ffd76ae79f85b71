"""The database's runs and approvals, without the power to execute anything."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from proctor.app import App, Loaded, Proctor, load_settings, open_proctor

T = TypeVar("T")


@asynccontextmanager
async def reading(loaded: Loaded) -> AsyncIterator[Proctor]:
    """A Proctor that knows no team and executes nothing."""
    async with open_proctor(App(), settings=loaded.settings, executes=False) as proctor:
        yield proctor


def with_proctor(config: Path | None, work: Callable[[Proctor], Awaitable[T]]) -> T:
    """What work with such a Proctor comes to, as the one thing that a command does."""

    async def done() -> T:
        async with reading(load_settings(config)) as proctor:
            return await work(proctor)

    return asyncio.run(done())
