"""The measured side of both contenders: runs as many as it is told to, and tells how they ended."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks._resilience._workload import answer_of, number_of

RUN_SECONDS = 120.0
"""A run that takes longer hangs."""


async def run_all(
    run: Callable[[str, int], Awaitable[str]], *, mode: str, runs: int, beside: int
) -> dict[str, Any]:
    """How many runs gave the right answer, or none or another one, and which errors the others raised."""
    places = iter(range(runs))
    ended: Counter[str] = Counter()
    errors: Counter[str] = Counter()

    async def work() -> None:
        for place in places:
            number = number_of(mode, place)
            try:
                async with asyncio.timeout(RUN_SECONDS):
                    said = await run(mode, number)
            except Exception as error:  # noqa: BLE001 - whatever comes of it is what is measured
                ended["failed"] += 1
                errors[f"{type(error).__name__}: {str(error)[:80]}"] += 1
            else:
                ended["completed" if said.strip() == answer_of(number) else "wrong"] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(beside):
            group.create_task(work())
    return {**ended, "errors": dict(errors.most_common(5))}
