"""A second request for one call, and a budget that bears only the first."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from proctor.core import DeploymentSettings, ModelCall, ModelOverloaded, ModelResult, SystemClock
from proctor.models import hedge
from proctor.testing import FakeScope
from unit.ledger.world import BOUND, NEED, World, a_world, answers, call, usd

Ask = Callable[[ModelCall], Awaitable[ModelResult]]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(f"sqlite:///{tmp_path}/proctor.db") as world:
        yield world


def hedged(world: World, provider: Ask) -> Ask:
    """The links from thrift to the provider, with room for one request in a budget that asks."""
    budgets = world.budgets(daily={"usd": usd(NEED), "outcome": "ask"})
    deployments = {"small": DeploymentSettings(model="m", hedge_after=timedelta(milliseconds=1))}
    second = hedge(deployments, clock=SystemClock(), on_hedge=lambda _: None)

    async def money(made: ModelCall) -> ModelResult:
        return await budgets.model(made, provider)

    async def requests(made: ModelCall) -> ModelResult:
        return await second(made, money)

    return lambda made: budgets.thrift(made, requests)


async def until_refused(world: World) -> None:
    while ("refused", "daily") not in world.happened:
        await asyncio.sleep(0.001)


async def test_the_first_answer_counts_and_nobody_is_asked_for_money_for_a_second(world: World) -> None:
    async def provider(made: ModelCall) -> ModelResult:
        await until_refused(world)
        return await answers(7)(made)

    scope = FakeScope()
    async with asyncio.timeout(BOUND):
        result = await hedged(world, provider)(call(scope=scope))
    assert (result.cost, scope.asked) == (7, [])


async def test_where_the_first_fails_its_failure_counts_and_not_that_money_is_lacking(world: World) -> None:
    async def provider(_made: ModelCall) -> ModelResult:
        await until_refused(world)
        raise ModelOverloaded("too busy")

    scope = FakeScope()
    with pytest.raises(ModelOverloaded):
        async with asyncio.timeout(BOUND):
            await hedged(world, provider)(call(scope=scope))
    assert scope.asked == []
