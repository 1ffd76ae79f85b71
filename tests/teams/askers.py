"""Processes that share a deployment's rate, each with a clock that goes as wrong as it is told to."""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from proctor.core import DeploymentSettings, ModelCall, ModelResult, SystemClock, Usage
from proctor.models import Rates
from proctor.store import Database
from proctor.testing import FakeScope


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    url: str
    limit: int
    """Requests a minute."""
    beside: int
    """Calls at a time."""
    seconds: float
    """For which it asks."""
    ahead: float = 0
    """Seconds by which its clock is wrong."""


class WrongClock(SystemClock):
    def __init__(self, ahead: float) -> None:
        self.ahead = timedelta(seconds=ahead)

    def now(self) -> datetime:
        return super().now() + self.ahead


async def answer(call: ModelCall) -> ModelResult:
    return ModelResult(message={}, finish_reason="stop", usage=Usage(), deployment=call.model, model="m")


def ask(asker: Asker, barrier, out) -> None:
    """Tells at which instants, by the machine's clock, calls had their turns."""
    out.put(asyncio.run(_ask(asker, barrier)))


async def _ask(asker: Asker, barrier) -> list[float]:
    deployments = {"big": DeploymentSettings(model="m", requests_per_minute=asker.limit)}
    clock = WrongClock(asker.ahead)
    async with await Database.open(asker.url) as database:
        rates = Rates(deployments, database=database, clock=clock, rng=Random(7), on_wait=lambda *_: None)
        instants: list[float] = []
        await asyncio.to_thread(barrier.wait, 60)
        end = time.time() + asker.seconds

        async def work() -> None:
            while time.time() < end:
                await rates.model(ModelCall(scope=FakeScope(), model="big", messages=()), answer)
                instants.append(time.time())

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for _ in range(asker.beside):
                group.create_task(work())
        return instants
