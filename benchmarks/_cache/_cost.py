"""What a look into the cache costs, and that identical calls at the same time send one request."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from proctor.core import DeploymentSettings, ModelCall, ModelResult, SystemClock, Usage
from proctor.models import Cache
from proctor.store import Database
from proctor.testing import FakeScope

BURSTS = 10
"""In which the calls of a kind are made."""
SYSTEM = {"role": "system", "content": "You answer questions of customers in their language. " * 20}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Microseconds of processor time a call, of all threads, beside what a call without a cache takes."""

    hit_in_memory_us: float
    hit_in_database_us: float
    miss_us: float
    """With keeping the answer durably."""


async def cost(folder: Path, calls: int) -> Cost:
    """The figures of that many calls of each kind: the median of a few bursts, each a mean.

    A garbage collection, or what another thread does meanwhile, meets one of them and not the figure.
    """
    async with await Database.open(f"sqlite:///{folder / 'cost.db'}") as database:
        bare = await _measure(_provider, calls)
        cache = make_cache(database)
        miss = await _measure(lambda call: cache.model(call, _provider), calls)
        memory = await _measure(lambda call: cache.model(call, _provider), calls)
        elsewhere = make_cache(database)
        stored = await _measure(lambda call: elsewhere.model(call, _provider), calls)
    return Cost(hit_in_memory_us=memory - bare, hit_in_database_us=stored - bare, miss_us=miss - bare)


async def together(folder: Path, calls: int) -> int:
    """How many requests the provider sees of identical calls that are made at the same time."""
    requests = 0
    sent, everybody = asyncio.Event(), asyncio.Event()

    async def provider(call: ModelCall) -> ModelResult:
        nonlocal requests
        requests += 1
        sent.set()
        await everybody.wait()
        return await _provider(call)

    async def ask(cache: Cache) -> ModelResult:
        return await cache.model(question(0), provider)

    async with await Database.open(f"sqlite:///{folder / 'together.db'}") as database:
        cache = make_cache(database)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for _ in range(calls):
                group.create_task(ask(cache))
            await sent.wait()
            everybody.set()
    return requests


def make_cache(database: Database) -> Cache:
    """A cache in front of one deployment."""
    settings = DeploymentSettings.model_validate({"model": "small-1", "price": "free", "cache": {}})
    return Cache(
        {"small": settings},
        database=database,
        clock=SystemClock(),
        allowed=lambda _team, _agent: True,
        on_hit=lambda _call, _result: None,
    )


def question(number: int) -> ModelCall:
    """A call of a thousand characters."""
    messages = (SYSTEM, {"role": "user", "content": f"Where is my order {number:06d}?"})
    return ModelCall(scope=FakeScope(), model="small", messages=messages)


async def _provider(_call: ModelCall) -> ModelResult:
    return ModelResult(
        message={"role": "assistant", "content": "It is on its way. " * 10},
        finish_reason="stop",
        usage=Usage(input=300, output=40),
        deployment="small",
        model="small-1",
    )


async def _measure(ask: Callable[[ModelCall], Awaitable[ModelResult]], calls: int) -> float:
    made = [question(number) for number in range(calls)]
    found, size = [], -(-calls // BURSTS)
    for burst in (made[place : place + size] for place in range(0, calls, size)):
        began = time.process_time_ns()
        for call in burst:
            await ask(call)
        found.append((time.process_time_ns() - began) / len(burst) / 1000)
    return median(found)
