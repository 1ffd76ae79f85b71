"""How long something takes, done again and again by several at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

TASK = "Say something."


async def timed(do: Callable[[], Awaitable[None]], times: int, *, beside: int) -> list[float]:
    """The seconds of each, so many side by side."""
    taken: list[float] = []
    left = iter(range(times))

    async def work() -> None:
        for _ in left:
            began = time.perf_counter()
            await do()
            taken.append(time.perf_counter() - began)

    async with asyncio.TaskGroup() as group:
        for _ in range(beside):
            group.create_task(work())
    return taken


def quantile(values: Sequence[float], share: float) -> float:
    """The value that a share of all don't exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
