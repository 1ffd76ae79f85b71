from functools import partial
from random import Random

import pytest

from proctor.core import (
    BudgetExceeded,
    ConfigurationError,
    DatabaseUnavailable,
    DeploymentSettings,
    MissingSetting,
    ModelCall,
    ModelNonsense,
    ModelOverloaded,
    ModelRefused,
    ModelResting,
    ModelUnreachable,
    PriceUnknown,
)
from proctor.models import Breakers, Models, fallback, hedge, retry, stand_ins
from proctor.testing import FakeClock, FakeScope, ScriptedModel


def deployments(**fallbacks: list[str]) -> dict[str, DeploymentSettings]:
    return {
        name: DeploymentSettings.model_validate(
            {"model": f"{name}-1", "retries": 1, "fallback": fallbacks.get(name, []), "breaker_failures": 2}
        )
        for name in ("big", "small", "tiny")
    }


class Setup:
    """The chain from `fallback` inwards; each deployment answers by a script of its own."""

    def __init__(self, settings, **scripts) -> None:
        self.scope = FakeScope()
        self.asked: list[str] = []
        self.fell: list[tuple[str, str]] = []
        self._scripts = {name: iter(script) for name, script in scripts.items()}
        self.model = ScriptedModel(self._answer)
        clock = FakeClock()
        links = [
            fallback(settings, on_fallback=lambda _, to, error: self.fell.append((to, error.code))),
            retry(settings, clock=clock, rng=Random(7), on_retry=lambda *_: None),
            Breakers(settings, clock=clock, on_change=lambda *_: None).model,
            hedge(settings, clock=clock, on_hedge=lambda _: None),
        ]
        self._chain = Models(settings, environ={}, providers={"openai": self.model}).complete
        for link in reversed(links):
            self._chain = partial(_through, link, self._chain)

    def _answer(self, call):
        self.asked.append(call.model)
        reply = next(self._scripts[call.model])
        return reply(call) if callable(reply) else reply

    async def ask(self, model="big", **more):
        return await self._chain(ModelCall(scope=self.scope, model=model, messages=(), **more))


def _through(link, proceed, call):
    return link(call, proceed)


@pytest.mark.parametrize(
    "error", [ModelUnreachable("gone"), ModelOverloaded("busy"), ModelNonsense("half"), None], ids=str
)
async def test_the_next_deployment_answers_where_one_fails_for_good(error):
    error = error or ModelOverloaded("busy", retry_after=3600)
    setup = Setup(deployments(big=["small"]), big=[error] * 2, small=["Yes."])
    result = await setup.ask()
    assert (result.deployment, result.message["content"]) == ("small", "Yes.")
    fell = [data for type, data in setup.scope.events if type == "model.fell_back"]
    assert fell == [{"from": "big", "to": "small", "error": error.code}]
    assert setup.fell == [("small", error.code)]


async def test_each_deployment_has_its_own_retries():
    settings = deployments(big=["small"])
    settings["small"] = settings["small"].model_copy(update={"retries": 3})
    busy = ModelOverloaded("busy")
    setup = Setup(settings, big=[busy] * 2, small=[busy] * 3 + ["Yes."])
    assert (await setup.ask()).attempts == 4
    assert setup.asked == ["big"] * 2 + ["small"] * 4


async def test_stand_ins_of_stand_ins_come_in_their_order_and_the_last_failure_is_raised():
    busy = ModelOverloaded("busy")
    settings = deployments(big=["small"], small=["tiny"])
    setup = Setup(settings, big=[busy] * 2, small=[busy] * 2, tiny=[ModelUnreachable("gone")] * 2)
    with pytest.raises(ModelUnreachable) as raised:
        await setup.ask()
    assert setup.asked == ["big"] * 2 + ["small"] * 2 + ["tiny"] * 2
    assert isinstance(raised.value.__context__, ModelOverloaded)


async def test_after_the_first_word_nobody_else_is_asked():
    def breaks_off(call):
        call.on_text("Once upon")
        return ModelNonsense("half a stream")

    heard: list[str] = []
    setup = Setup(deployments(big=["small"]), big=[breaks_off], small=["Yes."])
    with pytest.raises(ModelNonsense):
        await setup.ask(on_text=heard.append)
    assert (heard, setup.asked) == (["Once upon"], ["big"])


async def test_before_the_first_word_a_listener_hears_the_stand_in():
    heard: list[str] = []
    setup = Setup(deployments(big=["small"]), big=[ModelUnreachable("gone")] * 2, small=["Yes."])
    await setup.ask(on_text=heard.append)
    assert heard == ["Yes."]


@pytest.mark.parametrize(
    "error",
    [
        ModelRefused("no"),
        MissingSetting("no key"),
        PriceUnknown("?"),
        BudgetExceeded("spent"),
        DatabaseUnavailable("away"),
    ],
    ids=lambda error: error.code,
)
async def test_what_is_not_the_providers_fault_does_not_fall_back(error):
    setup = Setup(deployments(big=["small"]), big=[error] * 2, small=["Yes."])
    with pytest.raises(type(error)):
        await setup.ask()
    assert "small" not in setup.asked


async def test_a_deployment_that_has_failed_too_often_is_stood_in_for_at_once():
    setup = Setup(deployments(big=["small"]), big=[ModelUnreachable("gone")] * 2, small=["Yes.", "Yes."])
    await setup.ask()
    setup.asked.clear()
    assert (await setup.ask()).deployment == "small"
    assert setup.asked == ["small"]
    assert setup.fell[-1] == ("small", "model_resting")


async def test_without_time_left_nobody_else_is_asked():
    setup = Setup(deployments(big=["small"]), big=[ModelUnreachable("gone")], small=["Yes."])
    setup.scope.left = 0
    with pytest.raises(ModelUnreachable):
        await setup.ask()
    assert setup.asked == ["big"]


async def test_a_deployment_that_rests_is_stood_in_for_at_once():
    setup = Setup(deployments(big=["small"]), big=[ModelResting("rests", retry_after=5)], small=["Yes."])
    assert (await setup.ask()).deployment == "small"
    assert setup.asked == ["big", "small"]


async def test_without_a_stand_in_a_failure_stays_what_it_is():
    setup = Setup(deployments(), big=[ModelUnreachable("gone")] * 2)
    with pytest.raises(ModelUnreachable):
        await setup.ask()
    assert setup.fell == []


def test_stand_ins_are_followed_by_their_own_and_named_once():
    assert stand_ins(deployments(big=["small", "tiny"], small=["tiny"])) == {
        "big": ("small", "tiny"),
        "small": ("tiny",),
    }


CIRCLE = {"big": ["small"], "small": ["tiny"], "tiny": ["small"]}


@pytest.mark.parametrize("fallbacks", [{"big": ["smal"]}, {"big": ["big"]}, CIRCLE])
def test_a_stand_in_that_is_not_there_or_leads_back_is_refused(fallbacks):
    with pytest.raises(ConfigurationError) as raised:
        stand_ins(deployments(**fallbacks))
    assert raised.value.hint
