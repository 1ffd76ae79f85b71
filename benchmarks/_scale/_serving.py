"""A measured process: takes orders in lines of JSON, and runs what it is told to. Imports no contender."""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any, TypeAlias

from benchmarks._overhead._worker import Contender
from benchmarks._overhead._workload import ANSWER, task

Handler: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]

LAG_STEP = 0.01
"""Seconds that the meter of the event loop's lag sleeps at a time."""


async def obey(handlers: Mapping[str, Handler], **greeting: Any) -> None:
    """Greets, and carries out orders until the standard input ends."""
    print(json.dumps(greeting), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        answer = await handlers[order.pop("do")](**order)
        print(json.dumps(answer), flush=True)


class Load:
    """Runs of a contender, as they are ordered."""

    def __init__(self, contender: Contender) -> None:
        self._contender = contender
        self._numbers = count(1000)
        self._begun: list[asyncio.Task[str]] = []

    async def obey(self, **further: Handler) -> None:
        """Carries out orders until the standard input ends."""
        own = (self.burst, self.begin, self.end, self.collect)
        await obey({order.__name__: order for order in own} | further, pid=os.getpid())

    async def burst(self, scenario: str, runs: int, beside: int) -> dict[str, Any]:
        """Executes runs, so many side by side; tells the seconds, the right answers and the loop's lag."""
        numbers = iter(range(runs))
        right = 0

        async def work() -> None:
            nonlocal right
            for _ in numbers:
                answer = await self._run(scenario)
                right += answer == ANSWER

        lag = LagMeter()
        watching = asyncio.create_task(lag.watch())
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(beside):
                group.create_task(work())
        seconds = time.perf_counter() - began
        watching.cancel()
        return {"seconds": seconds, "right": right, "lag_ms": lag.percentiles()}

    async def begin(self, scenario: str, runs: int) -> dict[str, Any]:
        """Begins runs that go on by themselves."""
        self._begun += [asyncio.create_task(self._run(scenario)) for _ in range(runs)]
        return {}

    async def end(self) -> dict[str, Any]:
        """Tells the right answers of all that were begun, once they have ended."""
        answers = await asyncio.gather(*self._begun)
        self._begun.clear()
        return {"right": sum(answer == ANSWER for answer in answers)}

    async def collect(self) -> dict[str, Any]:
        """Collects what nobody uses, so that memory can be compared."""
        gc.collect()
        return {}

    async def _run(self, scenario: str) -> str:
        return await self._contender.run(scenario, task(next(self._numbers)))


class LagMeter:
    """Measures how late the event loop comes to what is due."""

    def __init__(self) -> None:
        self._lags: list[float] = []

    async def watch(self) -> None:
        """Measures until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_STEP
            await asyncio.sleep(LAG_STEP)
            self._lags.append(loop.time() - due)

    def percentiles(self) -> dict[str, float]:
        """Milliseconds."""
        found = sorted(self._lags) or [0.0]
        places = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        return {name: round(found[int((len(found) - 1) * at)] * 1000, 1) for name, at in places.items()}
