from dataclasses import replace
from pathlib import Path

import pytest

from proctor.app import load_settings
from proctor.core import DeploymentSettings, MissingSetting, ModelCall, ModelRefused, ModelResult, Usage
from proctor.models import Capabilities, Models
from proctor.testing import FakeScope, ScriptedModel, tool_call

SETTINGS = {
    "small": DeploymentSettings(model="fake-1", vision=True, context_window=8192),
    "large": DeploymentSettings(model="fake-2", base_url="http://127.0.0.1:9/v1"),
}


def call(text: str = "Hi", *, model: str = "small", **parts) -> ModelCall:
    messages = ({"role": "user", "content": text},)
    return ModelCall(scope=FakeScope(), model=model, messages=messages, **parts)


def scripted(script) -> tuple[Models, ScriptedModel]:
    model = ScriptedModel(script)
    return Models(SETTINGS, environ={}, providers={"openai": model}), model


async def test_a_call_goes_to_the_deployment_that_it_names():
    models, model = scripted(["one", "two"])
    first, second = await models.complete(call()), await models.complete(call(model="large"))
    assert (first.deployment, first.model) == ("small", "fake-1")
    assert (second.deployment, second.model) == ("large", "fake-2")
    assert [seen.model for seen in model.calls] == ["small", "large"]


async def test_an_unknown_deployment_is_reported_with_those_that_are_alike():
    models, _ = scripted([])
    with pytest.raises(MissingSetting, match="there is: small"):
        await models.complete(call(model="smal"))
    with pytest.raises(MissingSetting, match="there is: large, small"):
        models.info("gpt")


def test_capabilities_are_what_the_settings_say():
    models, _ = scripted([])
    assert models.info("small") == Capabilities(
        model="fake-1", vision=True, context_window=8192, function_calling=True, structured_output=True
    )


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
PARTS = [{"type": "text", "text": "x" * 999}] * 2
IMPOSSIBLE = {
    "tools": ({"function_calling": False}, {"tools": (TOOL,)}),
    "images": ({}, {"messages": ({"role": "user", "content": [IMAGE]},)}),
    "structured_output": ({"structured_output": False}, {"response_format": SCHEMA}),
    "any_json": ({"structured_output": False}, {"response_format": {"type": "json_object"}}),
    "a_long_prompt": ({"context_window": 100}, {"messages": ({"role": "user", "content": "x" * 2000},)}),
    "long_parts": ({"context_window": 100}, {"messages": ({"role": "user", "content": PARTS},)}),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
async def test_what_a_deployment_cannot_do_is_refused_before_it_is_asked(case):
    settings, parts = IMPOSSIBLE[case]
    model = ScriptedModel(["Yes.", "Yes."])
    deployments = {
        "small": DeploymentSettings.model_validate({"model": "fake-1"} | settings),
        "large": DeploymentSettings(model="fake-2", vision=True),
    }
    models = Models(deployments, environ={}, providers={"openai": model})
    wanted = ModelCall(scope=FakeScope(), model="small", **({"messages": call().messages} | parts))
    with pytest.raises(ModelRefused) as caught:
        await models.complete(wanted)
    assert "[models.small]" in caught.value.hint
    assert not caught.value.produced
    assert model.calls == []
    await models.complete(replace(wanted, model="large"))
    assert len(model.calls) == 1


async def test_what_is_offered_by_schema_needs_no_function_calling():
    settings = DeploymentSettings(model="fake-1", tools="schema", function_calling=False)
    models = Models({"small": settings}, environ={}, providers={"openai": ScriptedModel(["Yes."])})
    await models.complete(call(tools=(TOOL,)))


async def test_an_image_counts_as_no_text():
    large = IMAGE | {"image_url": {"url": "data:image/png;base64," + "A" * 10_000}}
    settings = DeploymentSettings(model="fake-1", vision=True, context_window=100)
    models = Models({"small": settings}, environ={}, providers={"openai": ScriptedModel(["A cat."])})
    message = {"role": "user", "content": [large]}
    await models.complete(ModelCall(scope=FakeScope(), model="small", messages=(message,)))


def test_the_guides_three_tiers_are_configured_by_an_example():
    examples = Path(__file__).parents[3] / "docs" / "examples"
    settings = load_settings(examples / "models.toml", environ={}).settings.models
    assert {name: (each.model, each.tier) for name, each in settings.items()} == {
        "small": ("gpt-5.4-mini", "small"),
        "large": ("gpt-5.4", "large"),
        "special": ("claude-opus-4-7", "special:legal"),
    }
    Models(settings, environ={"OPENAI_API_KEY": "sk-1", "ANTHROPIC_API_KEY": "sk-2"}).check()


def test_a_missing_key_is_found_without_a_call():
    with pytest.raises(MissingSetting, match="OPENAI_API_KEY"):
        Models(SETTINGS, environ={}).check()
    Models(SETTINGS, environ={"OPENAI_API_KEY": "sk-1"}).check()


async def test_closing_closes_every_provider():
    models, model = scripted([])
    await models.close()
    assert model.closed


async def test_a_script_answers_with_texts_tool_calls_results_and_errors():
    result = ModelResult(
        message={"role": "assistant", "content": "cut"},
        finish_reason="length",
        usage=Usage(input=3),
        deployment="small",
        model="x",
    )
    models, _ = scripted(["Yes.", [tool_call("look_up", order=7)], result, ModelRefused("no")])
    said = await models.complete(call())
    called = await models.complete(call())
    assert (said.message, said.finish_reason) == ({"role": "assistant", "content": "Yes."}, "stop")
    [wire] = called.message["tool_calls"]
    assert wire["function"] == {"name": "look_up", "arguments": '{"order":7}'}
    assert called.finish_reason == "tool_calls"
    assert await models.complete(call()) == result
    with pytest.raises(ModelRefused, match="no"):
        await models.complete(call())
    with pytest.raises(ModelRefused, match="no answer left"):
        await models.complete(call())


async def test_a_scripted_call_has_the_same_id_at_every_run_and_another_for_another_request():
    async def id_for(text: str) -> str:
        models, _ = scripted(lambda _: [tool_call("look_up")])
        return (await models.complete(call(text))).message["tool_calls"][0]["id"]

    assert await id_for("Hi") == await id_for("Hi")
    assert await id_for("Hi") != await id_for("Ho")


async def test_a_script_may_be_a_function_that_waits():
    async def answers(asked: ModelCall) -> str:
        return str(asked.messages[-1]["content"]) + "!"

    models, _ = scripted(answers)
    assert (await models.complete(call("Hi"))).message["content"] == "Hi!"


async def test_a_scripted_text_is_streamed_word_by_word():
    pieces: list[str] = []
    models, _ = scripted([" On its  way. "])
    await models.complete(call(on_text=pieces.append))
    assert pieces == [" ", "On ", "its  ", "way. "]


PRICE = {"input": 1, "output": 2}


def priced(**settings) -> tuple[Models, ScriptedModel]:
    model = ScriptedModel(lambda _: "Yes.")
    settings = {"model": "fake-1", "price": PRICE} | settings
    deployments = {"small": DeploymentSettings.model_validate(settings)}
    return Models(deployments, environ={}, providers=dict.fromkeys(("openai", "anthropic"), model)), model


@pytest.mark.parametrize(
    "options",
    [
        {"service_tier": "priority"},
        {"speed": "fast"},
        {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"web_search_options": {}},
        {"max_tokens": "4000"},
        {"max_completion_tokens": -1},
        {"max_tokens": 0},
        {"max_tokens": True},
        {"n": 2.0},
    ],
)
async def test_an_option_that_breaks_what_was_set_aside_is_refused_before_it_is_sent(options):
    models, model = priced()
    with pytest.raises(ModelRefused) as caught:
        await models.complete(call(options=options))
    assert (caught.value.sent, model.calls) == (False, [])
    free, _ = priced(price="free")
    assert (await free.complete(call(options=options))).message["content"] == "Yes."


async def test_options_that_a_deployment_is_priced_for_are_taken():
    models, _ = priced(options={"service_tier": "flex", "max_tokens": 20})
    await models.complete(call())
    await models.complete(call(options={"service_tier": "flex", "max_tokens": 30, "n": 2}))
    with pytest.raises(ModelRefused, match="service_tier"):
        await models.complete(call(options={"service_tier": "priority"}))


async def test_a_bound_in_the_configuration_that_is_no_number_is_refused():
    models, _ = priced(options={"max_tokens": "20"})
    with pytest.raises(ModelRefused, match="max_tokens"):
        await models.complete(call())


def test_a_long_format_among_the_options_is_a_part_of_the_prompt():
    models, _ = priced(options={"temperature": 0})
    schema = {"type": "json_schema", "json_schema": {"name": "x" * 5_000}}
    assert models.added(call()) < 50
    assert models.added(call(options={"response_format": schema})) > 5_000
