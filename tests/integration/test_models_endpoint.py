import asyncio
from contextlib import asynccontextmanager
from random import Random

import pytest
from starlette.responses import Response

from proctor.core import (
    DeploymentSettings,
    MissingSetting,
    ModelCall,
    ModelError,
    ModelNonsense,
    ModelOverloaded,
    ModelRefused,
    ModelResult,
    ModelUnreachable,
    Usage,
)
from proctor.models import Deployment, Models, retry
from proctor.models._openai import chat_body
from proctor.testing import FakeClock, FakeScope
from servers.openai_endpoint import (
    USAGE,
    breaks_off,
    chunks,
    completion,
    fails,
    raw,
    says,
    serving,
    streams,
    tool_call,
)

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
KEY = "sk-secret-123"


def call(*, scope=None, **parts) -> ModelCall:
    messages = ({"role": "user", "content": "Hi"},)
    return ModelCall(scope=scope or FakeScope(), model="small", **({"messages": messages} | parts))


@asynccontextmanager
async def connected(endpoint, *, environ=None, **settings):
    defaults = {"model": "fake-1", "base_url": endpoint.url, "api_key": KEY, "price": "free"}
    deployment = DeploymentSettings.model_validate(defaults | settings)
    models = Models({"small": deployment}, environ=environ or {})
    try:
        async with asyncio.timeout(20):
            yield models
    finally:
        await models.close()


async def ask(endpoint, wanted: ModelCall, *, environ=None, **settings) -> ModelResult:
    async with connected(endpoint, environ=environ, **settings) as models:
        return await models.complete(wanted)


async def test_an_answer_comes_back_with_all_its_counts():
    with serving() as endpoint:
        result = await ask(endpoint, call())
    assert result == ModelResult(
        message={"role": "assistant", "content": "Hello there."},
        finish_reason="stop",
        usage=Usage(input=20, output=5, cached_input=8, reasoning=2),
        deployment="small",
        model="fake-1-2026",
    )


async def test_the_request_carries_what_the_call_asks_and_nothing_else():
    wanted = call(
        tools=(TOOL,),
        tool_choice="auto",
        response_format={"type": "json_object"},
        options={"temperature": 0, "model": "ignored"},
    )
    with serving() as endpoint:
        await ask(endpoint, wanted)
    assert endpoint.bodies == [
        {
            "model": "fake-1",
            "messages": [{"role": "user", "content": "Hi"}],
            "tools": [TOOL],
            "tool_choice": "auto",
            "response_format": {"type": "json_object"},
            "temperature": 0,
        }
    ]
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"


async def test_a_stream_hands_on_pieces_and_ends_as_the_same_answer():
    pieces: list[str] = []
    with serving() as endpoint:
        whole = await ask(endpoint, call())
        streamed = await ask(endpoint, call(on_text=pieces.append))
    assert streamed == whole
    assert pieces == ["He", "ll", "o ", "th", "er", "e."]
    assert endpoint.bodies[1]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("streamed", [False, True])
async def test_tool_calls_come_back_whole(streamed):
    wire = [tool_call("look_up", '{"order": 7}'), tool_call("cancel", "", id="call_2")]
    with serving(says(completion(None, tool_calls=wire, finish_reason="tool_calls"))) as endpoint:
        result = await ask(endpoint, call(on_text=_ignore if streamed else None))
    assert result.finish_reason == "tool_calls"
    assert result.message == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "look_up", "arguments": '{"order": 7}'},
            },
            {"id": "call_2", "type": "function", "function": {"name": "cancel", "arguments": "{}"}},
        ],
    }


async def test_streamed_calls_that_share_one_index_stay_two_calls():
    def chunk(id):
        delta = {"tool_calls": [{"index": 0, "id": id, "function": {"name": "look_up", "arguments": "{}"}}]}
        return {"choices": [{"index": 0, "delta": delta}]}

    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": USAGE}
    with serving(streams([chunk("a"), chunk("b"), end])) as endpoint:
        result = await ask(endpoint, call(on_text=_ignore))
    assert [wire["id"] for wire in result.message["tool_calls"]] == ["a", "b"]
    assert result.finish_reason == "tool_calls"


async def test_an_answer_that_was_cut_off_passes_on_no_tool_call():
    answer = completion("I will", tool_calls=[tool_call(arguments='{"ord')], finish_reason="length")
    with serving(says(answer)) as endpoint:
        result = await ask(endpoint, call())
    assert result.finish_reason == "length"
    assert result.message == {"role": "assistant", "content": "I will"}


NONSENSE = {
    "no_finish_reason": says(completion(finish_reason=None)),
    "unknown_finish_reason": says(completion(finish_reason="unknown")),
    "calls_announced_and_missing": says(completion(finish_reason="tool_calls")),
    "call_without_id": says(completion(None, tool_calls=[tool_call(id=None)], finish_reason="tool_calls")),
    "call_without_name": says(completion(None, tool_calls=[tool_call("")], finish_reason="tool_calls")),
    "no_choices": raw('{"choices": [], "usage": null}'),
    "an_error_with_status_200": raw('{"error": {"message": "upstream"}}'),
    "half_a_body": raw('{"choices": [{"mess'),
    "a_web_page": raw("<html></html>", "text/html"),
    "an_array": raw("[]"),
    "choices_of_another_kind": raw('{"choices": 1}'),
    "content_of_another_kind": raw('{"choices": [{"message": {"content": 1}, "finish_reason": "stop"}]}'),
    "call_of_another_kind": raw('{"choices": [{"message": {"tool_calls": [1]}, "finish_reason": "stop"}]}'),
}


@pytest.mark.parametrize("fault", NONSENSE)
async def test_an_answer_that_makes_no_sense_is_an_error(fault):
    with serving(NONSENSE[fault]) as endpoint, pytest.raises(ModelNonsense):
        await ask(endpoint, call())


@pytest.mark.parametrize("ending", [b"", b"data: [DONE]\n\n", b"data: {not json\n\n"])
async def test_a_stream_without_a_proper_end_is_an_error(ending):
    half = list(chunks(completion()))[:3]
    with serving(streams(half, end=ending)) as endpoint, pytest.raises(ModelNonsense):
        await ask(endpoint, call(on_text=_ignore))


async def test_a_stream_that_breaks_off_is_an_error():
    half = list(chunks(completion()))[:3]
    with serving(breaks_off(*half)) as endpoint, pytest.raises(ModelUnreachable):
        await ask(endpoint, call(on_text=_ignore))


async def test_an_error_inside_a_stream_is_an_error():
    events = [*list(chunks(completion()))[:3], {"error": {"message": "server overloaded"}}]
    with serving(streams(events)) as endpoint, pytest.raises(ModelOverloaded, match="server overloaded"):
        await ask(endpoint, call(on_text=_ignore))


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("status", "headers", "error", "retry_after"),
    [
        (429, {"retry_after": "7"}, ModelOverloaded, 7.0),
        (429, {}, ModelOverloaded, None),
        (503, {"retry_after": "soon"}, ModelOverloaded, None),
        (500, {}, ModelOverloaded, None),
        (529, {}, ModelOverloaded, None),
        (400, {}, ModelRefused, None),
        (401, {}, ModelRefused, None),
    ],
)
async def test_an_http_error_becomes_one_of_ours(status, headers, error, retry_after, streamed):
    with serving(fails(status, **headers)) as endpoint, pytest.raises(error) as caught:
        await ask(endpoint, call(on_text=_ignore if streamed else None))
    assert type(caught.value) is error
    assert caught.value.retry_after == retry_after


async def test_a_date_to_retry_after_counts_from_the_answers_own_clock():
    later = fails(503, date="Mon, 05 Jan 2026 10:00:00 GMT", retry_after="Mon, 05 Jan 2026 10:00:20 GMT")
    with serving(later) as endpoint, pytest.raises(ModelOverloaded) as caught:
        await ask(endpoint, call())
    assert caught.value.retry_after == 20


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_spent_quota_is_not_tried_again(streamed):
    with serving(fails(429, code="insufficient_quota")) as endpoint, pytest.raises(ModelRefused):
        await ask(endpoint, call(on_text=_ignore if streamed else None))


async def test_a_refusal_that_is_no_json_is_passed_on_as_it_stands():
    refusal = Response("Bad gateway\n", 502)
    with serving(lambda _: refusal) as endpoint, pytest.raises(ModelOverloaded) as caught:
        await ask(endpoint, call())
    assert caught.value.message.endswith("answered 502: Bad gateway")


async def test_what_costs_money_is_always_bounded():
    priced = {"price": {"input": "1", "output": "1"}, "max_output": 700}
    with serving() as endpoint:
        await ask(endpoint, call(), **priced)
        await ask(endpoint, call(options={"max_completion_tokens": 20}), **priced)
        await ask(endpoint, call(), **priced, options={"max_tokens": 30})
        await ask(endpoint, call())
    bounds = ("max_tokens", "max_completion_tokens")
    assert [[body.get(name) for name in bounds] for body in endpoint.bodies] == [
        [700, None],
        [None, 20],
        [30, None],
        [None, None],
    ]


def test_openais_own_models_are_bounded_as_they_demand():
    deployment = Deployment(name="small", settings=DeploymentSettings(model="gpt-5.4", max_output=700))
    for options, bound in (({}, 700), ({"max_tokens": 20}, 20), ({"max_completion_tokens": 30}, 30)):
        body = chat_body(call(options=options), deployment)
        assert ("max_tokens" in body, body["max_completion_tokens"]) == (False, bound)


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_tells_what_was_used(streamed):
    used: list[Usage] = []
    details = {"cached_tokens": 8, "cache_write_tokens": 7}
    answer = completion(usage=USAGE | {"prompt_tokens_details": details})
    with serving(says(answer)) as endpoint:
        await ask(endpoint, call(on_text=_ignore if streamed else None, on_usage=used.append))
    assert used == [Usage(input=20, output=5, cached_input=8, reasoning=2, cache_write=7)]


@pytest.mark.parametrize("fault", ["breaks_off", "half", "error"])
async def test_an_answer_that_began_may_be_billed(fault):
    half = list(chunks(completion()))[:3]
    replies = {
        "breaks_off": breaks_off(*half),
        "half": streams(half),
        "error": streams([*half, {"error": {"message": "no"}}]),
    }
    with serving(replies[fault]) as endpoint, pytest.raises(ModelError) as caught:
        await ask(endpoint, call(on_text=_ignore))
    assert caught.value.produced


async def test_a_refusal_is_not_billed():
    with serving(fails(503)) as endpoint, pytest.raises(ModelOverloaded) as caught:
        await ask(endpoint, call())
    assert not caught.value.produced


async def test_a_cancelled_call_harms_no_other():
    with serving() as endpoint:
        endpoint.replies = [endpoint.hangs(), says(completion())]
        async with connected(endpoint) as models:
            first = asyncio.create_task(models.complete(call()))
            assert await asyncio.to_thread(endpoint.began.wait, 10)
            second = asyncio.create_task(models.complete(call()))
            first.cancel()
            result = await second
    assert result.finish_reason == "stop"


async def test_a_passing_failure_is_sent_again_once_the_provider_allows_it():
    clock, scope = FakeClock(), FakeScope()
    with serving(fails(429, retry_after="12"), fails(500), says(completion())) as endpoint:
        async with connected(endpoint) as models:
            deployments = {"small": DeploymentSettings(model="fake-1")}
            again = retry(deployments, clock=clock, rng=Random(1), on_retry=lambda *_: None)
            result = await again(call(scope=scope), models.complete)
    assert result.attempts == 3
    assert len(endpoint.bodies) == 3
    assert clock.slept[0] == 12
    assert 0 <= clock.slept[1] <= 1
    waits = [round(seconds, 3) for seconds in clock.slept]
    data = {"deployment": "small", "error": "model_overloaded"}
    assert scope.events == [
        ("model.retried", data | {"attempt": 1, "wait_s": waits[0]}),
        ("model.retried", data | {"attempt": 2, "wait_s": waits[1]}),
    ]


async def test_nothing_is_sent_again_once_a_piece_has_been_heard():
    pieces: list[str] = []
    with serving(streams(list(chunks(completion()))[:3], end=b"")) as endpoint:
        async with connected(endpoint) as models:
            deployments = {"small": DeploymentSettings(model="fake-1")}
            again = retry(deployments, clock=FakeClock(), rng=Random(1), on_retry=lambda *_: None)
            with pytest.raises(ModelNonsense):
                await again(call(on_text=pieces.append), models.complete)
    assert pieces == ["He", "ll"]
    assert len(endpoint.bodies) == 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_endpoint_without_a_key_gets_none(streamed):
    with serving() as endpoint:
        await ask(
            endpoint,
            call(on_text=_ignore if streamed else None),
            api_key=None,
            environ={"OPENAI_API_KEY": "sk-for-openai-alone"},
        )
    assert "authorization" not in endpoint.headers[0]


@pytest.mark.parametrize("streamed", [False, True])
async def test_nothing_of_the_environment_is_sent_along(monkeypatch, streamed):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    with serving() as endpoint:
        await ask(endpoint, call(on_text=_ignore if streamed else None))
    assert not {"openai-organization", "openai-project"} & set(endpoint.headers[0])


async def test_a_missing_key_is_reported_before_anything_is_sent():
    with serving() as endpoint, pytest.raises(MissingSetting, match="SHOP_KEY"):
        await ask(endpoint, call(), api_key=None, api_key_env="SHOP_KEY")
    assert endpoint.bodies == []


@pytest.mark.parametrize("count", [-1, 10**30])
async def test_an_impossible_count_of_tokens_is_nonsense(count):
    body = completion("Hello.") | {"usage": {"prompt_tokens": count, "completion_tokens": 1}}
    with serving(says(body)) as endpoint, pytest.raises(ModelNonsense):
        await ask(endpoint, call())


async def test_tools_by_schema_come_back_as_ordinary_tool_calls():
    pieces: list[str] = []
    calling = completion('{"name": "look_up", "arguments": {"order": 7}}')
    replying = completion('{"name": "reply", "arguments": {"text": "On its way."}}')
    with serving(says(calling), says(replying)) as endpoint:
        called = await ask(endpoint, call(tools=(TOOL,)), tools="schema")
        replied = await ask(endpoint, call(tools=(TOOL,), on_text=pieces.append), tools="schema")
    assert "tools" not in endpoint.bodies[0]
    [wire] = called.message["tool_calls"]
    assert wire["function"] == {"name": "look_up", "arguments": '{"order": 7}'}
    assert replied.message["content"] == "On its way."
    assert pieces == ["On its way."]


def _ignore(_text: str) -> None:
    return
