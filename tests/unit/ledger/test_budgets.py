import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.core import (
    BudgetExceeded,
    BudgetRule,
    Decision,
    DeploymentSettings,
    ModelNonsense,
    ModelOverloaded,
    ModelResult,
    ModelUnreachable,
    PriceUnknown,
    ToolServerUnavailable,
    Usage,
)
from proctor.ledger import Prices, release_lost, remove_budget, set_budget
from proctor.testing import FakeScope
from unit.ledger.world import (
    BOUND,
    DEPLOYMENTS,
    NEED,
    NOON,
    PRICES,
    Held,
    answers,
    approve,
    call,
    chain,
    gives,
    tool_call,
    usd,
)


async def test_a_call_within_the_budget_is_made_and_priced(world):
    scope = FakeScope()
    budgets = world.budgets(daily={"usd": usd(NEED)})
    result = await chain(budgets, call(scope=scope), answers(40))
    assert (result.cost, scope.spent) == (40, 40)
    await world.enter(scope)
    [entry] = await world.entries()
    assert (entry.cost_micros, entry.outcome, entry.worker, entry.at) == (40, "ok", "w1", NOON)


async def test_a_call_that_could_exceed_the_budget_is_refused_before_it_is_made(world):
    scope, made = FakeScope(), []

    async def handler(asked):
        made.append(asked)

    budgets = world.budgets(daily={"usd": usd(NEED - 1)})
    with pytest.raises(BudgetExceeded):
        await chain(budgets, call(scope=scope), handler)
    assert made == []
    data = {
        "budget": "daily",
        "subject": "",
        "period": "2026-03-01",
        "limit_micros": NEED - 1,
        "spent_micros": 0,
        "reserved_micros": 0,
        "estimate_micros": NEED,
    }
    assert scope.events == [("budget.refused", data)]
    assert world.happened == [("refused", "daily")]


async def test_the_real_cost_takes_the_place_of_what_was_set_aside(world):
    budgets = world.budgets(daily={"usd": usd(NEED + 250)})
    for _ in range(3):
        await chain(budgets, call(), answers(100))
    with pytest.raises(BudgetExceeded):
        await chain(budgets, call(), answers(100))


async def test_calls_made_at_the_same_time_cannot_overspend_together(world):
    provider = Held(100)
    budgets = world.budgets(daily={"usd": usd(2 * NEED + 100)})
    calls = [asyncio.create_task(chain(budgets, call(), provider)) for _ in range(5)]
    async with asyncio.timeout(BOUND):
        done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_EXCEPTION)
        while len(done) < 3:
            more, _ = await asyncio.wait(set(calls) - done, return_when=asyncio.FIRST_COMPLETED)
            done |= more
        provider.go.set()
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, BudgetExceeded) for result in results) == 3


async def test_a_call_waits_for_money_that_is_only_set_aside(world):
    provider = Held(10)
    budgets = world.budgets(daily={"usd": usd(NEED + 50)}, patience=BOUND)
    first = asyncio.create_task(chain(budgets, call(), provider))
    async with asyncio.timeout(BOUND):
        await provider.asked.acquire()
        second = asyncio.create_task(chain(budgets, call(), answers(10)))
        await asyncio.wait({second}, timeout=0.05)
        assert not second.done()
        provider.go.set()
        assert [(await each).cost for each in (first, second)] == [10, 10]


async def test_what_a_cancelled_wait_for_money_held_is_free_again(world):
    provider = Held(10)
    budgets = world.budgets(daily={"usd": usd(2 * NEED - 1)}, patience=BOUND)
    first = asyncio.create_task(chain(budgets, call(), provider))
    async with asyncio.timeout(BOUND):
        await provider.asked.acquire()
        second = asyncio.create_task(chain(budgets, call(), answers(10)))
        await asyncio.wait({second}, timeout=0.05)
        second.cancel()
        await asyncio.wait({second})
        provider.go.set()
        await first
        assert (await chain(budgets, call(), answers(10))).cost == 10


async def test_workers_share_a_budget_and_give_back_what_they_do_not_use(world):
    limit = 100 * NEED
    one, two = (world.budgets(worker, daily={"usd": usd(limit)}, piece=0.5) for worker in ("w1", "w2"))
    mine, yours = FakeScope(), FakeScope()
    await chain(one, call(scope=mine), answers(7))
    await chain(two, call(scope=yours), answers(5))
    assert (await world.account())[0] == 42 * NEED
    await world.enter(mine, yours)
    await one.close()
    await two.close()
    assert await world.account() == (12, 12, 0)
    assert await world.pieces() == {}


async def test_a_worker_gives_back_what_it_has_not_used_for_a_while(world):
    budgets = world.budgets(daily={"usd": usd(100 * NEED)}, piece=0.5)
    await chain(budgets, call(), answers(7))
    await budgets.tidy()
    assert (await world.account())[0] == 21 * NEED
    world.clock.advance(3)
    await budgets.tidy()
    assert await world.account() == (7, 7, 0)


async def test_an_account_that_nobody_uses_any_more_is_forgotten_and_found_again(world):
    budgets, scope = world.budgets(daily={"usd": usd(100 * NEED)}, piece=0.5), FakeScope()
    await chain(budgets, call(scope=scope), answers(7))
    for seconds in (3, 61):
        world.clock.advance(seconds)
        await budgets.tidy()
    assert (await world.account(), await world.pieces()) == ((7, 7, 0), {})
    await chain(budgets, call(scope=scope), answers(5))
    await world.enter(scope)
    await world.reconciler(world.budgets("alive", daily={"usd": usd(100 * NEED)}), gone=["w1"]).work()
    assert await world.account() == (12, 12, 0)


async def test_near_its_end_only_what_a_call_needs_is_taken(world):
    budgets = world.budgets(daily={"usd": usd(2 * NEED)}, piece=1)
    provider = Held(7)
    task = asyncio.create_task(chain(budgets, call(), provider))
    async with asyncio.timeout(BOUND):
        await provider.asked.acquire()
        assert (await world.account())[0] == NEED
        provider.go.set()
        await task


async def test_several_accounts_are_taken_together_or_not_at_all(world):
    rules = {"daily": {"usd": "1"}, "desk": {"usd": usd(NEED - 1), "scope": "team"}}
    budgets = world.budgets(**rules)
    with pytest.raises(BudgetExceeded):
        await chain(budgets, call(), answers(1))
    assert await world.account("daily") == (0, 0, 0)
    other = FakeScope(team="other")
    with pytest.raises(BudgetExceeded):
        await chain(budgets, call(scope=other), answers(1))
    assert await world.account("desk", "other") == (0, 0, 0)


@pytest.mark.parametrize(
    ("rule", "counts"),
    [
        ({"scope": "tenant"}, {"tenant": "a"}),
        ({"scope": "team"}, {"team": "a"}),
        ({"scope": "agent"}, {"agent": "desk/clerk"}),
        ({"scope": "user"}, {"requester": "ann"}),
        ({"scope": "thread"}, {"thread": "thr_1"}),
        ({"scope": "run", "period": "run"}, {"run_id": "run_9"}),
        ({"scope": "team", "of": "a"}, {"team": "a"}),
        ({"team": "a"}, {"team": "a"}),
    ],
)
async def test_a_budget_holds_for_each_value_of_its_scope(world, rule, counts):
    budgets = world.budgets(narrow={"usd": usd(NEED + 5), **rule})
    mine = FakeScope(**counts)
    await chain(budgets, call(scope=mine), answers(10))
    with pytest.raises(BudgetExceeded):
        await chain(budgets, call(scope=mine), answers(10))
    assert (await chain(budgets, call(scope=FakeScope()), answers(10))).cost == 10


async def test_a_budget_of_a_model_counts_what_that_deployment_costs(world):
    budgets = world.budgets(dear={"usd": usd(NEED + 5), "scope": "model", "of": "small"})
    await chain(budgets, call(), answers(10))
    with pytest.raises(BudgetExceeded):
        await chain(budgets, call(), answers(10))
    await chain(budgets, call(model="large"), answers(10))


async def test_calls_of_nobody_known_fall_under_no_users_budget(world):
    budgets = world.budgets(each={"usd": 0, "scope": "user"})
    assert (await chain(budgets, call(scope=FakeScope(requester="")), answers(3))).cost == 3


async def test_a_day_begins_where_the_budgets_clock_stands(world):
    budgets = world.budgets(east={"usd": usd(NEED + 5), "timezone": "Asia/Taipei"})
    world.clock.instant = datetime(2026, 3, 1, 15, 59, tzinfo=UTC)
    await chain(budgets, call(), answers(10))
    with pytest.raises(BudgetExceeded):
        await chain(budgets, call(), answers(10))
    world.clock.advance(60)
    await chain(budgets, call(), answers(10))


async def test_a_month_is_one_period(world):
    budgets = world.budgets(monthly={"usd": usd(NEED + 5), "period": "month"})
    await chain(budgets, call(), answers(10))
    world.clock.instant = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)
    with pytest.raises(BudgetExceeded):
        await chain(budgets, call(), answers(10))
    world.clock.advance(60)
    await chain(budgets, call(), answers(10))


@pytest.mark.parametrize("change", [{"period": "month"}, {"scope": "tenant"}])
async def test_what_the_ledger_already_holds_counts_when_a_budget_becomes_another_one(world, change):
    world.clock.instant = NOON - timedelta(days=1)
    await chain(world.budgets(x={"usd": 1}), call(), answers(5))
    world.clock.instant = NOON
    scope = FakeScope()
    await chain(world.budgets("w2", x={"usd": 1}), call(scope=scope), answers(300))
    await world.enter(scope)
    changed = world.budgets("w3", x={"usd": 1, **change})
    await chain(changed, call(), answers(7))
    await changed.close()
    _, spent, _ = await world.account("x", scope.tenant if "scope" in change else "")
    assert spent == 307


async def test_what_the_ledger_already_holds_counts_when_a_budget_comes_into_force(world):
    scope = FakeScope()
    await chain(world.budgets(), call(scope=scope), answers(60))
    await world.enter(scope)
    budgets = world.budgets("w2", daily={"usd": usd(NEED + 59)})
    with pytest.raises(BudgetExceeded):
        await chain(budgets, call(), answers(1))
    assert await world.account() == (60, 60, 0)


async def test_a_runs_own_budget_counts_its_calls_under_way_and_what_failed(world):
    budgets = world.budgets(**{"run.support": {"usd": usd(2 * NEED), "scope": "run", "period": "run"}})
    provider = Held(10)
    calls = [
        asyncio.create_task(chain(budgets, call(scope=FakeScope(key=str(number))), provider))
        for number in range(3)
    ]
    async with asyncio.timeout(BOUND):
        await asyncio.wait(calls, return_when=asyncio.FIRST_EXCEPTION)
        provider.go.set()
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, BudgetExceeded) for result in results) == 1
    assert await world.pieces() == {}


async def test_free_calls_pass_even_when_everything_is_spent(world):
    scope = FakeScope()
    result = await chain(world.budgets(daily={"usd": 0}), call(model="free", scope=scope), answers(10**6))
    assert result.cost == 0
    assert len(scope.booked) == 1


async def test_a_call_without_a_known_price_is_refused(world):
    with pytest.raises(PriceUnknown):
        await chain(world.budgets(daily={"usd": 10**6}), call(model="unpriced"), answers(1))


# Requests that bring no answer


def fails(error: BaseException, *, text="", usage=None):
    async def handler(made):
        if text:
            made.on_text(text)
        if usage is not None:
            made.on_usage(usage)
        raise error

    return handler


async def test_a_request_that_was_refused_costs_nothing_and_is_entered(world):
    scope = FakeScope()
    with pytest.raises(ModelOverloaded):
        await chain(world.budgets(daily={"usd": 1}), call(scope=scope), fails(ModelOverloaded("busy")))
    await world.enter(scope)
    [entry] = await world.entries()
    assert (entry.outcome, entry.cost_micros, entry.model) == ("model_overloaded", 0, "m-1")
    assert scope.events == []


async def test_a_request_that_never_left_is_not_entered(world):
    scope, error = FakeScope(), ModelUnreachable("no time left")
    error.sent = False
    with pytest.raises(ModelUnreachable):
        await chain(world.budgets(daily={"usd": 1}), call(scope=scope), fails(error))
    assert scope.booked == []


async def test_a_broken_stream_costs_what_was_counted_and_the_text_that_came(world):
    scope, heard = FakeScope(), []
    broken = fails(ModelNonsense("broke off"), text="y" * 30, usage=Usage(input=20, output=1))
    with pytest.raises(ModelNonsense):
        await chain(world.budgets(daily={"usd": 1}), call(scope=scope, on_text=heard.append), broken)
    cost = 20 * 1 + 10 * 10
    assert heard == ["y" * 30]
    data = {"deployment": "small", "outcome": "model_nonsense", "cost": cost}
    assert scope.events == [("call.wasted", data)]
    assert scope.spent == cost


async def test_a_cancelled_request_costs_about_what_its_prompt_does(world):
    scope, provider = FakeScope(), Held(1)
    budgets = world.budgets(daily={"usd": 1})
    task = asyncio.create_task(chain(budgets, call(scope=scope, text="x" * 296), provider))
    async with asyncio.timeout(BOUND):
        await provider.asked.acquire()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert scope.events == [("call.wasted", {"deployment": "small", "outcome": "cancelled", "cost": 100})]
    await world.enter(scope)
    assert [(entry.outcome, entry.cost_micros) for entry in await world.entries()] == [("cancelled", 100)]


async def test_of_two_answers_the_one_that_does_not_count_is_logged_as_waste(world):
    scope = FakeScope()
    budgets = world.budgets(daily={"usd": 1})

    async def twice(made):
        first = await budgets.model(made, answers(10))
        await budgets.model(made, answers(30))
        return first

    result = await budgets.thrift(call(scope=scope), twice)
    assert (result.cost, scope.spent) == (10, 40)
    assert scope.events == [("call.wasted", {"deployment": "small", "outcome": "unused", "cost": 30})]


async def test_an_answer_that_nobody_takes_is_logged_as_waste(world):
    scope = FakeScope()
    budgets = world.budgets(daily={"usd": 1})

    async def breaks(made):
        await budgets.model(made, answers(10))
        raise ModelOverloaded("the other one broke")

    with pytest.raises(ModelOverloaded):
        await budgets.thrift(call(scope=scope), breaks)
    assert scope.events == [("call.wasted", {"deployment": "small", "outcome": "unused", "cost": 10})]


async def test_an_answer_from_the_cache_is_entered_with_what_it_saved(world):
    scope = FakeScope()
    given = ModelResult(
        message={},
        finish_reason="stop",
        usage=Usage(input=5),
        deployment="small",
        model="m-1",
        cached=True,
        saved=70,
    )
    world.budgets().given_again(call(scope=scope), given)
    await world.enter(scope)
    [entry] = await world.entries()
    assert (entry.outcome, entry.cost_micros, entry.saved_micros) == ("cached", 0, 70)


# Outcomes


async def test_warn_tells_once_at_its_share_and_once_at_its_end_and_blocks_nothing(world):
    scope = FakeScope()
    budgets = world.budgets(soft={"usd": usd(100), "outcome": "warn", "at": 0.5})
    for _ in range(4):
        await chain(budgets, call(scope=scope), answers(40))
    told = [(type, data["share"]) for type, data in scope.events]
    assert told == [("budget.warned", 0.8), ("budget.warned", 1.2)]
    assert (await world.account("soft"))[0] >= 160


async def test_degrade_takes_the_cheaper_deployment_from_its_share_on(world):
    world.cheaper = {"large": "small"}
    budgets = world.budgets(thin={"usd": usd(20 * NEED), "outcome": "degrade", "at": 0.5})
    scope = FakeScope()
    first = await chain(budgets, call(model="large", scope=scope), answers(NEED))
    second = await chain(budgets, call(model="large", scope=scope), answers(1))
    assert (first.deployment, second.deployment) == ("large", "small")
    [event] = [data for type, data in scope.events if type == "budget.degraded"]
    assert (event["from"], event["to"], event["share"]) == ("large", "small", 0.5)


async def test_wrap_up_tells_the_agent_to_finish_and_lets_no_tool_be_called(world):
    budgets = world.budgets(thin={"usd": usd(10 * NEED), "outcome": "wrap_up", "at": 0.5})
    scope, seen = FakeScope(), []
    tools = ({"type": "function", "function": {"name": "look_up", "parameters": {}}},)

    async def provider(made):
        seen.append(made)
        return await answers(5 * NEED)(made)

    for _ in range(2):
        await chain(budgets, call(scope=scope, tools=tools, tool_choice="auto"), provider)
    assert [made.tool_choice for made in seen] == ["auto", "none"]
    assert [len(made.messages) for made in seen] == [1, 2]
    assert seen[1].messages[-1]["role"] == "system"
    assert [type for type, _ in scope.events] == ["budget.warned", "budget.wrapped_up", "budget.warned"]


async def test_ask_lets_a_person_add_to_a_budget_by_its_step(world):
    scope = FakeScope(decisions=[approve()])
    rule = {"usd": usd(NEED), "outcome": "ask", "step_usd": usd(50), "roles": ["owner"]}
    budgets = world.budgets(daily=rule)
    await chain(budgets, call(scope=scope), answers(40))
    await chain(budgets, call(scope=scope), answers(40))
    [question] = scope.asked
    assert question.kind == "budget"
    assert question.terms.roles == ("owner",)
    assert question.action == {
        "budget": "daily",
        "subject": "",
        "period": "2026-03-01",
        "number": 1,
        "arguments": {"usd": 0.00005},
    }
    raised = [data for type, data in scope.events if type == "budget.raised"]
    assert [(data["micros"], data["by"]) for data in raised] == [(50, "ann@example.org")]


async def test_a_person_may_add_another_amount_and_is_asked_again_when_it_is_used_up(world):
    decisions = [
        Decision(kind="edit", by="ann", arguments={"usd": NEED / 1_000_000}),
        Decision(kind="reject", by="ann", comment="Enough."),
    ]
    scope = FakeScope(decisions=decisions)
    budgets = world.budgets(daily={"usd": usd(NEED), "outcome": "ask", "step_usd": usd(1)})
    for _ in range(2):
        await chain(budgets, call(scope=scope), answers(NEED))
    with pytest.raises(BudgetExceeded):
        await chain(budgets, call(scope=scope), answers(1))
    assert [question.action["number"] for question in scope.asked] == [1, 2]


async def test_an_approval_raises_a_budget_once_though_several_calls_meet_it(any_world):
    rule = {"usd": usd(NEED), "outcome": "ask", "step_usd": usd(20 * NEED)}
    budgets = any_world.budgets(daily=rule)
    await chain(budgets, call(), answers(NEED))
    scopes = [FakeScope(key=str(number), decisions=[approve()]) for number in range(3)]
    async with asyncio.timeout(BOUND):
        await asyncio.gather(*(chain(budgets, call(scope=scope), answers(1)) for scope in scopes))
    raised = [type for scope in scopes for type, _ in scope.events if type == "budget.raised"]
    assert len(raised) == 1
    [row] = await any_world.rows(_accounts())
    assert row.raised == 20 * NEED


def _accounts():
    from sqlalchemy import select

    from proctor.ledger._tables import budget_accounts

    return select(budget_accounts)


async def test_a_runs_budget_can_be_raised_too(world):
    rule = {"usd": usd(NEED), "outcome": "ask", "scope": "run", "period": "run", "step_usd": usd(NEED)}
    scope = FakeScope(decisions=[approve()])
    budgets = world.budgets(each=rule)
    await chain(budgets, call(scope=scope), answers(NEED))
    await chain(budgets, call(scope=scope), answers(1))
    assert len(scope.asked) == 1
    later = FakeScope(spent=NEED + 1 - 1)
    again = world.budgets("w2", each=rule)
    assert (await chain(again, call(scope=later), answers(1))).cost == 1


# Tools


async def test_a_tools_cost_is_set_aside_entered_and_given_to_its_result(world):
    scope = FakeScope()
    budgets = world.budgets(daily={"usd": usd(2000)})
    result = await budgets.tool(tool_call(scope=scope), gives("ok"))
    assert (result.cost, scope.spent) == (2000, 2000)
    with pytest.raises(BudgetExceeded):
        await budgets.tool(tool_call(scope=scope), gives("ok"))
    await world.enter(scope)
    [entry] = await world.entries()
    assert (entry.kind, entry.tool, entry.bytes) == ("tool", "shop.look_up", 2)


async def test_a_tool_call_that_broke_costs_what_a_call_costs(world):
    scope = FakeScope()

    async def breaks(_call):
        raise ToolServerUnavailable("gone")

    with pytest.raises(ToolServerUnavailable):
        await world.budgets(daily={"usd": 1}).tool(tool_call(scope=scope), breaks)
    data = {"tool": "shop.look_up", "outcome": "tool_server_unavailable", "cost": 2000}
    assert scope.events == [("call.wasted", data)]


async def test_a_tool_without_a_price_is_not_entered(world):
    scope = FakeScope()
    result = await world.budgets(daily={"usd": 0}).tool(tool_call(scope=scope, server="python"), gives("ok"))
    assert (result.cost, scope.booked) == (0, [])


# Rules that are set at run time


async def test_a_budget_that_is_set_holds_until_it_is_removed(world):
    budgets = world.budgets(daily={"usd": 1})
    rule = BudgetRule(usd="0.000001")
    await world.database.commit(lambda c: set_budget(c, "daily", rule, at=NOON, by="ann"))
    await budgets.look()
    with pytest.raises(BudgetExceeded):
        await chain(budgets, call(), answers(1))
    await world.database.commit(lambda c: remove_budget(c, "daily", at=NOON, by="ann"))
    await budgets.look()
    assert (await chain(budgets, call(), answers(1))).cost == 1


async def test_under_a_lower_limit_nothing_is_drawn_that_was_taken_under_the_higher_one(world):
    budgets = world.budgets(daily={"usd": usd(100 * NEED)}, piece=0.5)
    await chain(budgets, call(), answers(50))
    rule = BudgetRule(usd=usd(NEED + 49))
    await world.database.commit(lambda c: set_budget(c, "daily", rule, at=NOON, by="ann"))
    await budgets.look()
    with pytest.raises(BudgetExceeded):
        await chain(budgets, call(), answers(1))


async def test_the_share_of_the_budgets_for_all_is_known_without_any_call(world):
    scope = FakeScope()
    first = world.budgets(daily={"usd": usd(4 * NEED)})
    await chain(first, call(scope=scope), answers(NEED))
    await first.close()
    second = world.budgets("w2", daily={"usd": usd(4 * NEED)})
    await second.look()
    await second.tidy()
    assert second.share == 0.25
    assert second.share_of(scope) == 0.25


# Workers that die or freeze


async def test_what_a_dead_worker_held_counts_until_its_runs_are_over_then_the_rest_comes_back(world):
    limit = usd(100 * NEED)
    dead, scope = world.budgets("dead", daily={"usd": limit}, piece=0.5), FakeScope()
    await chain(dead, call(scope=scope), answers(9))
    await world.enter(scope)
    alive = world.budgets("alive", daily={"usd": limit})
    await world.reconciler(alive, gone=["dead"], fate="open").work()
    assert await world.account() == (21 * NEED, 0, 0)
    await world.reconciler(alive, gone=["dead"]).work()
    assert await world.account() == (9, 9, 0)
    assert await world.pieces() == {}


async def test_what_a_dead_worker_spent_before_a_budget_came_into_force_counts_once(world):
    dead, scope = world.budgets("dead"), FakeScope()
    await chain(dead, call(scope=scope), answers(60))
    await world.enter(scope)
    world.clock.advance(10)
    rule = BudgetRule(usd=usd(100 * NEED))
    await world.database.commit(lambda c: set_budget(c, "daily", rule, at=NOON, by="ann"))
    await dead.look()
    await chain(dead, call(scope=scope), answers(9))
    await world.enter(scope)
    alive = world.budgets("alive", daily={"usd": usd(100 * NEED)})
    await world.reconciler(alive, gone=["dead"]).work()
    assert await world.account() == (69, 69, 0)


@pytest.mark.parametrize(("fate", "gives_back"), [("ended", True), ("completed", False)])
async def test_what_may_have_been_billed_stays_spent(world, fate, gives_back):
    dead, scope = world.budgets("dead", daily={"usd": usd(100 * NEED)}, piece=0.5), FakeScope()
    await chain(dead, call(scope=scope), answers(9))
    await world.enter(scope)
    alive = world.budgets("alive", daily={"usd": usd(100 * NEED)})
    await world.reconciler(alive, gone=["dead"], fate=fate, gives_back=gives_back).work()
    assert await world.account() == (21 * NEED, 9, 21 * NEED - 9)
    assert await world.database.commit(partial(release_lost, at=NOON, by="ann")) == 21 * NEED - 9
    assert await world.account() == (9, 9, 0)


async def test_a_worker_that_has_just_begun_is_not_taken_for_dead(world):
    young = world.budgets("young", daily={"usd": 1})
    await chain(young, call(), answers(9))
    reconciler = world.reconciler(world.budgets("alive"), gone=["young"], young=timedelta(minutes=1))
    await reconciler.work()
    assert "young" in await world.pieces()
    world.clock.advance(60)
    await reconciler.work()
    assert await world.pieces() == {}


async def test_a_worker_that_was_taken_for_dead_draws_nothing_on_what_was_given_back(world):
    frozen = world.budgets("frozen", daily={"usd": usd(100 * NEED)}, piece=0.5)
    scope = FakeScope()
    await chain(frozen, call(scope=scope), answers(9))
    await world.enter(scope)
    await world.reconciler(world.budgets("alive", daily={"usd": 1}), gone=["frozen"]).work()
    world.clock.advance(60)
    await chain(frozen, call(scope=scope), answers(4))
    assert (await world.account())[0] >= 13
    await frozen.close()
    assert await world.account() == (13, 13, 0)


async def test_a_call_under_way_while_its_worker_was_taken_for_dead_counts_when_it_ends(world):
    frozen = world.budgets("frozen", daily={"usd": usd(100 * NEED)}, piece=0.5)
    provider, scope = Held(9), FakeScope()
    task = asyncio.create_task(chain(frozen, call(scope=scope), provider))
    async with asyncio.timeout(BOUND):
        await provider.asked.acquire()
        await world.reconciler(world.budgets("alive", daily={"usd": 1}), gone=["frozen"]).work()
        assert await world.account() == (0, 0, 0)
        await frozen.tidy()
        provider.go.set()
        await task
    await world.enter(scope)
    await frozen.close()
    assert await world.account() == (9, 9, 0)


async def test_what_an_answer_cost_beyond_every_bound_counts(world):
    budgets, scope = world.budgets(daily={"usd": usd(NEED)}), FakeScope()
    await chain(budgets, call(scope=scope), answers(NEED + 30))
    await budgets.tidy()
    assert (await world.account())[0] == NEED + 30
    await world.enter(scope)
    await budgets.close()
    assert await world.account() == (NEED + 30, NEED + 30, 0)


async def test_a_worker_leaves_to_others_what_never_reached_the_ledger(world):
    budgets, scope = world.budgets("w1", daily={"usd": usd(100 * NEED)}), FakeScope()
    await chain(budgets, call(scope=scope), answers(9))
    await budgets.close()
    assert await world.account() == (9, 9, 0)
    assert await world.pieces() == {"w1": (9, 9)}
    await world.reconciler(world.budgets("w2"), gone=["w1"]).work()


# Requests that wait


async def test_what_waits_for_a_batch_is_set_aside_durably_and_settled_with_its_answer(world):
    scope = FakeScope(pace="patient")
    budgets = world.budgets(daily={"usd": usd(100 * NEED)})
    waiting = call(scope=scope)
    for _ in range(2):
        await budgets.hold(waiting, f"batch:{scope.key}")
    assert (await world.account())[0] == PRICES.bound_of(waiting, at=NOON, way="batch")
    world.clock.advance(86_400)

    async def answer(made):
        result = await answers(100)(made)
        return ModelResult(**{name: getattr(result, name) for name in result.__slots__} | {"way": "batch"})

    result = await budgets.redeem(waiting, answer)
    assert result.cost == 50
    await world.enter(scope)
    await world.reconciler(budgets).work()
    assert await world.account() == (50, 50, 0)
    [entry] = await world.entries()
    assert (entry.cost_micros, entry.at) == (50, NOON)


async def test_a_hold_that_does_not_fit_sets_nothing_aside(world):
    budgets = world.budgets(daily={"usd": 0})
    with pytest.raises(BudgetExceeded):
        await budgets.hold(call(), "batch:call_key_1")
    assert (await world.account(), await world.pieces()) == ((0, 0, 0), {})


async def test_a_released_hold_comes_back(world):
    budgets = world.budgets(daily={"usd": 1})
    await budgets.hold(call(), "batch:call_key_1")
    await world.database.commit(lambda c: budgets.release(c, "batch:call_key_1"))
    await world.reconciler(budgets).work()
    assert (await world.account(), await world.pieces()) == ((0, 0, 0), {})


async def test_a_runs_budget_counts_what_waits_in_batches(world):
    rule = {"usd": usd(NEED), "scope": "run", "period": "run"}
    await world.budgets(each=rule).hold(call(scope=FakeScope(pace="patient")), "batch:a")
    later = world.budgets("w2", each=rule)
    with pytest.raises(BudgetExceeded):
        await chain(later, call(scope=FakeScope(pace="patient", key="b")), answers(1))


# Bounds


@given(
    text=st.text(max_size=300),
    output=st.integers(1, 500),
    share=st.floats(0, 1),
    cached=st.floats(0, 1),
    written=st.floats(0, 1),
)
def test_no_answer_costs_more_than_was_set_aside(text, output, share, cached, written):
    price = {
        "input": "1.25",
        "output": "10",
        "cached_input": "0.125",
        "cache_write": "2.5",
        "reasoning": "12",
        "long": [{"above": 200, "input": "2.5", "output": "15"}],
    }
    deployment = DeploymentSettings.model_validate({"model": "m", "price": price, "max_output": output})
    prices = Prices({"small": deployment})
    made = call(text=text)
    tokens = len(text.encode("utf-8", "surrogatepass"))
    usage = Usage(
        input=round(tokens * share),
        output=output,
        cached_input=round(tokens * share * cached),
        cache_write=round(tokens * share * written),
        reasoning=round(output * written),
    )
    assert prices.price_of(usage, "small", at=NOON) <= prices.bound_of(made, at=NOON)


def test_a_text_that_begins_like_a_picture_is_bounded_by_its_length():
    made = call(text="data:" + "7," * 200_000)
    usage = Usage(input=400_000, output=50)
    assert PRICES.price_of(usage, "small", at=NOON) <= PRICES.bound_of(made, at=NOON)


def test_a_calls_own_bound_of_its_answer_comes_first_and_pictures_are_dear():
    def output(**options) -> int:
        return PRICES.bound_of(call(options=options), at=NOON) - PRICES.bound_of(
            call(options={"max_tokens": 1}), at=NOON
        )

    assert output(max_tokens=31) == 300
    assert output(max_completion_tokens=11, n=2) == 210
    assert output() == 490
    picture = call(text=[{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}])
    assert PRICES.bound_of(picture, at=NOON) > 50_000


def test_the_larger_bound_counts_where_call_and_deployment_name_theirs_differently():
    settings = {"model": "m", "price": {"input": 1, "output": 10}, "options": {"max_completion_tokens": 5000}}
    prices = Prices({"small": DeploymentSettings.model_validate(settings)})
    most = prices.bound_of(call(options={"max_tokens": 10}), at=NOON)
    assert most >= prices.price_of(Usage(output=5000), "small", at=NOON)


def test_only_providers_that_are_paid_must_not_bill_repeats():
    assert not PRICES.repeats_are_free
    free = {"small": DEPLOYMENTS["small"].model_copy(update={"repeats": "free"}), "free": DEPLOYMENTS["free"]}
    assert Prices(free).repeats_are_free
