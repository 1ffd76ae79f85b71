from random import Random

import pytest

from proctor.core import (
    BudgetExceeded,
    DeploymentSettings,
    ModelCall,
    ModelNonsense,
    ModelOverloaded,
    ModelRefused,
    ModelUnreachable,
)
from proctor.models import Models, retry
from proctor.testing import FakeClock, FakeScope, ScriptedModel

CALL = ModelCall(scope=FakeScope(), model="small", messages=())


class Setup:
    def __init__(self, *script, retries: int = 3) -> None:
        settings = {"small": DeploymentSettings(model="fake-1", retries=retries)}
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

    async def ask(self):
        return await self._retry(CALL, self._models.complete)


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
