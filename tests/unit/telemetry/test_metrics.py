import asyncio
import time
import urllib.request

import pytest
from prometheus_client import generate_latest

from proctor.core import (
    ModelCall,
    ModelOverloaded,
    ModelResult,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
)
from proctor.telemetry import Metrics, trace_model, trace_tool
from proctor.testing import FakeScope

SCOPE = FakeScope(team="support", agent="clerk")
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
SMALL = CLERK | {"deployment": "small"}


async def answers(_call):
    return ANSWER


async def test_a_model_call_is_counted_with_its_time_tokens_and_cost():
    metrics = Metrics()
    assert await trace_model(metrics)(CALL, answers) is ANSWER
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

    await trace_model(metrics)(CALL, looks)
    assert seen == [1]


async def test_a_failed_call_is_counted_under_its_code():
    metrics = Metrics()

    async def fails(_call):
        raise ModelOverloaded("busy")

    with pytest.raises(ModelOverloaded):
        await trace_model(metrics)(CALL, fails)
    value = metrics.registry.get_sample_value
    assert value("proctor_model_calls_total", SMALL | {"outcome": "model_overloaded"}) == 1
    assert value("agent_active_count", CLERK) == 0


async def test_a_cancelled_call_is_counted_as_cancelled():
    metrics, begun = Metrics(), asyncio.Event()

    async def hangs(_call):
        begun.set()
        await asyncio.Event().wait()

    calling = asyncio.create_task(trace_model(metrics)(CALL, hangs))
    await asyncio.wait_for(begun.wait(), 5)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    outcome = SMALL | {"outcome": "cancelled"}
    assert metrics.registry.get_sample_value("proctor_model_calls_total", outcome) == 1


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (ToolResult(text="7"), "ok"),
        (ToolResult(text="no such order", is_error=True), "failed"),
        (ToolResult(text="no", is_error=True, refused_by="approval"), "refused"),
    ],
)
async def test_a_tool_call_is_counted_by_how_it_ended(result, outcome):
    metrics = Metrics()

    async def answers_tool(_call):
        return result

    call = ToolCall(scope=SCOPE, tool=TOOL, arguments={})
    assert await trace_tool(metrics)(call, answers_tool) is result
    labels = CLERK | {"tool": "look_up"}
    value = metrics.registry.get_sample_value
    assert value("proctor_tool_calls_total", labels | {"outcome": outcome}) == 1
    assert value("proctor_tool_duration_seconds_count", labels) == 1


def test_the_completion_rate_is_the_share_of_finished_runs_that_completed():
    metrics = Metrics()
    for status in ("completed", "failed", "completed", "refused"):
        metrics.run_finished("support", status, 1.5)
    value = metrics.registry.get_sample_value
    assert value("task_completion_rate", {"team": "support"}) == 0.5
    assert value("proctor_runs_total", {"team": "support", "status": "completed"}) == 2
    assert value("proctor_run_duration_seconds_count", {"team": "support"}) == 4


def test_retries_verdicts_and_decisions_are_counted():
    metrics = Metrics()
    metrics.model_retried(CALL, ModelOverloaded("busy"))
    metrics.policy_said("input", "redact")
    metrics.approval_decided("approve")
    value = metrics.registry.get_sample_value
    assert value("proctor_model_retries_total", SMALL) == 1
    assert value("proctor_policy_verdicts_total", {"stage": "input", "outcome": "redact"}) == 1
    assert value("proctor_approvals_total", {"decision": "approve"}) == 1


def test_two_sets_of_metrics_do_not_meet():
    one, other = Metrics(), Metrics()
    one.approval_decided("approve")
    assert b'decision="approve"' not in generate_latest(other.registry)


async def test_measuring_a_call_costs_little():
    middleware = trace_model(Metrics())
    best = min([await _microseconds(middleware) for _ in range(5)])
    assert best < 60  # 5 µs on an idle core; the bound leaves room for a busy machine


async def _microseconds(middleware) -> float:
    began = time.process_time()
    for _ in range(500):
        await middleware(CALL, answers)
    return (time.process_time() - began) / 500 * 1e6


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as response:
        return response.read().decode()
