"""The money and the runs behind batches, and workers that make calls through them."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import Connection, select

from proctor.core import BudgetExceeded, DeploymentSettings, ModelCall, ModelHandler, ModelResult, Usage
from proctor.models import Batch, Batches, BatchRequest, ConfiguredEndpoints, batch_page
from proctor.store import Database, metadata
from proctor.testing import FakeClock, FakeScope, Suspended


@dataclass
class World:
    """The money and the runs behind the batches. They outlive a worker."""

    clock: FakeClock = field(default_factory=FakeClock)
    held: dict[str, str] = field(default_factory=dict)
    """What is set aside: the deployment by holder."""
    redeemed: list[tuple[str, ModelResult]] = field(default_factory=list)
    unclaimed: list[tuple[str, Usage]] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    resting: set[str] = field(default_factory=set)
    woken: list[str] = field(default_factory=list)
    broke: bool = False
    most: int = 5_000
    """Requests of one batch."""

    async def hold(self, call: ModelCall, holder: str) -> None:
        if self.broke:
            raise BudgetExceeded("no money")
        self.held[holder] = call.model

    async def redeem(self, call: ModelCall, handle: ModelHandler) -> ModelResult:
        result = await handle(call)
        self.redeemed.append((call.model, result))
        call.scope.book(result.usage.input, lambda c: self.release(c, f"batch:{call.scope.key}"))
        return replace(result, cost=result.usage.input)

    def release(self, _connection: Connection, holder: str) -> None:
        self.held.pop(holder, None)

    def book_unclaimed(self, connection: Connection, request: BatchRequest, result: ModelResult) -> None:
        self.unclaimed.append((request.key, result.usage))
        self.release(connection, request.holder)

    def unfinished(self, _connection: Connection, ids: Collection[str]) -> set[str]:
        return set(ids) - self.ended

    def wake(self, _connection: Connection, ids: Collection[str]) -> set[str]:
        woken = self.resting & set(ids)
        self.resting -= woken
        self.woken.extend(sorted(woken))
        return woken


class Worker:
    """One process: its calls and its chore."""

    def __init__(self, world: World, database: Database, settings: dict[str, DeploymentSettings]) -> None:
        self.world = world
        self.database = database
        self.prompt: list[ModelCall] = []
        self.batches = Batches(
            settings,
            database,
            ConfiguredEndpoints({}),
            clock=world.clock,
            hold=world.hold,
            redeem=world.redeem,
            release=world.release,
            unclaimed=world.book_unclaimed,
            unfinished=world.unfinished,
            wake=world.wake,
            most=world.most,
        )

    async def ask(self, key: str = "k1", text: str = "Hi", *, scope: FakeScope | None = None) -> ModelResult:
        """A call's answer, as an attempt at its run sees it; its outcome is committed."""
        scope = scope or FakeScope(pace="patient", key=key, run_id=f"run_{key}")
        messages = ({"role": "user", "content": text},)
        call = ModelCall(scope=scope, model="small", messages=messages)
        try:
            result = await self.batches.model(call, self._at_once)
        except Suspended:
            self.world.resting.add(scope.run_id)
            raise
        for _, write in scope.booked:
            await self.database.commit(write)
        return result

    async def asks(self, *keys: str) -> None:
        """Calls of runs that rest from then on."""
        for key in keys:
            with pytest.raises(Suspended):
                await self.ask(key, f"Question {key}")

    async def later(self, seconds: float = 61) -> int:
        """The runs that are woken when the chore has been done after so long."""
        self.world.clock.advance(seconds)
        return await self.batches.work()

    async def page(self) -> tuple[Batch, ...]:
        return await self.database.read(lambda connection: batch_page(connection, 50))

    async def batch(self) -> Batch:
        (batch,) = await self.page()
        return batch

    async def states(self) -> dict[str, str]:
        table = metadata.tables["batch_requests"]
        rows = await self.database.read(lambda c: c.execute(select(table.c.key, table.c.state)).all())
        return {row.key: row.state for row in rows}

    async def _at_once(self, call: ModelCall) -> ModelResult:
        self.prompt.append(call)
        message = {"role": "assistant", "content": "At once."}
        return ModelResult(
            message=message, finish_reason="stop", usage=Usage(), deployment=call.model, model="m", cost=7
        )


@asynccontextmanager
async def opened(
    world: World, database_url: str, values: dict[str, Any], **more: Any
) -> AsyncIterator[Worker]:
    """A worker whose one deployment, `small`, has these settings."""
    deployment = DeploymentSettings.model_validate(values | more)
    async with await Database.open(database_url) as database, asyncio.timeout(30):
        worker = Worker(world, database, {"small": deployment})
        try:
            yield worker
        finally:
            await worker.batches.close()


async def loses_nothing_by_dying(provider: Any, world: World, open_worker: Any, *, at: int) -> None:
    """A worker dies in the middle of one of its requests to the provider, and another one goes on."""
    provider.stalls_at = at
    async with open_worker() as worker:
        await worker.asks("k1", "k2")
        while not provider.stalled.is_set():
            work = asyncio.create_task(worker.later())
            while not work.done() and not provider.stalled.is_set():
                await asyncio.sleep(0.001)
            provider.finish_all()
        work.cancel()
    async with open_worker() as worker:
        for _ in range(4):
            await worker.later(901)
            provider.finish_all()
        assert provider.keys == ["k1", "k2"]
        assert [(await worker.ask(key)).way for key in ("k1", "k2")] == ["batch", "batch"]
    assert sorted(world.woken) == ["run_k1", "run_k2"]
    assert (world.held, world.unclaimed) == ({}, [])
