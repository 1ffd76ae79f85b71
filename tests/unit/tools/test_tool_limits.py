import asyncio
from datetime import timedelta

import pytest

from proctor.core import (
    DataSettings,
    Effect,
    TeamSettings,
    ToolCall,
    ToolResult,
    ToolRule,
    ToolServerSettings,
    ToolServerUnavailable,
    ToolSpec,
)
from proctor.testing import FakeClock, FakeScope
from proctor.tools import ToolRates, ToolRules, limit_calls, limit_time


async def acts(call: ToolCall) -> ToolResult:
    return ToolResult(text="acted")


def call(name: str = "refund", *, effect: Effect = "consequential", **scope) -> ToolCall:
    spec = ToolSpec(server="shop", name=name, description="", parameters={}, effect=effect)
    return ToolCall(scope=FakeScope(**scope), tool=spec, arguments={})


def rules(server_rate: int | None = None, **tools: ToolRule) -> ToolRules:
    server = ToolServerSettings(command=("shop",), rate_per_minute=server_rate, tool=tools)
    return ToolRules({"shop": server}, {}, DataSettings())


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def refused_by(link, call: ToolCall) -> str:
    return (await link(call, acts)).refused_by


async def test_a_run_makes_as_many_tool_calls_as_it_may(clock):
    link = limit_calls(TeamSettings(max_tool_calls=3), ToolRates(rules(), clock))
    assert [await refused_by(link, call(number=number)) for number in (1, 3, 4, 100)] == [
        "",
        "",
        "max_tool_calls",
        "max_tool_calls",
    ]


async def test_of_one_answer_the_first_calls_are_made_and_the_others_refused(clock):
    link = limit_calls(TeamSettings(max_parallel_calls=2), ToolRates(rules(), clock))
    assert [await refused_by(link, call(rank=rank, number=5)) for rank in (1, 2, 3)] == [
        "",
        "",
        "max_parallel_calls",
    ]


async def test_no_minute_sees_more_calls_of_a_tool_than_its_rate(clock):
    link = limit_calls(TeamSettings(), ToolRates(rules(refund=ToolRule(rate_per_minute=3)), clock))
    for _ in range(3):
        assert await refused_by(link, call()) == ""
    refused = call()
    result = await link(refused, acts)
    assert result.refused_by == "rate_per_minute"
    assert "60 s" in result.text
    assert [data["rule"] for _, data in refused.scope.events] == ["rate_per_minute"]
    clock.advance(54)
    assert await refused_by(link, call()) == "rate_per_minute"
    clock.advance(6)
    assert [await refused_by(link, call()) for _ in range(4)] == ["", "", "", "rate_per_minute"]
    assert clock.slept == []
    assert await refused_by(link, call("other")) == ""


async def test_a_call_that_is_a_little_early_waits(clock):
    link = limit_calls(TeamSettings(), ToolRates(rules(refund=ToolRule(rate_per_minute=1)), clock))
    assert await refused_by(link, call()) == ""
    clock.advance(57)
    assert await refused_by(link, call()) == ""
    assert clock.slept == [3]


async def test_all_tools_of_a_server_share_its_rate_and_all_teams_do(clock):
    rates = ToolRates(rules(2, refund=ToolRule(rate_per_minute=5)), clock)
    one, other = limit_calls(TeamSettings(), rates), limit_calls(TeamSettings(), rates)
    found = [
        await refused_by(one, call()),
        await refused_by(other, call("find")),
        await refused_by(one, call()),
    ]
    assert found == ["", "", "rate_per_minute"]


async def test_a_clock_that_is_set_back_stops_nobody(clock):
    link = limit_calls(TeamSettings(), ToolRates(rules(refund=ToolRule(rate_per_minute=1)), clock))
    assert await refused_by(link, call()) == ""
    clock.advance(-7200)
    assert await refused_by(link, call()) == ""


async def never(call: ToolCall) -> ToolResult:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


async def test_a_question_that_is_not_answered_in_time_may_be_asked_again():
    link = limit_time(rules(find=ToolRule(timeout=timedelta(milliseconds=20))))
    async with asyncio.timeout(5):
        result = await link(call("find", effect="read_only"), never)
    assert (result.is_error, result.refused_by) == (True, "")
    assert "within 0.02 s" in result.text


@pytest.mark.parametrize("effect", ["consequential", "idempotent"])
async def test_an_action_that_is_not_answered_in_time_may_have_been_done(effect):
    link = limit_time(rules(refund=ToolRule(timeout=timedelta(milliseconds=20))))
    async with asyncio.timeout(5):
        with pytest.raises(ToolServerUnavailable, match="may have acted"):
            await link(call(effect=effect), never)


async def test_what_answers_in_time_or_has_no_limit_is_let_be():
    link = limit_time(rules(refund=ToolRule(timeout=timedelta(seconds=5))))
    assert await link(call(), acts) == await link(call("find"), acts) == ToolResult(text="acted")


async def test_a_timeout_of_the_tool_itself_is_its_own():
    async def fails(call: ToolCall) -> ToolResult:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await limit_time(rules(refund=ToolRule(timeout=timedelta(seconds=5))))(call(), fails)
