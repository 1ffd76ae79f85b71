import json
from datetime import timedelta
from functools import partial

import pytest

from proctor.core import (
    BudgetExceeded,
    ConfigurationError,
    DatabaseUnavailable,
    DeploymentSettings,
    MissingSetting,
    ModelCall,
    ModelOverloaded,
    ModelResult,
    RouterSettings,
    TeamSettings,
    Usage,
)
from proctor.ledger import Prices
from proctor.models.router import Router, common_capabilities, load_weights, overrides
from proctor.testing import FakeClock, FakeScope

EASY = "Where is my order #W123?"
HARD = (
    "Write a detailed migration plan for moving our PostgreSQL cluster from 14 to 18 with zero downtime. "
    "Compare three approaches, list the risks of each, and then recommend one with a justification."
)
LAW = "被告违约 法院判决如何适用合同法律 原告可以要求赔偿吗"

DEPLOYMENTS = {
    "mini": {"tier": "small", "price": {"input": "1", "output": "4", "cached_input": "0.1"}},
    "grand": {
        "tier": "large",
        "price": {"input": "5", "output": "20", "cached_input": "0.5"},
        "vision": True,
    },
}


def deployments(**changes) -> dict[str, DeploymentSettings]:
    merged = {name: {**DEPLOYMENTS.get(name, {}), **changes.get(name, {})} for name in DEPLOYMENTS | changes}
    return {
        name: DeploymentSettings.model_validate({"model": f"{name}-1", "context_window": 128_000, **one})
        for name, one in merged.items()
    }


class Setup:
    """A router before models that answer after some seconds of a clock that stands still."""

    def __init__(self, router=None, level=0, left=1.0, override=None, **changes) -> None:
        self.clock = FakeClock()
        self.scope = FakeScope()
        self.asked: list[str] = []
        self.seconds = 0.2
        self.error = None
        self.usage = Usage(input=2_000, output=100)
        settings = deployments(**changes)
        prices = Prices(settings)

        def price(name, usage):
            return prices.price_of(usage, name, at=self.clock.now()) if prices.has_price(name) else None

        self.router = Router(
            settings,
            RouterSettings.model_validate(router or {}),
            clock=self.clock,
            price=price,
            level=lambda: level,
            budget_share=lambda: left,
            **({"override": override} if override else {}),
        )

    def call(self, text=EASY, model="auto", **more) -> ModelCall:
        messages = more.pop("messages", ({"role": "user", "content": text},))
        return ModelCall(scope=more.pop("scope", self.scope), model=model, messages=messages, **more)

    async def answer(self, call) -> ModelResult:
        self.asked.append(call.model)
        self.clock.advance(self.seconds)
        if self.error is not None:
            raise self.error
        message = {"role": "assistant", "content": "yes"}
        return ModelResult(
            message=message,
            finish_reason="stop",
            usage=self.usage,
            deployment=call.model,
            model=f"{call.model}-1",
            cost=700,
        )

    async def ask(self, *args, times=1, **more) -> None:
        for _ in range(times):
            await self.router.route(self.call(*args, **more), self.answer)


def passed_over(choice) -> dict[str, str]:
    return {one.name: one.passed_over for one in choice.candidates}


async def test_easy_work_goes_to_a_small_model_and_hard_work_to_a_large_one():
    setup = Setup()
    await setup.ask(EASY)
    await setup.ask(HARD)
    assert setup.asked == ["mini", "grand"]
    (_, easy), (_, hard) = setup.scope.events
    assert [one["tier"] for one in (easy, hard)] == ["small", "large"]
    assert easy["chance"] < 0.5 <= hard["chance"]
    assert hard["why"] == f"needs more: {hard['chance']:.2f} of 0.50"


async def test_a_call_that_names_its_deployment_goes_there_and_says_nothing():
    setup = Setup()
    await setup.ask(HARD, model="mini")
    assert (setup.asked, setup.scope.events) == (["mini"], [])


def test_a_special_domain_goes_to_its_own_deployment_where_there_is_one():
    lawyer = {"tier": "special:legal", "price": {"input": "300", "output": "900"}}
    with_lawyer, without = Setup(lawyer=lawyer), Setup()
    assert with_lawyer.router.choose(with_lawyer.call(LAW)).to == "lawyer"
    assert without.router.choose(without.call(LAW)).tier in ("small", "large")
    assert with_lawyer.router.choose(with_lawyer.call(EASY)).to == "mini"


@pytest.mark.parametrize(
    ("lacks", "needs", "reason"),
    [
        (
            {"function_calling": False},
            {"tools": ({"type": "function", "function": {"name": "look"}},)},
            "tools",
        ),
        ({"structured_output": False}, {"response_format": {"type": "json_object"}}, "format"),
        ({"context_window": 1000}, {"text": "where? " * 4000}, "tokens"),
        (
            {},
            {
                "messages": (
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]},
                )
            },
            "images",
        ),
    ],
    ids=["tools", "format", "window", "images"],
)
def test_a_deployment_that_cannot_do_what_a_call_needs_is_passed_over(lacks, needs, reason):
    setup = Setup(router={"caution": 0.999}, mini=lacks)
    choice = setup.router.choose(setup.call(**needs))
    assert choice.to == "grand"
    assert reason in passed_over(choice)["mini"]


def test_where_no_deployment_can_do_it_the_call_fails_and_says_why():
    setup = Setup(mini={"function_calling": False}, grand={"function_calling": False})
    with pytest.raises(MissingSetting, match=r"mini: it takes no tools; grand: it takes no tools"):
        setup.router.choose(setup.call(tools=({"type": "function", "function": {"name": "look"}},)))


def test_a_weaker_model_answers_only_where_no_stronger_one_can():
    setup = Setup(grand={"function_calling": False})
    choice = setup.router.choose(
        setup.call(HARD, tools=({"type": "function", "function": {"name": "look"}},))
    )
    assert (choice.to, choice.required) == ("mini", "large")
    assert "no deployment for large work can do it" in choice.why


def test_a_deployment_without_a_known_price_is_passed_over():
    setup = Setup(mini={"price": None, "model": "made-up"})
    choice = setup.router.choose(setup.call(EASY))
    assert choice.to == "grand"
    assert passed_over(choice)["mini"] == "its price isn't known"


LONG = {"role": "user", "content": "The history of my order is as follows. " * 1000}


async def test_a_dearer_deployment_that_remembers_the_prompt_is_taken_for_small_work():
    setup = Setup()
    await setup.ask(messages=(LONG,), model="grand")
    talk = (LONG, {"role": "assistant", "content": "Noted."}, {"role": "user", "content": EASY})
    choice = setup.router.choose(setup.call(messages=talk))
    assert (choice.to, choice.required) == ("grand", "small")
    assert "costs less now" in choice.why
    assert next(one for one in choice.candidates if one.name == "grand").warm > 9_000


@pytest.mark.parametrize("change", ["time", "thread", "tools", "beginning", "no cache"])
async def test_what_a_provider_does_not_remember_saves_nothing(change):
    setup = Setup(grand={"prompt_cache": change != "no cache"})
    await setup.ask(messages=(LONG,), model="grand")
    messages = ({"role": "system", "content": "Be kind."},) if change == "beginning" else ()
    more = {"messages": (*messages, LONG, {"role": "user", "content": EASY})}
    if change == "time":
        setup.clock.advance(301)
    if change == "thread":
        more["scope"] = FakeScope(run_id="run_2")
    if change == "tools":
        more["tools"] = ({"type": "function", "function": {"name": "look"}},)
    assert setup.router.choose(setup.call(**more)).to == "mini"


async def test_a_weaker_model_is_not_taken_for_hard_work_because_it_remembers_the_prompt():
    setup = Setup(router={"caution": 0.01})
    await setup.ask(messages=(LONG,), model="mini")
    assert setup.router.choose(setup.call(messages=(LONG, {"role": "user", "content": HARD}))).to == "grand"


async def test_a_slow_deployment_is_passed_over_until_its_slow_calls_are_old():
    setup = Setup()
    setup.seconds = 1.4
    await setup.ask(EASY, times=5)
    choice = setup.router.choose(setup.call(EASY))
    assert choice.to == "grand"
    assert passed_over(choice)["mini"] == "half of its calls took 1.4 s or more"
    setup.clock.advance(timedelta(minutes=5).total_seconds())
    assert setup.router.choose(setup.call(EASY)).to == "mini"


async def test_a_failing_deployment_is_passed_over_while_another_can_do_it():
    setup = Setup()
    setup.error = ModelOverloaded("busy")
    for _ in range(2):
        with pytest.raises(ModelOverloaded):
            await setup.ask(EASY)
    assert setup.router.choose(setup.call(EASY)).to == "grand"
    assert passed_over(setup.router.choose(setup.call(EASY)))["mini"] == "2 of its last 2 calls failed"
    only = Setup(grand={"tier": None})
    only.error = ModelOverloaded("busy")
    for _ in range(2):
        with pytest.raises(ModelOverloaded):
            await only.ask(EASY)
    assert only.router.choose(only.call(EASY)).to == "mini"


@pytest.mark.parametrize("error", [BudgetExceeded("spent"), DatabaseUnavailable("away")], ids=str)
async def test_what_is_not_the_providers_fault_says_nothing_of_it(error):
    setup = Setup()
    setup.error = error
    for _ in range(3):
        with pytest.raises(type(error)):
            await setup.ask(EASY)
    assert setup.router.choose(setup.call(EASY)).to == "mini"


async def test_a_deployment_for_which_another_stood_in_has_failed():
    setup = Setup()

    async def stood_in(call):
        return await setup.answer(setup.call(model="grand"))

    for _ in range(2):
        await setup.router.route(setup.call(EASY), stood_in)
    assert "2 of its last 2" in passed_over(setup.router.choose(setup.call(EASY)))["mini"]


@pytest.mark.parametrize("state", [{"left": 0.05}, {"level": 1}], ids=["low budget", "stepped down"])
def test_a_low_budget_and_a_system_that_stepped_down_make_the_router_save(state):
    chance = Setup().router.choose(Setup().call(HARD)).chance
    near = {"caution": chance - 0.05}
    calm, tight = Setup(near), Setup(near, **state)
    assert calm.router.caution() < chance < tight.router.caution() < 1
    assert [one.router.choose(one.call(HARD)).to for one in (calm, tight)] == ["grand", "mini"]


async def test_an_agent_is_answered_by_the_deployment_that_is_set_for_it():
    teams = {
        "support": TeamSettings.model_validate(
            {"agents": {"clerk": {"model": "grand"}, "desk/clerk": {"model": "auto"}}}
        )
    }
    setup = Setup(override=overrides(teams, deployments()))
    await setup.ask(EASY, model="mini", scope=FakeScope(agent="shop/clerk"))
    await setup.ask(EASY, model="grand", scope=FakeScope(agent="desk/clerk"))
    await setup.ask(EASY, model="grand", scope=FakeScope(agent="other"))
    await setup.ask(EASY, model="mini", scope=FakeScope(team="sales", agent="clerk"))
    assert setup.asked == ["grand", "mini", "grand", "mini"]


def test_an_agent_cannot_be_set_to_a_deployment_that_is_not_there():
    teams = {"support": TeamSettings.model_validate({"agents": {"clerk": {"model": "gone"}}})}
    with pytest.raises(ConfigurationError, match="gone"):
        overrides(teams, deployments())


def test_no_deployment_may_have_the_routers_own_name():
    with pytest.raises(ConfigurationError, match="auto"):
        overrides({}, deployments(auto={"tier": "small"}))


async def test_in_shadow_a_named_call_is_shown_what_would_have_been_chosen_and_at_what_cost():
    setup = Setup(router={"shadow": True})
    await setup.ask(EASY, model="grand")
    assert setup.asked == ["grand"]
    ((kind, event),) = setup.scope.events
    assert kind == "model.routed"
    assert {key: event[key] for key in ("to", "shadow", "asked", "cost", "paid")} == {
        "to": "mini",
        "shadow": True,
        "asked": "grand",
        "cost": 2_000 * 1 + 100 * 4,
        "paid": 700,
    }


def test_the_next_cheaper_deployment_is_the_dearest_of_those_that_cost_less():
    middle = {"tier": "special:legal", "price": {"input": "3", "output": "9"}}
    setup = Setup(middle=middle)
    cheaper = partial(setup.router.cheaper)
    assert [cheaper(setup.call(model=name)) for name in ("grand", "middle", "mini")] == [
        "middle",
        "mini",
        None,
    ]
    blind = Setup(mini={"function_calling": False})
    tools = ({"type": "function", "function": {"name": "look"}},)
    assert blind.router.cheaper(blind.call(model="grand", tools=tools)) is None


def test_auto_offers_what_all_of_its_deployments_can_do():
    common = common_capabilities(deployments(mini={"context_window": 8_000}))
    assert (common.model, common.vision, common.context_window) == ("auto", False, 8_000)
    with pytest.raises(MissingSetting):
        common_capabilities(deployments(mini={"tier": None}, grand={"tier": None}))


def test_an_explanation_names_what_spoke_for_and_against_a_large_model():
    setup = Setup()
    choice = setup.router.explain(setup.call(HARD))
    assert choice.contributions
    assert dict(choice.contributions)["work"] > 0
    assert set(passed_over(choice)) == {"mini", "grand"}
    assert passed_over(choice)[choice.to] == ""


@pytest.mark.parametrize(
    "text", ["{}", "not json", '{"domains": ["law"], "bias": [0], "figures": {}, "words": {}}'], ids=str
)
def test_a_file_that_holds_no_weights_is_refused(tmp_path, text):
    file = tmp_path / "weights.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"router\.weights"):
        load_weights(str(file))


def test_own_weights_decide_by_their_own_domains(tmp_path):
    file = tmp_path / "weights.json"
    words = {"kettle": [-3.0, 6.0], "teapot": [6.0, -3.0]}
    file.write_text(json.dumps({"domains": ["tea"], "bias": [0, 0], "figures": {}, "words": words}))
    setup = Setup(router={"weights": str(file)}, brewer={"tier": "special:tea", "price": "free"})
    chosen = [setup.router.choose(setup.call(text)).to for text in ("a kettle", "a teapot", "a cup")]
    assert chosen[:2] == ["brewer", "grand"]


def test_the_shipped_weights_say_where_they_come_from():
    provenance = load_weights().provenance
    assert {"made", "by", "seed", "kept_apart", "data", "by_hand"} <= provenance.keys()
    assert all(one["licence"] and one["trained"] < one["requests"] for one in provenance["data"].values())


@pytest.mark.parametrize("size", [0, 100, 2_000_000], ids=str)
def test_a_request_of_any_length_is_read(size):
    setup = Setup(router={"caution": 0.9}, mini={"context_window": 10**7}, grand={"context_window": 10**7})
    assert setup.router.choose(setup.call("订x" * (size // 2))).to in ("mini", "grand")
