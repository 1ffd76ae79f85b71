"""Budgets that come into force, are changed and removed while money is spent."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from proctor.core import BudgetRule, ConfigurationError
from proctor.ledger import remove_budget, set_budget
from proctor.ledger._tables import budgets as stored
from proctor.testing import FakeScope
from unit.ledger.world import (
    BOUND,
    NEED,
    NOON,
    PRICES,
    Held,
    World,
    answers,
    approve,
    call,
    chain,
    usd,
)

PLENTY = usd(1000 * NEED)


async def put(world: World, name: str, **rule) -> None:
    rule = BudgetRule.model_validate({"usd": PLENTY} | rule)
    await world.database.commit(lambda c: set_budget(c, name, rule, at=world.clock.now(), by="ann"))


async def spend(world: World, budgets, cost: int, **scope) -> None:
    """A call whose entry is in the ledger."""
    made = FakeScope(**scope)
    await chain(budgets, call(scope=made), answers(cost))
    await world.enter(made)


@pytest.fixture
def world(any_world):
    return any_world


@pytest.fixture
async def budgets(world):
    """Those of a worker, after another one spent yesterday, when the budgets held already."""
    world.clock.instant = NOON - timedelta(days=1)
    former = world.budgets("former", daily={"usd": PLENTY})
    await put(world, "desk", scope="team")
    await former.look()
    await spend(world, former, 500)
    await former.close()
    world.clock.instant = NOON
    budgets = world.budgets(daily={"usd": PLENTY})
    await budgets.look()
    return budgets


async def test_what_was_spent_while_a_budget_was_removed_counts_when_it_is_set_again(world, budgets):
    await spend(world, budgets, 5)
    await world.database.commit(lambda c: remove_budget(c, "desk", at=world.clock.now(), by="ann"))
    await budgets.look()
    world.clock.advance(3600)
    await spend(world, budgets, 30)
    await put(world, "desk", scope="team")
    await budgets.look()
    await spend(world, budgets, 7)
    await spend(world, budgets, 1, team="other")
    await budgets.close()
    assert [await world.account("desk", team) for team in ("support", "other")] == [
        (542, 542, 0),  # with yesterday's 500
        (1, 1, 0),
    ]


async def test_a_budget_of_another_scope_opens_with_what_was_spent_since_its_period_began(world, budgets):
    await spend(world, budgets, 5, agent="clerk")
    await put(world, "desk", scope="agent")
    await budgets.look()
    await spend(world, budgets, 7, agent="clerk")
    await budgets.close()
    assert await world.account("desk", "clerk") == (12, 12, 0)


async def test_an_account_counts_anew_what_its_budget_counts_now(world, budgets):
    await spend(world, budgets, 5)
    await spend(world, budgets, 6, team="other")
    await put(world, "desk", scope="tenant")
    await budgets.look()
    await spend(world, budgets, 1)
    for change, spent in (({"team": "other"}, 6), ({}, 12)):
        await put(world, "desk", scope="tenant", **change)
        await budgets.look()
        assert await world.account("desk", "default") == (spent, spent, 0)


async def test_another_amount_leaves_the_accounts_as_they_are(world, budgets):
    await spend(world, budgets, 5)
    before = await world.account("desk", "support"), await world.pieces()
    await put(world, "desk", scope="team", usd=usd(2000 * NEED))
    await world.budgets("w2", daily={"usd": PLENTY}).look()
    assert (await world.account("desk", "support"), await world.pieces()) == before


async def test_what_is_set_aside_and_what_people_added_outlasts_a_change(world, budgets):
    await put(world, "desk", scope="tenant", usd="0.000001", outcome="ask", step_usd=PLENTY)
    await budgets.look()
    asking = FakeScope(decisions=[approve()])
    await chain(budgets, call(scope=asking), answers(5))
    await world.enter(asking)
    waiting = call(scope=FakeScope(pace="patient"))
    await budgets.hold(waiting, "batch:call_key_1")
    await put(world, "desk", scope="tenant", team="support", usd="0.000001", outcome="stop")
    await budgets.look()
    await spend(world, budgets, 7)
    await budgets.close()
    bound = PRICES.bound_of(waiting, at=NOON, way="batch")
    assert await world.account("desk", "default") == (bound + 12, 12, 0)


async def test_a_worker_that_comes_later_leaves_to_others_what_they_hold(world, budgets):
    late = world.budgets("late", daily={"usd": PLENTY}, more={"usd": PLENTY})
    provider, scope = Held(9), FakeScope()
    under_way = asyncio.create_task(chain(budgets, call(scope=scope), provider))
    async with asyncio.timeout(BOUND):
        await provider.asked.acquire()
        await late.look()
        provider.go.set()
        await under_way
    await world.enter(scope)
    await budgets.close()
    assert await world.account("desk", "support") == (509, 509, 0)


async def test_what_waited_in_a_batch_is_no_part_of_a_dead_workers_piece(world):
    dead, scope = world.budgets("dead", daily={"usd": PLENTY}), FakeScope(pace="patient")
    await dead.hold(call(scope=scope), f"batch:{scope.key}")
    await spend(world, dead, 5)
    result = await dead.redeem(call(scope=scope), answers(100))
    await world.enter(scope)
    await world.reconciler(world.budgets("alive", daily={"usd": PLENTY}), gone=["dead"]).work()
    assert await world.account() == (result.cost + 5, result.cost + 5, 0)


async def test_a_rule_that_cannot_be_read_is_told_by_name_and_can_be_removed(world, budgets):
    await world.database.commit(
        lambda c: c.execute(update(stored).values(rule='{"usd": "1", "scope": "planet"}'))
    )
    with pytest.raises(ConfigurationError) as broken:
        await budgets.look()
    assert "desk" in broken.value.message
    assert "proctor budget remove desk" in broken.value.hint
    assert {each.name for each in budgets.rules.budgets} == {"daily", "desk"}
    await world.database.commit(lambda c: remove_budget(c, "desk", at=world.clock.now(), by="ann"))
    await budgets.look()
    assert {each.name for each in budgets.rules.budgets} == {"daily"}
