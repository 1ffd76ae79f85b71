from dataclasses import replace
from random import Random

import pytest

from proctor.core import (
    BudgetExceeded,
    DatabaseUnavailable,
    Degraded,
    DeploymentSettings,
    ModelCall,
    ModelNonsense,
    ModelOverloaded,
    ModelRefused,
    ModelResting,
    ModelUnreachable,
)
from proctor.models import Models, retry
from proctor.testing import FakeClock, FakeScope, ScriptedModel


class Setup:
    def __init__(self, *script, retries: int = 3, fallback: tuple[str, ...] = ()) -> None:
        settings = {"small": DeploymentSettings(model="fake-1", retries=retries, fallback=fallback)}
        self.scope = FakeScope()
        self.clock = FakeClock()
        self.model = ScriptedModel(list(script))
        self.heard: list[str] = []
        self._models = Models(settings, environ={}, providers={"openai": self.model})
        self._retry = retry(
            settings,
            clock=self.clock,
            rng=Random(7),
            on_retry=lambda _, error: self.heard.append(error.code),
        )

    async def ask(self, *, left=600.0, handle=None):
        self.scope.left = left
        call = ModelCall(scope=self.scope, model="small", messages=())
        return await self._retry(call, handle or self._models.complete)


async def test_a_passing_failure_is_hidden_and_counted():
    setup = Setup(ModelUnreachable("gone"), ModelNonsense("half"), "Yes.")
    assert (await setup.ask()).attempts == 3
    assert setup.heard == ["model_unreachable", "model_nonsense"]


async def test_an_answer_at_once_is_passed_on_as_it_is():
    setup = Setup("Yes.")
    assert (await setup.ask()).attempts == 1
    assert setup.clock.slept == []


async def test_the_last_failure_is_raised_when_no_retry_is_left():
    setup = Setup(*[ModelOverloaded(f"busy {place}") for place in range(9)], retries=2)
    with pytest.raises(ModelOverloaded, match="busy 2"):
        await setup.ask()
    assert len(setup.model.calls) == 3


@pytest.mark.parametrize("error", [ModelRefused("no"), BudgetExceeded("spent")])
async def test_what_cannot_succeed_later_is_not_sent_again(error):
    setup = Setup(error, "Yes.")
    with pytest.raises(type(error)):
        await setup.ask()
    assert len(setup.model.calls) == 1


async def test_waits_grow_up_to_a_bound_and_differ():
    setup = Setup(*[ModelOverloaded("busy")] * 10, "Yes.", retries=10)
    await setup.ask()
    bounds = [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert all(0 <= wait <= bound for wait, bound in zip(setup.clock.slept, bounds, strict=True))
    assert len(set(setup.clock.slept)) == 10


async def test_a_provider_that_asks_for_a_pause_gets_it():
    setup = Setup(ModelOverloaded("busy", retry_after=45), "Yes.")
    await setup.ask()
    assert setup.clock.slept == [45]


async def test_a_provider_that_asks_for_a_very_long_pause_fails_the_call():
    setup = Setup(ModelOverloaded("busy", retry_after=3600), "Yes.")
    with pytest.raises(ModelOverloaded):
        await setup.ask()
    assert setup.clock.slept == []


async def test_a_wait_beyond_the_end_of_the_runs_attempt_fails_the_call_at_once():
    setup = Setup(ModelOverloaded("busy", retry_after=45), "Yes.")
    with pytest.raises(ModelOverloaded):
        await setup.ask(left=45)
    assert setup.clock.slept == []
    assert setup.heard == []


@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), Degraded("closed", retry_after=1)])
async def test_what_waits_for_itself_is_not_sent_again(error):
    setup = Setup(error, "Yes.")
    with pytest.raises(type(error)):
        await setup.ask()
    assert setup.clock.slept == []


async def test_a_deployment_that_rests_is_waited_for_and_that_is_no_retry():
    setup = Setup(*[ModelResting("rests", retry_after=8)] * 4, "Yes.", retries=0)
    assert (await setup.ask()).attempts == 1
    assert all(8 <= wait <= 8 + 4 for wait in setup.clock.slept)
    assert len(set(setup.clock.slept)) == 4


async def test_a_deployment_that_rests_too_long_fails_the_call():
    setup = Setup(ModelResting("rests", retry_after=61), "Yes.")
    with pytest.raises(ModelResting):
        await setup.ask()
    assert setup.clock.slept == []


async def test_a_deployment_that_rests_is_not_waited_for_where_another_stands_in():
    setup = Setup(ModelResting("rests", retry_after=1), "Yes.", fallback=("other",))
    with pytest.raises(ModelResting):
        await setup.ask()
    assert setup.clock.slept == []


async def test_requests_that_stand_inside_are_counted_too():
    setup = Setup()
    [hedged] = [await Setup("Yes.").ask()]
    replies = iter([ModelUnreachable("gone"), replace(hedged, attempts=2)])

    async def handle(_call):
        reply = next(replies)
        if isinstance(reply, ModelUnreachable):
            raise reply
        return reply

    assert (await setup.ask(handle=handle)).attempts == 3


async def test_each_repetition_is_told():
    setup = Setup(ModelOverloaded("busy", retry_after=2), "Yes.")
    await setup.ask()
    data = {"attempt": 1, "deployment": "small", "error": "model_overloaded", "wait_s": 2}
    assert setup.scope.events == [("model.retried", data)]
