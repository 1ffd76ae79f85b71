import asyncio
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from prometheus_client import generate_latest

from proctor.core import (
    BudgetExceeded,
    ModelCall,
    ModelOverloaded,
    ModelResult,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
)
from proctor.telemetry import CALL_BUCKETS, RUN_BUCKETS, Metrics, bucket_of, measure_model, measure_tool
from proctor.testing import FakeScope

RESULTS = ("ok", "error", "refused", "cancelled")
SCOPE = FakeScope(team="support", agent="clerk", release="v7")
CALL = ModelCall(scope=SCOPE, model="small", messages=())
ANSWER = ModelResult(
    message={"role": "assistant", "content": "Yes."},
    finish_reason="stop",
    usage=Usage(input=100, output=10, cached_input=40, reasoning=4),
    deployment="small",
    model="fake-1",
    cost=250,
)
TOOL = ToolSpec(server="store", name="look_up", description="", parameters={})
CLERK = {"team": "support", "agent": "clerk"}
SMALL = CLERK | {"deployment": "small", "release": "v7"}


async def answers(_call):
    return ANSWER


async def test_a_model_call_is_counted_with_its_time_tokens_and_cost():
    metrics = Metrics()
    assert await measure_model(metrics)(CALL, answers) is ANSWER
    value = metrics.registry.get_sample_value
    assert value("proctor_model_calls_total", SMALL | {"outcome": "ok"}) == 1
    assert value("proctor_model_duration_seconds_count", SMALL) == 1
    assert value("response_time_seconds_count", CLERK) == 1
    assert value("proctor_model_cost_micros_total", SMALL) == 250
    assert value("agent_active_count", CLERK) == 0
    kinds = ("input", "output", "cached_input", "reasoning")
    tokens = [value("proctor_model_tokens_total", SMALL | {"type": kind}) for kind in kinds]
    assert tokens == [100, 10, 40, 4]


async def test_a_call_is_active_only_while_it_runs():
    metrics, seen = Metrics(), []

    async def looks(_call):
        seen.append(metrics.registry.get_sample_value("agent_active_count", CLERK))
        return ANSWER

    await measure_model(metrics)(CALL, looks)
    assert seen == [1]


async def test_a_failed_call_is_counted_under_its_code():
    metrics = Metrics()

    async def fails(_call):
        raise ModelOverloaded("busy")

    with pytest.raises(ModelOverloaded):
        await measure_model(metrics)(CALL, fails)
    value = metrics.registry.get_sample_value
    assert value("proctor_model_calls_total", SMALL | {"outcome": "model_overloaded"}) == 1
    assert value("agent_active_count", CLERK) == 0


async def test_a_call_that_a_budget_stops_is_no_error():
    metrics = Metrics()

    async def stops(_call):
        raise BudgetExceeded("it is spent")

    with pytest.raises(BudgetExceeded):
        await measure_model(metrics)(CALL, stops)
    calls = {"team": "support", "kind": "model"}
    assert metrics.registry.get_sample_value("proctor_calls_total", calls | {"result": "refused"}) == 1
    assert metrics.registry.get_sample_value("proctor_calls_total", calls | {"result": "error"}) == 0


async def test_a_cancelled_call_is_counted_as_cancelled():
    metrics, begun = Metrics(), asyncio.Event()

    async def hangs(_call):
        begun.set()
        await asyncio.Event().wait()

    calling = asyncio.create_task(measure_model(metrics)(CALL, hangs))
    await asyncio.wait_for(begun.wait(), 5)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    outcome = SMALL | {"outcome": "cancelled"}
    assert metrics.registry.get_sample_value("proctor_model_calls_total", outcome) == 1


@pytest.mark.parametrize(
    ("result", "outcome", "told"),
    [
        (ToolResult(text="7", cost=30), "ok", "ok"),
        (ToolResult(text="no such order", is_error=True), "failed", "error"),
        (ToolResult(text="no", is_error=True, refused_by="approval"), "refused", "refused"),
    ],
)
async def test_a_tool_call_is_counted_by_how_it_ended(result, outcome, told):
    metrics = Metrics()

    async def answers_tool(_call):
        return result

    call = ToolCall(scope=SCOPE, tool=TOOL, arguments={})
    assert await measure_tool(metrics)(call, answers_tool) is result
    labels = CLERK | {"tool": "store.look_up", "release": "v7"}
    value = metrics.registry.get_sample_value
    assert value("proctor_tool_calls_total", labels | {"outcome": outcome}) == 1
    assert value("proctor_tool_duration_seconds_count", labels) == 1
    assert value("proctor_tool_cost_micros_total", labels) == result.cost
    calls = {"team": "support", "kind": "tool"}
    results = {each: value("proctor_calls_total", calls | {"result": each}) for each in RESULTS}
    assert results == dict.fromkeys(RESULTS, 0) | {told: 1}


async def test_the_first_text_of_a_streamed_call_is_timed_once_and_passed_on():
    metrics, heard = Metrics(), []

    async def streams(call):
        call.on_text("Ye")
        call.on_text("s.")
        return ANSWER

    await measure_model(metrics)(replace(CALL, on_text=heard.append), streams)
    await measure_model(metrics)(CALL, answers)
    assert heard == ["Ye", "s."]
    assert metrics.registry.get_sample_value("proctor_model_first_token_seconds_count", SMALL) == 1


async def test_what_a_cache_answers_is_a_share_of_the_calls_of_the_deployment_that_was_asked():
    metrics = Metrics()

    async def recalls(_call):
        return replace(ANSWER, deployment="stand-in", cached=True, saved=250)

    await measure_model(metrics)(CALL, recalls)
    value = metrics.registry.get_sample_value
    assert value("proctor_model_calls_total", SMALL | {"outcome": "ok"}) == 1
    assert value("proctor_model_cache_hits_total", SMALL) == 1
    assert value("proctor_model_saved_micros_total", SMALL | {"deployment": "stand-in"}) == 250


async def test_names_that_teams_make_up_at_run_time_become_other_from_a_number_on():
    metrics = Metrics(most=20)
    for number in range(100):
        scope = FakeScope(team="support", agent=f"agent_{number}", release="v7")
        await measure_model(metrics)(replace(CALL, scope=scope), answers)
        call = ToolCall(scope=scope, tool=replace(TOOL, name=f"tool_{number}"), arguments={})
        await measure_tool(metrics)(call, answers_tool)
        metrics.agent_failed("support", scope.agent, "model")
        metrics.wasted("support", scope.agent, "v7", 1)
    value = metrics.registry.get_sample_value
    other = {"team": "support", "agent": "other"}
    assert value("response_time_seconds_count", other) == 80
    assert value("proctor_model_calls_total", SMALL | {"agent": "other", "outcome": "ok"}) == 80
    assert value("proctor_agent_failures_total", other | {"code": "model"}) == 80
    told = {"tool": "other", "release": "v7"}
    assert value("proctor_tool_calls_total", other | told | {"outcome": "ok"}) == 80
    agents = {
        sample.labels["agent"]
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if "agent" in sample.labels
    }
    assert agents == {"other", *(f"agent_{number}" for number in range(20))}


async def answers_tool(_call):
    return ToolResult(text="7")


def test_what_is_known_by_name_begins_at_nought():
    metrics = Metrics()
    metrics.expect(teams=["support"], deployments=["small"], budgets=["daily"], release="v7")
    value = metrics.registry.get_sample_value
    assert value("proctor_runs_total", {"team": "support", "status": "failed", "release": "v7"}) == 0
    assert value("proctor_model_breaker", {"deployment": "small", "state": "closed"}) == 1
    assert value("proctor_budget_events_total", {"what": "refused", "budget": "daily"}) == 0
    assert value("proctor_release", {"release": "v7"}) == 1
    assert value("proctor_calls_total", {"team": "support", "kind": "tool", "result": "error"}) == 0


@pytest.mark.parametrize("buckets", [CALL_BUCKETS, RUN_BUCKETS])
def test_a_quantile_is_off_by_at_most_28_percent_and_5_seconds_are_an_edge(buckets):
    assert list(buckets) == sorted(set(buckets))
    assert 5.0 in buckets
    steps = [high / low for low, high in pairwise(buckets) if low >= 0.1 and high <= 1000]
    assert max(steps) <= 1.29
    assert bucket_of(5.0) == (4.0, 5.0)
    assert bucket_of(5.1) == (5.0, 6.3)


def test_the_completion_rate_is_the_share_of_finished_runs_that_completed():
    metrics = Metrics()
    for status in ("completed", "failed", "completed", "refused"):
        metrics.run_finished("support", status, 1.5, "v7")
    value = metrics.registry.get_sample_value
    assert value("task_completion_rate", {"team": "support"}) == 0.5
    assert value("proctor_runs_total", {"team": "support", "status": "completed", "release": "v7"}) == 2
    assert value("proctor_run_duration_seconds_count", {"team": "support", "release": "v7"}) == 4


def test_retries_verdicts_and_decisions_are_counted():
    metrics = Metrics()
    metrics.model_retried(CALL, ModelOverloaded("busy"))
    metrics.policy_said("support", "input", "redact")
    metrics.approval_decided("support", "approve", 90.0)
    value = metrics.registry.get_sample_value
    assert value("proctor_model_retries_total", SMALL) == 1
    assert (
        value("proctor_policy_verdicts_total", {"team": "support", "stage": "input", "outcome": "redact"})
        == 1
    )
    assert value("proctor_approvals_total", {"team": "support", "decision": "approve"}) == 1
    assert value("proctor_approval_wait_seconds_sum", {"team": "support"}) == 90


def test_two_sets_of_metrics_do_not_meet():
    one, other = Metrics(), Metrics()
    one.approval_decided("support", "approve", 1.0)
    assert b'decision="approve"' not in generate_latest(other.registry)


async def test_measuring_a_call_costs_little():
    middleware = measure_model(Metrics())
    best = min([await _microseconds(middleware) for _ in range(5)])
    assert best < 60  # 5 µs on an idle core; the bound leaves room for a busy machine


async def _microseconds(middleware) -> float:
    began = time.process_time()
    for _ in range(500):
        await middleware(CALL, answers)
    return (time.process_time() - began) / 500 * 1e6
