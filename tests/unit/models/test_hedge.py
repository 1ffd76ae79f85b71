import asyncio
from dataclasses import replace

import pytest

from proctor.core import DeploymentSettings, ModelCall, ModelOverloaded, ModelUnreachable
from proctor.models import Models, hedge
from proctor.testing import FakeScope, ScriptedModel


class HeldClock:
    """Its sleeps end when they are told to."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.over = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.over.wait()


class Setup:
    """A deployment that is asked a second time after 2 s; each request is answered when the test says so."""

    def __init__(self, **settings) -> None:
        deployments = {"big": DeploymentSettings.model_validate({"model": "m", "hedge_after": 2} | settings)}
        self.clock = HeldClock()
        self.scope = FakeScope()
        self.hedged: list[str] = []
        self.replies: dict[str, asyncio.Future] = {
            tag: asyncio.get_running_loop().create_future() for tag in ("", "h")
        }
        self.sent: list[str] = []
        self.cancelled: list[str] = []
        self._models = Models(deployments, environ={}, providers={"openai": ScriptedModel(self._reply)})
        self._hedge = hedge(
            deployments, clock=self.clock, on_hedge=lambda call: self.hedged.append(call.model)
        )

    async def _reply(self, call):
        self.sent.append(call.attempt_tag)
        try:
            return await self.replies[call.attempt_tag]
        except asyncio.CancelledError:
            await asyncio.sleep(0)  # closing a connection takes its time
            self.cancelled.append(call.attempt_tag)
            raise

    def ask(self, **more):
        call = ModelCall(scope=self.scope, model="big", messages=(), **more)
        return asyncio.create_task(self._hedge(call, self._models.complete))

    async def until_sent(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.sent) < count:
                await asyncio.sleep(0)


async def done(task):
    async with asyncio.timeout(5):
        return await task


async def test_an_answer_in_time_needs_no_second_request():
    setup = Setup()
    asking = setup.ask()
    await setup.until_sent(1)
    setup.replies[""].set_result("Yes.")
    assert (await done(asking)).attempts == 1
    assert (setup.sent, setup.hedged, setup.scope.events) == ([""], [], [])
    assert setup.clock.slept == [2]


@pytest.mark.parametrize(("first", "second"), [("", "h"), ("h", "")])
async def test_the_first_answer_counts_and_the_other_request_has_ended(first, second):
    setup = Setup()
    asking = setup.ask()
    setup.clock.over.set()
    await setup.until_sent(2)
    setup.replies[first].set_result("Yes.")
    result = await done(asking)
    assert (result.message["content"], result.attempts) == ("Yes.", 2)
    assert setup.cancelled == [second]
    assert setup.scope.events == [("model.hedged", {"deployment": "big", "after_s": 2})]
    assert setup.hedged == ["big"]


@pytest.mark.parametrize(("first", "second"), [("", "h"), ("h", "")])
async def test_where_one_request_fails_the_other_is_waited_for(first, second):
    setup = Setup()
    asking = setup.ask()
    setup.clock.over.set()
    await setup.until_sent(2)
    setup.replies[first].set_result(ModelOverloaded("busy"))
    await asyncio.sleep(0)
    setup.replies[second].set_result("Yes.")
    assert (await done(asking)).message["content"] == "Yes."


async def test_where_both_fail_the_call_fails_as_its_first_request_did():
    setup = Setup()
    asking = setup.ask()
    setup.clock.over.set()
    await setup.until_sent(2)
    setup.replies["h"].set_result(ModelOverloaded("busy"))
    setup.replies[""].set_result(ModelUnreachable("gone"))
    with pytest.raises(ModelUnreachable):
        await done(asking)


async def test_a_failure_in_time_is_passed_on_at_once():
    setup = Setup()
    asking = setup.ask()
    await setup.until_sent(1)
    setup.replies[""].set_result(ModelUnreachable("gone"))
    with pytest.raises(ModelUnreachable):
        await done(asking)
    assert setup.sent == [""]


async def test_a_call_that_is_cancelled_takes_both_of_its_requests_along():
    setup = Setup()
    asking = setup.ask()
    setup.clock.over.set()
    await setup.until_sent(2)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await done(asking)
    assert sorted(setup.cancelled) == ["", "h"]


async def test_a_streamed_call_is_sent_once():
    setup = Setup()
    heard: list[str] = []
    setup.clock.over.set()
    asking = setup.ask(on_text=heard.append)
    await setup.until_sent(1)
    for _ in range(10):  # as long as a second one would take
        await asyncio.sleep(0)
    setup.replies[""].set_result("Yes.")
    await done(asking)
    assert (setup.sent, heard) == ([""], ["Yes."])


async def test_a_deployment_that_does_not_ask_for_it_is_sent_one_request():
    setup = Setup(hedge_after=None)
    setup.clock.over.set()
    asking = setup.ask()
    await setup.until_sent(1)
    for _ in range(10):
        await asyncio.sleep(0)
    setup.replies[""].set_result("Yes.")
    await done(asking)
    assert setup.sent == [""]


async def test_two_requests_of_one_call_are_one_call_to_the_journal():
    call = ModelCall(scope=FakeScope(), model="big", messages=())
    again = replace(call, attempt_tag="h")
    assert again == call
    assert again.request() == call.request()
