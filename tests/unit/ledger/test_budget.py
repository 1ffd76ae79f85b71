import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from proctor.core import (
    BudgetExceeded,
    DeploymentSettings,
    ModelCall,
    ModelOverloaded,
    ModelResult,
    PriceUnknown,
    Usage,
)
from proctor.ledger import DailyBudget, Prices, settle
from proctor.testing import FakeClock, FakeScope

PRICE = {"input": "1", "output": "10"}
DEPLOYMENTS = {
    "small": DeploymentSettings(model="m", price=PRICE),
    "free": DeploymentSettings(model="m", price="free"),
    "unpriced": DeploymentSettings(model="m", base_url="http://127.0.0.1:9/v1"),
}
PRICES = Prices(DEPLOYMENTS)
# 300 bytes are 100 tokens, 50 more may be answered: 100 * 1 + 50 * 10
ESTIMATE = 600


def call(*, model: str = "small", text: str = "x" * 296, scope=None) -> ModelCall:
    messages = ({"role": "user", "content": text},)
    return ModelCall(scope=scope or FakeScope(), model=model, messages=messages, options={"max_tokens": 50})


def answer(cost: int) -> ModelResult:
    return ModelResult(
        message={},
        finish_reason="stop",
        usage=Usage(input=80, output=7),
        deployment="small",
        model="m",
        cost=cost,
    )


async def costs_100(_call) -> ModelResult:
    return answer(100)


class Ledger:
    def __init__(self, **days: int) -> None:
        self.days = {day.replace("_", "-")[1:]: amount for day, amount in days.items()}
        self.asked: list[str] = []

    async def spent(self, day: str) -> int:
        self.asked.append(day)
        await asyncio.sleep(0)
        return self.days.get(day, 0)


def budget(limit: int, *, clock=None, ledger=None) -> DailyBudget:
    loader = (ledger or Ledger()).spent
    return DailyBudget(limit, prices=PRICES, clock=clock or FakeClock(), spent=loader)


async def test_a_call_within_the_budget_is_made():
    assert await budget(ESTIMATE).reserve(call(), costs_100) == answer(100)


async def test_a_call_that_could_exceed_the_budget_is_refused_before_it_is_made():
    scope, made = FakeScope(), []

    async def handler(made_call):
        made.append(made_call)
        return answer(100)

    with pytest.raises(BudgetExceeded):
        await budget(ESTIMATE - 1).reserve(call(scope=scope), handler)
    assert made == []
    data = {
        "budget": "daily",
        "limit_micros": 599,
        "spent_micros": 0,
        "reserved_micros": 0,
        "estimate_micros": ESTIMATE,
    }
    assert scope.events == [("budget.refused", data)]


async def test_the_real_cost_takes_the_place_of_the_estimate():
    daily = budget(ESTIMATE + 250)
    for _ in range(3):
        await daily.reserve(call(), costs_100)
    with pytest.raises(BudgetExceeded):
        await daily.reserve(call(), costs_100)


async def test_calls_made_at_the_same_time_cannot_overspend_together():
    go, running = asyncio.Event(), []

    async def waits(made_call):
        running.append(made_call)
        await go.wait()
        return answer(100)

    daily = budget(2 * ESTIMATE + 100)
    calls = [asyncio.create_task(daily.reserve(call(), waits)) for _ in range(5)]
    refused, _ = await asyncio.wait(calls, timeout=5, return_when=asyncio.FIRST_EXCEPTION)
    await asyncio.sleep(0)
    go.set()
    results = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5)
    assert len(running) == 2
    assert [type(result) for result in results].count(BudgetExceeded) == 3
    assert refused


async def test_what_a_failed_or_cancelled_call_set_aside_is_given_back():
    daily, begun = budget(ESTIMATE), asyncio.Event()

    async def fails(_call):
        raise ModelOverloaded("busy")

    async def hangs(_call):
        begun.set()
        await asyncio.Event().wait()

    with pytest.raises(ModelOverloaded):
        await daily.reserve(call(), fails)
    hanging = asyncio.create_task(daily.reserve(call(), hangs))
    await asyncio.wait_for(begun.wait(), 5)
    with pytest.raises(BudgetExceeded):
        await daily.reserve(call(), costs_100)
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    await daily.reserve(call(), costs_100)


async def test_what_the_ledger_already_holds_for_the_day_counts():
    clock = FakeClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
    daily = budget(ESTIMATE + 99, clock=clock, ledger=Ledger(d2026_03_01=100))
    with pytest.raises(BudgetExceeded):
        await daily.reserve(call(), costs_100)


async def test_a_new_day_starts_with_what_the_ledger_holds_for_it():
    clock = FakeClock(datetime(2026, 3, 1, 23, 59, tzinfo=UTC))
    ledger = Ledger(d2026_03_01=10_000, d2026_03_02=100)
    daily = budget(2 * ESTIMATE, clock=clock, ledger=ledger)
    with pytest.raises(BudgetExceeded):
        await daily.reserve(call(), costs_100)
    clock.advance(60)
    await asyncio.gather(*(daily.reserve(call(), costs_100) for _ in range(1)))
    await daily.reserve(call(), costs_100)
    assert ledger.asked == ["2026-03-01", "2026-03-02"]


async def test_free_calls_pass_even_when_everything_is_spent():
    assert await budget(0).reserve(call(model="free"), costs_100) == answer(100)


async def test_a_call_without_a_known_price_is_refused():
    with pytest.raises(PriceUnknown):
        await budget(10**9).reserve(call(model="unpriced"), costs_100)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("x" * 296, 100), ("订" * 296, 298), ("data:image/png;base64," + "x" * 10**6, 2002)],
)
async def test_the_estimate_counts_bytes_and_pictures(text, tokens):
    estimate = tokens + 500
    with pytest.raises(BudgetExceeded):
        await budget(estimate - 1).reserve(call(text=text), costs_100)
    await budget(estimate).reserve(call(text=text), costs_100)


async def test_settling_gives_an_answer_its_cost():
    result = await settle(PRICES, clock=FakeClock())(call(), costs_100)
    assert result == replace(answer(0), cost=80 + 70)
