from datetime import datetime, timedelta, timezone

from proctor.core import ModelResult, Usage
from proctor.ledger import utc_day
from proctor.testing import FakeScope
from unit.ledger.world import NOON, call, chain, gives, tool_call


async def test_an_entry_says_who_spent_what_and_when(world):
    scope = FakeScope(requester="ann", thread="thr_1", tenant="acme")

    async def provider(_call):
        usage = Usage(input=100, output=1, cached_input=40, reasoning=1, cache_write=20)
        return ModelResult(
            message={}, finish_reason="stop", usage=usage, deployment="small", model="m-1-2026"
        )

    budgets = world.budgets(daily={"usd": 1})
    await chain(budgets, call(scope=scope), provider)
    await budgets.tool(tool_call(scope=scope), gives("订单"))
    await world.enter(scope)
    both = {
        "at": NOON,
        "day": "2026-03-01",
        "run_id": "run_1",
        "team": "support",
        "agent": "clerk",
        "tenant": "acme",
        "requester": "ann",
        "thread_id": "thr_1",
        "outcome": "ok",
        "worker": "w1",
        "saved_micros": 0,
    }
    model = {
        "kind": "model",
        "deployment": "small",
        "model": "m-1-2026",
        "tool": "",
        "input_tokens": 100,
        "output_tokens": 1,
        "cached_input_tokens": 40,
        "reasoning_tokens": 1,
        "cache_write_tokens": 20,
        "cost_micros": 110,
        "bytes": 0,
    }
    tool = {
        **dict.fromkeys(("deployment", "model"), ""),
        **{name: 0 for name in model if name.endswith("_tokens")},
        "kind": "tool",
        "tool": "shop.look_up",
        "cost_micros": 2000,
        "bytes": 6,
    }
    entries = [row._asdict() for row in sorted(await world.entries(), key=lambda row: row.kind)]
    assert len({entry.pop("id") for entry in entries}) == 2
    assert entries == [both | model, both | tool]


def test_a_day_is_the_utc_day():
    east = timezone(timedelta(hours=8))
    assert utc_day(datetime(2026, 3, 2, 7, 59, tzinfo=east)) == "2026-03-01"
