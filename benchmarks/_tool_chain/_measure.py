"""Processor time of calls, burst by burst."""

import time
from collections.abc import Awaitable, Callable


async def measure(call: Callable[[int], Awaitable[object]], calls: int, bursts: int) -> list[float]:
    """Microseconds of processor time a call, of each burst; the first burst isn't counted."""
    found = []
    for burst in range(bursts + 1):
        began = time.process_time_ns()
        for number in range(calls):
            await call(burst * calls + number)
        found.append((time.process_time_ns() - began) / calls / 1e3)
    return found[1:]
