"""Calls of patient runs through Claude's batch interface, against a real one over HTTP."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from proctor.core import ModelResult, Usage
from proctor.testing import FakeScope
from servers.anthropic_endpoint import message, text, thinking, tool_use
from servers.claude_batches import ClaudeProvider, echo, serving_claudes_batches
from unit.models.patient import World, loses_nothing_by_dying, opened

USED = Usage(input=142, output=9, cached_input=100, reasoning=4, cache_write=30)


@pytest.fixture
def provider() -> Iterator[ClaudeProvider]:
    with serving_claudes_batches() as provider:
        yield provider


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def open_worker(provider: ClaudeProvider, world: World, database_url: str) -> Any:
    values = {"provider": "anthropic", "model": "claude-test-1", "base_url": provider.url, "batch": True}
    return partial(opened, world, database_url, values | {"price": {"input": 1, "output": 2}})


async def test_claudes_batch_answers_in_its_own_words(provider, world, open_worker):
    async with open_worker(options={"thinking": {"type": "enabled", "budget_tokens": 2000}}) as worker:
        await worker.asks("k1", "k2")
        await worker.later()
        [first, _] = provider.requests["msgbatch_1"]
        assert first["params"]["messages"][0]["content"][0]["text"] == "Question k1"
        assert (first["params"]["model"], first["params"]["max_tokens"]) == ("claude-test-1", 4096)
        provider.finish()
        assert await worker.later() == 2
        assert await worker.ask("k1") == ModelResult(
            message={"role": "assistant", "content": "Answer to: Question k1"},
            finish_reason="stop",
            usage=USED,
            deployment="small",
            model="claude-test-1-2026",
            cost=142,
            way="batch",
        )
        assert world.held == {"batch:k2": "small"}
        assert provider.batches == {}


async def test_what_claude_thought_stays_beside_the_tool_that_it_calls(provider, open_worker):
    async with open_worker() as worker:
        await worker.asks("k1")
        await worker.later()
        asks = message(thinking("Which?"), text("I look."), tool_use(order=7), stop_reason="tool_use")
        provider.finish(answer=lambda _: asks)
        await worker.later()
        result = await worker.ask("k1")
    assert (result.finish_reason, result.message["reasoning_content"]) == ("tool_calls", "Which?")
    assert result.message["tool_calls"][0]["function"]["arguments"] == '{"order": 7}'


async def test_what_claude_refuses_is_asked_for_at_once(provider, world, open_worker):
    async with open_worker() as worker:
        await worker.asks("good", "bad")
        await worker.later()
        provider.finish(answer=lambda body: echo(body) if "good" in str(body) else "no such model")
        assert await worker.later() == 2
        scope = FakeScope(pace="patient", key="bad", run_id="run_bad")
        assert (await worker.ask(scope=scope)).way == "prompt"
        assert scope.events[-1][1]["reason"] == "no such model"
        assert await worker.states() == {"good": "answered"}


async def test_an_answer_of_claudes_that_makes_no_sense_is_paid_and_asked_for_at_once(
    provider, world, open_worker
):
    async with open_worker() as worker:
        await worker.asks("k1")
        await worker.later()
        provider.finish(answer=lambda _: message(stop_reason="strange"))
        await worker.later()
        assert world.unclaimed == [("k1", USED)]
        assert (await worker.ask("k1")).way == "prompt"


async def test_a_batch_of_claudes_that_nobody_waits_for_is_stopped(provider, world, open_worker):
    async with open_worker() as worker:
        await worker.asks("k1")
        await worker.later()
        world.ended.add("run_k1")
        for _ in range(2):
            await worker.later(1000)
        assert provider.batches["msgbatch_1"]["processing_status"] == "canceling"
        provider.finish(answer=None)
        for _ in range(2):
            await worker.later(1000)
        assert (await worker.batch()).state == "ended"
        assert (world.held, world.unclaimed, await worker.states()) == ({}, [], {})


async def test_an_endpoint_without_claudes_batches_is_asked_at_once(provider, world, open_worker):
    provider.has_batches = False
    async with open_worker() as worker:
        await worker.asks("k1")
        assert await worker.later() == 1
        assert (await worker.ask("k1")).way == "prompt"
        assert world.held == {}


async def test_a_batch_of_claudes_is_found_again_by_its_results_alone(provider, world, open_worker):
    async with open_worker() as worker:
        await worker.asks("k0")
        await worker.later()
        provider.finish("msgbatch_1")
        for n in (1, 2, 3):  # what is sent meanwhile fills the first page
            await worker.asks(f"k{n}")
            provider.hangs_up_after_taking = n == 1
            await worker.later(31)
            await worker.later(31)
        await worker.later(901)
        submitting = [each for each in await worker.page() if each.state == "submitting"]
        assert len(submitting) == 1, "as long as it goes on, nobody can tell whether it is ours"
        provider.finish_all()
        for _ in range(3):
            await worker.later(901)
        assert sorted(provider.keys) == ["k0", "k1", "k2", "k3"]
        assert set((await worker.states()).values()) == {"answered"}
        assert provider.batches == {}


@pytest.mark.parametrize("request_number", range(1, 5))
async def test_a_worker_that_dies_at_any_request_to_claude_loses_and_doubles_nothing(
    provider, world, open_worker, request_number
):
    await loses_nothing_by_dying(provider, world, open_worker, at=request_number)
