"""Calls of patient runs through a provider's batch interface, against a real one over HTTP."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from proctor.core import BudgetExceeded, ModelCall, ModelResult, Usage
from proctor.models import unbatched
from proctor.testing import FakeScope, Suspended
from servers.batch_endpoint import BatchProvider, echo, serving_batches
from servers.openai_endpoint import USAGE, completion
from unit.models.patient import World, loses_nothing_by_dying, opened

USED = Usage(input=20, output=5, cached_input=8, reasoning=2)


@pytest.fixture
def provider() -> Iterator[BatchProvider]:
    with serving_batches() as provider:
        yield provider


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def open_worker(provider: BatchProvider, world: World, database_url: str) -> Any:
    values = {"model": "m-1", "base_url": provider.url, "price": {"input": 1, "output": 2}, "batch": True}
    return partial(opened, world, database_url, values)


async def test_a_patient_call_rests_until_its_batch_has_answered(provider, world, open_worker):
    async with open_worker() as worker:
        await worker.asks("k1", "k2")
        assert await worker.later(59) == 0
        assert provider.batches == {}
        assert await worker.later(2) == 0
        assert [line["body"]["messages"][0]["content"] for line in provider.requests("batch_1")] == [
            "Question k1",
            "Question k2",
        ]
        assert world.held == {"batch:k1": "small", "batch:k2": "small"}
        await worker.asks("k1")
        provider.finish()
        assert await worker.later() == 2
        assert world.woken == ["run_k1", "run_k2"]
        scope = FakeScope(pace="patient", key="k1", run_id="run_k1")
        result = await worker.ask(scope=scope)
        assert result == ModelResult(
            message={"role": "assistant", "content": "Answer to: Question k1"},
            finish_reason="stop",
            usage=USED,
            deployment="small",
            model="fake-1-2026",
            cost=20,
            way="batch",
        )
        assert world.held == {"batch:k2": "small"}
        assert await worker.states() == {"k2": "answered"}
        assert worker.prompt == []


async def test_a_call_of_a_run_that_somebody_waits_for_goes_at_once(world, open_worker):
    async with open_worker() as worker:
        result = await worker.ask(scope=FakeScope(pace="prompt"))
        assert (result.message["content"], len(worker.prompt)) == ("At once.", 1)
        assert await worker.states() == {}


@pytest.mark.parametrize("settings", [{"batch": False}, {"tools": "schema"}, {"provider": "local"}])
async def test_a_deployment_without_batches_is_asked_at_once(open_worker, settings):
    async with open_worker(**settings) as worker:
        await worker.ask()
        assert len(worker.prompt) == 1


async def test_the_log_tells_until_when_a_call_waits_at_most(world, open_worker):
    async with open_worker(batch_within=timedelta(hours=6)) as worker:
        scope = FakeScope(pace="patient")
        for _ in range(2):
            with pytest.raises(Suspended):
                await worker.ask(scope=scope)
        until = world.clock.now() + timedelta(hours=6)
        data = {"deployment": "small", "state": "waiting", "until": until.isoformat()}
        assert scope.events == [("model.batched", data)]
        assert scope.suspended == [until, until]


async def test_without_money_nothing_is_sent(provider, world, open_worker):
    async with open_worker() as worker:
        world.broke = True
        with pytest.raises(BudgetExceeded):
            await worker.ask()
        await worker.later(3600)
        assert provider.batches == {}
        world.broke = False
        await worker.asks("k1")
        await worker.later()
        assert len(provider.batches) == 1


async def test_what_the_provider_refuses_is_asked_for_at_once(provider, world, open_worker):
    async with open_worker() as worker:
        await worker.asks("good", "bad")
        await worker.later()
        provider.finish(answer=lambda body: echo(body) if "good" in str(body) else None)
        assert await worker.later() == 2
        assert world.held == {"batch:good": "small"}
        scope = FakeScope(pace="patient", key="bad", run_id="run_bad")
        assert (await worker.ask(scope=scope)).cost == 7
        assert scope.events[-1] == (
            "model.batched",
            {"deployment": "small", "state": "prompt", "reason": "no such model"},
        )
        assert await worker.states() == {"good": "answered"}


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled"])
async def test_a_batch_that_comes_to_nothing_sends_its_calls_the_other_way(
    provider, world, open_worker, status
):
    async with open_worker() as worker:
        await worker.asks("k1", "k2")
        await worker.later()
        done = [{"custom_id": "k1", "response": {"status_code": 200, "body": completion("Done.")}}]
        provider.end(status=status, answers=done)
        assert await worker.later() == 2
        assert (await worker.ask("k1")).way == "batch"
        assert (await worker.ask("k2")).way == "prompt"
        assert world.held == {}
        assert (await worker.batch()).state == "ended"
        assert provider.files == {}


async def test_a_provider_without_batches_is_asked_at_once(provider, world, open_worker):
    provider.has_batches = False
    async with open_worker() as worker:
        await worker.asks("k1")
        assert await worker.later() == 1
        assert (await worker.ask("k1")).way == "prompt"
        assert world.held == {}


async def test_a_prompt_call_that_is_cut_off_is_not_batched_again(provider, world, open_worker):
    async with open_worker() as worker:
        await worker.asks("k1")
        provider.has_batches = False
        await worker.later()

        async def cut_off(_call: ModelCall) -> ModelResult:
            raise asyncio.CancelledError

        scope = FakeScope(pace="patient", key="k1", run_id="run_k1")
        call = ModelCall(scope=scope, model="small", messages=())
        with pytest.raises(asyncio.CancelledError):
            await worker.batches.model(call, cut_off)
        assert (await worker.ask("k1")).way == "prompt"


async def test_a_call_that_was_not_sent_in_time_is_made_at_once(provider, world, open_worker):
    provider.refuses = 503
    async with open_worker() as worker:
        await worker.asks("k1")
        for _ in range(3):
            await worker.later(600)
        assert provider.batches == {}
        await worker.asks("k1")
        await worker.later(24 * 3600)
        assert (await worker.ask("k1")).way == "prompt"
        provider.refuses = 0
        for _ in range(3):
            await worker.later(1000)
        assert provider.batches == {}
        assert (await worker.batch()).state == "ended"
        world.ended.add("run_k1")
        await worker.later(60)
        assert await worker.states() == {}
        assert world.held == {}


async def test_a_call_that_was_never_gathered_gives_its_money_back(world, open_worker):
    async with open_worker() as worker:
        await worker.asks("k1")
        world.clock.advance(24 * 3600)
        assert (await worker.ask("k1")).way == "prompt"
        assert (world.held, await worker.states()) == ({}, {})


async def test_a_late_batch_is_stopped_and_what_it_answers_is_still_paid(provider, world, open_worker):
    async with open_worker(batch_within=timedelta(hours=1)) as worker:
        await worker.asks("k1")
        await worker.later()
        world.clock.advance(3600)
        assert (await worker.ask("k1")).way == "prompt"
        assert world.held == {"batch:k1": "small"}
        await worker.later(1000)
        assert provider.batches["batch_1"]["status"] == "cancelling"
        await worker.later(1000)
        assert [path for path in provider.asked if path[1].endswith("/cancel")] == [
            ("POST", "/batches/batch_1/cancel")
        ]
        provider.finish(status="cancelled")
        await worker.later(1000)
        assert world.unclaimed == [("k1", USED)]
        assert world.held == {}


async def test_an_answer_that_came_in_time_is_taken_however_late_it_is_asked_for(
    provider, world, open_worker
):
    async with open_worker() as worker:
        await worker.asks("k1")
        await worker.later()
        provider.finish()
        await worker.later()
        world.clock.advance(72 * 3600)
        assert (await worker.ask("k1")).way == "batch"


async def test_what_cancelled_runs_asked_for_is_dropped(provider, world, open_worker):
    async with open_worker() as worker:
        await worker.asks("early")
        world.ended.add("run_early")
        await worker.later()
        assert (provider.batches, world.held) == ({}, {})
        await worker.asks("late", "kept")
        await worker.later()
        world.ended.add("run_late")
        await worker.later()
        provider.finish()
        await worker.later()
        await worker.later(30)
        assert world.unclaimed == [("late", USED)]
        assert await worker.states() == {"kept": "answered"}
        assert world.held == {"batch:kept": "small"}


async def test_a_batch_of_cancelled_runs_alone_is_stopped(provider, world, open_worker):
    async with open_worker() as worker:
        await worker.asks("k1", "k2")
        await worker.later()
        world.ended |= {"run_k1", "run_k2"}
        await worker.later()
        await worker.later()
        assert provider.batches["batch_1"]["status"] == "cancelling"
        provider.end(status="cancelled")
        await worker.later(300)
        await worker.later(30)
        assert await worker.states() == {}
        assert (world.held, world.unclaimed) == ({}, [])


async def test_an_answer_that_makes_no_sense_is_paid_and_asked_for_at_once(provider, world, open_worker):
    async with open_worker() as worker:
        await worker.asks("k1")
        await worker.later()
        provider.finish(answer=lambda _: completion(finish_reason="strange"))
        await worker.later()
        assert world.unclaimed == [("k1", USED)]
        assert (await worker.ask("k1")).way == "prompt"


async def test_a_run_that_was_still_ending_its_attempt_is_woken_later_and_once(provider, world, open_worker):
    async with open_worker() as worker:
        await worker.asks("k1")
        await worker.later()
        world.resting.clear()  # it has been woken by something else, and has not come to rest again
        provider.finish()
        assert await worker.later() == 0
        world.resting.add("run_k1")
        assert await worker.later(5) == 1
        world.resting.add("run_k1")  # it backs off after a failure
        assert await worker.later(5) == 0


# Workers that die, and workers that race.


async def test_a_batch_is_found_again_where_nobody_knows_whether_it_was_taken(provider, world, open_worker):
    async with open_worker() as worker:
        await worker.asks("k0")
        await worker.later()
        for n in (1, 2, 3):  # what others send meanwhile fills the first page
            await worker.asks(f"k{n}")
            provider.hangs_up_after_taking = n == 1
            await worker.later(61)
        assert len(provider.batches) == 4
    async with open_worker() as worker:
        for _ in range(4):
            await worker.later(900)
        assert sorted(provider.keys) == ["k0", "k1", "k2", "k3"]
        assert {each.state for each in await worker.page()} == {"submitted"}
        for id in provider.batches:
            provider.finish(id)
        await worker.later(900)
        assert set((await worker.states()).values()) == {"answered"}


@pytest.mark.parametrize("request_number", range(1, 7))
async def test_a_worker_that_dies_at_any_request_loses_and_doubles_nothing(
    provider, world, open_worker, request_number
):
    await loses_nothing_by_dying(provider, world, open_worker, at=request_number)


async def test_two_workers_send_every_request_once(provider, world, open_worker):
    async with open_worker() as one, open_worker() as other:
        keys = [f"k{n}" for n in range(8)]
        await one.asks(*keys[:4])
        await other.asks(*keys[4:])
        world.clock.advance(61)
        await asyncio.gather(one.batches.work(), other.batches.work())
        world.clock.advance(61)
        await asyncio.gather(one.batches.work(), other.batches.work())
        assert sorted(provider.keys) == keys
        for id in provider.batches:
            provider.finish(id)
        world.clock.advance(61)
        woken = await asyncio.gather(one.batches.work(), other.batches.work())
        assert sum(woken) + await one.later(61) == 8
        assert sorted(world.woken) == [f"run_{key}" for key in keys]


async def test_a_provider_with_too_much_to_do_is_given_the_batch_again(provider, world, open_worker):
    async with open_worker() as worker:
        await worker.asks("k1")
        await worker.later()
        provider.end(status="failed", code="token_limit_exceeded")
        assert await worker.later() == 0
        assert await worker.states() == {"k1": "waiting"}
        await worker.later(500)
        assert len(provider.batches) == 1
        await worker.later(100)
        provider.finish("batch_2")
        assert await worker.later() == 1


async def test_many_requests_go_in_several_batches(provider, world, open_worker):
    world.most = 3
    async with open_worker() as worker:
        await worker.asks(*[f"k{n}" for n in range(7)])
        await worker.later(1)  # enough of them don't wait for others
        assert [len(provider.requests(id)) for id in provider.batches] == [3, 3, 1]


async def test_odd_lines_and_texts_survive_the_way_through_files(provider, world, open_worker):
    text = "line \u2028 and \x85 and \\n and 你好 and \x00"
    async with open_worker() as worker:
        with pytest.raises(Suspended):
            await worker.ask("k1", text)
        await worker.later()
        line = {"custom_id": "k1", "response": {"status_code": 200, "body": completion(text)}}
        odd = [{"custom_id": "unknown", "response": None}, {"no": "sense"}, [1], line, line]
        provider.end(status="completed", answers=odd, errors=[{"custom_id": "k1", "error": "x"}])
        await worker.later()
        assert provider.files == {}
        assert (await worker.ask("k1")).message["content"] == text


async def test_what_shows_the_batches_counts_them(provider, world, open_worker):
    async with open_worker() as worker:
        await worker.asks("k1", "k2")
        (waiting,) = await worker.database.read(unbatched)
        assert (waiting.deployment, waiting.requests) == ("small", 2)
        await worker.later()
        batch = await worker.batch()
        assert (batch.state, batch.provider_id, batch.requests, batch.unanswered) == (
            "submitted",
            "batch_1",
            2,
            2,
        )


def test_usage_stands_as_the_endpoint_counts_it():
    assert USED.input == USAGE["prompt_tokens"]
