"""Claude in its own messages, over real HTTP."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from anthropic import AsyncAnthropic
from anthropic.types import message_create_params
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.teams import RoundRobinGroupChat
from pydantic import TypeAdapter

import proctor
from conftest import make_settings
from proctor import App, TeamContext
from proctor.core import (
    DeploymentSettings,
    MissingSetting,
    ModelCall,
    ModelNonsense,
    ModelOverloaded,
    ModelRefused,
    ModelResult,
    ModelUnreachable,
    Usage,
)
from proctor.models import Models
from proctor.testing import FakeScope
from servers.anthropic_endpoint import (
    USAGE,
    events,
    fails,
    message,
    says,
    serving,
    streams,
    text,
    thinking,
    tool_use,
)
from servers.openai_endpoint import breaks_off, raw

KEY = "sk-ant-secret-123"
PARAMETERS = {"type": "object", "properties": {"order": {"type": "integer"}}}
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "description": "Looks up.", "parameters": PARAMETERS},
}
HI = {"role": "user", "content": "Hi"}
BUDGET = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
ADAPTIVE = {"thinking": {"type": "adaptive"}}
SHAPE = TypeAdapter(message_create_params.MessageCreateParamsNonStreaming)
MARK = {"type": "ephemeral"}


def call(*messages, scope=None, **parts) -> ModelCall:
    return ModelCall(scope=scope or FakeScope(), model="claude", messages=messages or (HI,), **parts)


@asynccontextmanager
async def connected(endpoint, *, environ=None, **settings):
    defaults = {
        "provider": "anthropic",
        "model": "claude-test-1",
        "base_url": endpoint.url,
        "api_key": KEY,
        "price": {"input": "5", "output": "25"},
    }
    models = Models({"claude": DeploymentSettings.model_validate(defaults | settings)}, environ=environ or {})
    try:
        async with asyncio.timeout(20):
            yield models
    finally:
        await models.close()


async def ask(endpoint, wanted: ModelCall, **settings) -> ModelResult:
    async with connected(endpoint, **settings) as models:
        return await models.complete(wanted)


async def sent(wanted: ModelCall, **settings) -> dict:
    """The body of the request that asks for an answer. It has the shape that the SDK describes."""
    with serving() as endpoint:
        await ask(endpoint, wanted, **settings)
    [body] = endpoint.bodies
    SHAPE.validate_python(body)
    return body


async def turns(*messages, **parts) -> list[dict]:
    return (await sent(call(*messages, **parts), prompt_cache=False))["messages"]


def ignore(_: object) -> None:
    return


async def test_an_answer_comes_back_with_all_its_counts():
    with serving() as endpoint:
        result = await ask(endpoint, call())
    assert result == ModelResult(
        message={"role": "assistant", "content": "Hello there."},
        finish_reason="stop",
        usage=Usage(input=142, output=9, cached_input=100, cache_write=30, reasoning=4),
        deployment="claude",
        model="claude-test-1-2026",
    )


async def test_the_request_says_in_claudes_words_what_the_call_asks():
    wanted = call(
        {"role": "system", "content": "Be brief."},
        {"role": "system", "content": "Be kind."},
        HI,
        tools=(TOOL,),
        tool_choice="auto",
        options={"max_tokens": 300, "stop": "END", "temperature": 0, "seed": 1, "model": "ignored"},
    )
    body = await sent(wanted, options={"output_config": {"effort": "low"}, "max_tokens": 500})
    assert body == {
        "model": "claude-test-1",
        "max_tokens": 300,
        "system": [{"type": "text", "text": "Be brief.\n\nBe kind.", "cache_control": MARK}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": MARK}]},
        ],
        "tools": [{"name": "look_up", "description": "Looks up.", "input_schema": PARAMETERS}],
        "tool_choice": {"type": "auto"},
        "stop_sequences": ["END"],
        "output_config": {"effort": "low"},
    }


async def test_without_a_system_message_the_tools_are_what_claude_remembers():
    body = await sent(call(tools=(TOOL,)))
    assert body["tools"][0]["cache_control"] == MARK


async def test_a_deployment_without_prompt_cache_writes_nothing_into_it():
    body = await sent(call({"role": "system", "content": "Be brief."}, HI), prompt_cache=False)
    assert "cache_control" not in json.dumps(body)


async def test_an_answer_is_bounded_by_the_deployment_where_the_call_does_not_bound_it():
    assert (await sent(call()))["max_tokens"] == 4096
    assert (await sent(call(), max_output=700, price="free"))["max_tokens"] == 700
    assert (await sent(call(options={"max_completion_tokens": 20})))["max_tokens"] == 20


@pytest.mark.parametrize(
    ("choice", "options", "wanted"),
    [
        (None, {}, {"type": "auto"}),
        ("required", {}, {"type": "any"}),
        ("none", {"parallel_tool_calls": False}, {"type": "none"}),
        ({"type": "function", "function": {"name": "look_up"}}, {}, {"type": "tool", "name": "look_up"}),
        (None, {"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
    ],
)
async def test_a_tool_choice_is_one_of_claudes(choice, options, wanted):
    body = await sent(call(tools=(TOOL,), tool_choice=choice, options=options))
    assert body["tool_choice"] == wanted


async def test_a_conversation_becomes_turns_of_both_sides():
    asked = {"id": "call:1", "function": {"name": "look_up", "arguments": '{"order": 7}'}}
    broken = {"id": "call:2", "function": {"name": "look_up", "arguments": "[not json"}}
    spoken = await turns(
        HI,
        {"role": "user", "name": "analyst", "content": "It is order 7."},
        {"role": "assistant", "content": "I look.", "tool_calls": [asked, broken]},
        {"role": "tool", "tool_call_id": "call:1", "content": "sent"},
        {"role": "tool", "tool_call_id": "call:2", "content": " "},
        {"role": "system", "content": "Finish now."},
        {"role": "user", "name": "user", "content": "  "},
        {"role": "assistant", "content": "It was sent."},
        tools=(TOOL,),
    )
    assert spoken == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Hi"},
                {"type": "text", "text": '<message from="analyst">\nIt is order 7.\n</message>'},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "call_1", "name": "look_up", "input": {"order": 7}},
                {
                    "type": "tool_use",
                    "id": "call_2",
                    "name": "look_up",
                    "input": {"arguments": "[not json"},
                },
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "sent"},
                {"type": "tool_result", "tool_use_id": "call_2"},
                {"type": "text", "text": "<system>\nFinish now.\n</system>"},
            ],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "It was sent."}]},
        {"role": "user", "content": [{"type": "text", "text": "Go on."}]},
    ]


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "You begin."}],
        [{"role": "assistant", "content": "I begin."}],
        [{"role": "user", "content": ""}],
        [{"role": "assistant", "content": "One."}, {"role": "assistant", "content": "Two."}],
    ],
)
async def test_a_conversation_that_claude_would_refuse_is_made_one_that_it_takes(messages):
    assert (await turns(*messages))[-1]["role"] == "user"


async def test_a_tool_result_stands_first_in_its_turn():
    asked = {"id": "c1", "function": {"name": "look_up", "arguments": ""}}
    spoken = await turns(
        HI,
        {"role": "assistant", "content": None, "tool_calls": [asked]},
        {"role": "system", "content": "Hurry."},
        {"role": "tool", "tool_call_id": "c1", "content": "sent"},
    )
    assert [block["type"] for block in spoken[2]["content"]] == ["tool_result", "text"]


async def test_a_call_without_tools_after_tool_calls_names_those_that_were_called():
    asked = {"id": "c1", "function": {"name": "look_up", "arguments": "{}"}}
    body = await sent(
        call(
            HI,
            {"role": "assistant", "content": None, "tool_calls": [asked]},
            {"role": "tool", "tool_call_id": "c1", "content": "sent"},
        )
    )
    assert [tool["name"] for tool in body["tools"]] == ["look_up"]
    assert body["tool_choice"] == {"type": "none"}


async def test_images_are_sent_as_claude_takes_them():
    content = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}},
        {"type": "image_url", "image_url": {"url": "https://example.org/cat.jpg"}},
    ]
    body = await sent(call({"role": "user", "content": content}), vision=True, prompt_cache=False)
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/cat.jpg"}},
    ]


async def test_a_part_that_claude_does_not_take_is_refused_before_a_request_leaves():
    sound = {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}
    with serving() as endpoint, pytest.raises(ModelRefused):
        await ask(endpoint, call(sound))
    assert endpoint.bodies == []


async def test_a_schema_becomes_claudes_own_structured_output():
    schema = {
        "type": "object",
        "properties": {"count": {"type": "integer", "minimum": 1}},
        "required": ["count"],
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "Count", "schema": schema}}
    body = await sent(call(response_format=wanted), options={"output_config": {"effort": "low"}})
    shape = body["output_config"]["format"]
    assert body["output_config"]["effort"] == "low"
    assert (shape["type"], shape["schema"]["additionalProperties"]) == ("json_schema", False)
    assert "minimum" not in shape["schema"]["properties"]["count"]
    assert schema["properties"]["count"] == {"type": "integer", "minimum": 1}


async def test_a_schema_that_claude_cannot_be_held_to_is_refused_with_a_hint():
    schema = {"type": "object", "properties": {"anything": {}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "Any", "schema": schema}}
    with serving() as endpoint, pytest.raises(ModelRefused) as caught:
        await ask(endpoint, call(response_format=wanted))
    assert caught.value.hint
    assert endpoint.bodies == []


async def test_any_json_is_asked_for_in_words():
    body = await sent(call(response_format={"type": "json_object"}))
    assert "JSON" in body["system"][0]["text"]


async def test_a_stream_hands_on_pieces_and_ends_as_the_same_answer():
    pieces: list[str] = []
    with serving() as endpoint:
        whole = await ask(endpoint, call())
        streamed = await ask(endpoint, call(on_text=pieces.append))
    assert streamed == whole
    assert pieces == ["Hel", "lo ", "the", "re."]
    assert endpoint.bodies[1]["stream"] is True


async def test_a_stream_tells_what_was_used_so_far():
    used: list[Usage] = []
    with serving() as endpoint:
        await ask(endpoint, call(on_text=ignore, on_usage=used.append))
    assert used == [
        Usage(input=142, output=1, cached_input=100, cache_write=30),
        Usage(input=142, output=9, cached_input=100, cache_write=30, reasoning=4),
    ]


@pytest.mark.parametrize("streamed", [False, True])
async def test_tool_calls_come_back_whole(streamed):
    answer = message(
        text("I look."), tool_use(order=7, note="ä"), tool_use("cancel", "toolu_2"), stop_reason="tool_use"
    )
    with serving(says(answer)) as endpoint:
        result = await ask(endpoint, call(tools=(TOOL,), on_text=ignore if streamed else None))
    assert (result.finish_reason, result.message["content"]) == ("tool_calls", "I look.")
    assert [(wire["id"], wire["type"], wire["function"]) for wire in result.message["tool_calls"]] == [
        ("toolu_1", "function", {"name": "look_up", "arguments": '{"order": 7, "note": "ä"}'}),
        ("toolu_2", "function", {"name": "cancel", "arguments": "{}"}),
    ]


THOUGHTS = [thinking("I should look it up."), {"type": "redacted_thinking", "data": "opaque"}]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("options", [BUDGET, ADAPTIVE], ids=["budget", "adaptive"])
async def test_thoughts_go_back_as_they_came_while_the_tools_answer(options, streamed):
    first = message(
        *THOUGHTS, text("Let me see."), tool_use(order=7), tool_use(id="toolu_2"), stop_reason="tool_use"
    )
    on_text = ignore if streamed else None
    with serving(says(first), says(message(thinking("Done."), text("It was sent.")))) as endpoint:
        async with connected(endpoint, options=options, prompt_cache=False) as models:
            asked = await models.complete(call(tools=(TOOL,), on_text=on_text))
            following = in_the_loop(asked)
            answered = await models.complete(following)
            added = models.added(following)
    assert asked.message["reasoning_content"] == "I should look it up."
    assert endpoint.bodies[1]["messages"][1] == {
        "role": "assistant",
        "content": [
            *THOUGHTS,
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {"order": 7}},
            {"type": "tool_use", "id": "toolu_2", "name": "look_up", "input": {}},
        ],
    }
    assert endpoint.bodies[1]["thinking"] == options["thinking"]
    assert answered.message["content"] == "It was sent."
    assert added > USAGE["output_tokens"]


def in_the_loop(asked: ModelResult) -> ModelCall:
    """The call after the tools have answered, as teams make it: they drop what they don't know."""
    kept = {name: asked.message[name] for name in ("role", "content", "tool_calls")}
    calls = asked.message["tool_calls"]
    results = [{"role": "tool", "tool_call_id": wire["id"], "content": "sent"} for wire in calls]
    return call(HI, kept, *results, tools=(TOOL,))


@pytest.mark.parametrize(
    ("options", "thinks"), [(BUDGET, False), (ADAPTIVE, True)], ids=["budget", "adaptive"]
)
async def test_after_a_restart_the_loop_goes_on_without_its_thoughts(options, thinks):
    first = message(*THOUGHTS, tool_use(), stop_reason="tool_use")
    with serving(says(first), says(message())) as endpoint:
        asked = await ask(endpoint, call(tools=(TOOL,)), options=options)
        answered = await ask(endpoint, in_the_loop(asked), options=options)
    assert ("thinking" in endpoint.bodies[1]) is thinks
    assert answered.message["content"] == "Hello there."


async def test_a_new_question_is_thought_about_again():
    answered = {"role": "assistant", "content": "It was sent."}
    body = await sent(call(HI, answered, {"role": "user", "content": "When?"}), options=BUDGET)
    assert body["thinking"] == BUDGET["thinking"]


async def test_a_forced_tool_call_is_made_without_a_thinking_budget():
    body = await sent(call(tools=(TOOL,), tool_choice="required"), options=BUDGET)
    assert "thinking" not in body


async def test_thoughts_of_another_model_are_not_sent():
    first = message(*THOUGHTS, tool_use(), stop_reason="tool_use")
    with serving(says(first), says(message())) as endpoint:
        common = {"provider": "anthropic", "base_url": endpoint.url, "api_key": KEY, "price": "free"}
        deployments = {
            name: DeploymentSettings.model_validate(common | {"model": model})
            for name, model in {"claude": "claude-test-1", "other": "claude-test-2"}.items()
        }
        models = Models(deployments, environ={})
        asked = await models.complete(call(tools=(TOOL,)))
        following = in_the_loop(asked)
        await models.complete(ModelCall(scope=FakeScope(), model="other", messages=following.messages))
        await models.close()
    assert [block["type"] for block in endpoint.bodies[1]["messages"][1]["content"]] == ["tool_use"]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("reason", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "length"),
        ("refusal", "content_filter"),
    ],
)
async def test_each_way_to_end_is_one_of_ours(reason, ours, streamed):
    with serving(says(message(stop_reason=reason))) as endpoint:
        result = await ask(endpoint, call(on_text=ignore if streamed else None))
    assert result.finish_reason == ours


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_refusal_says_why(streamed):
    why = {"type": "refusal", "category": "cyber", "explanation": "Not that."}
    with serving(says(message(stop_reason="refusal", stop_details=why))) as endpoint:
        result = await ask(endpoint, call(on_text=ignore if streamed else None))
    assert result.message["refusal"] == "Not that."


async def test_an_answer_that_was_cut_off_passes_on_no_tool_call():
    answer = message(text("I look."), tool_use(order=7), stop_reason="max_tokens")
    with serving(says(answer)) as endpoint:
        result = await ask(endpoint, call(tools=(TOOL,)))
    assert result.message == {"role": "assistant", "content": "I look."}


NONSENSE = {
    "no_reason": says(message(stop_reason=None)),
    "unknown_reason": says(message(stop_reason="bored")),
    "calls_announced_and_missing": says(message(stop_reason="tool_use")),
    "call_without_id": says(message(tool_use(id=""), stop_reason="tool_use")),
    "half_a_body": raw('{"type": "message", "content": [{"ty'),
    "a_web_page": raw("<html></html>", "text/html"),
    "an_array": raw("[]"),
    "an_error_with_status_200": raw('{"type": "error", "error": {"message": "upstream"}}'),
    "no_content": raw('{"type": "message", "stop_reason": "end_turn"}'),
    "blocks_of_another_kind": raw('{"type": "message", "content": [1], "stop_reason": "end_turn"}'),
    "text_of_another_kind": raw(json.dumps(message({"type": "text", "text": 1}))),
    "impossible_counts": says(message(usage=USAGE | {"input_tokens": -1000})),
}


@pytest.mark.parametrize("fault", NONSENSE)
async def test_an_answer_that_makes_no_sense_is_an_error(fault):
    with serving(NONSENSE[fault]) as endpoint, pytest.raises(ModelNonsense) as caught:
        await ask(endpoint, call())
    assert caught.value.produced


ALL = list(events(message()))
STRANGE = {
    "no_end": ALL[:4],
    "nothing": [],
    "a_piece_of_nothing": [ALL[0], {"type": "content_block_delta", "index": 3, "delta": {}}],
    "a_start_of_another_kind": [{"type": "message_start", "message": 1}],
}


@pytest.mark.parametrize("case", STRANGE)
async def test_a_stream_without_a_proper_end_is_an_error(case):
    with serving(streams(STRANGE[case])) as endpoint, pytest.raises(ModelNonsense) as caught:
        await ask(endpoint, call(on_text=ignore))
    assert caught.value.produced


async def test_events_that_are_not_known_are_passed_over():
    unknown = {"type": "message_hurry", "index": 0}
    with serving(streams([unknown, *ALL])) as endpoint:
        result = await ask(endpoint, call(on_text=ignore))
    assert result.message["content"] == "Hello there."


async def test_a_stream_that_breaks_off_may_be_billed():
    with serving(breaks_off(*ALL[:4])) as endpoint, pytest.raises(ModelUnreachable) as caught:
        await ask(endpoint, call(on_text=ignore))
    assert caught.value.produced


async def test_an_error_inside_a_stream_comes_with_what_was_used():
    used: list[Usage] = []
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    with serving(streams([*ALL[:4], error])) as endpoint, pytest.raises(ModelOverloaded) as caught:
        await ask(endpoint, call(on_text=ignore, on_usage=used.append))
    assert caught.value.message.endswith(": Overloaded")
    assert caught.value.produced
    assert used[-1].input == 142


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("status", "headers", "error", "retry_after"),
    [
        (429, {"retry_after": "7"}, ModelOverloaded, 7.0),
        (529, {}, ModelOverloaded, None),
        (500, {}, ModelOverloaded, None),
        (400, {}, ModelRefused, None),
        (401, {}, ModelRefused, None),
        (402, {}, ModelRefused, None),
        (413, {}, ModelRefused, None),
    ],
)
async def test_an_http_error_becomes_one_of_ours(status, headers, error, retry_after, streamed):
    with serving(fails(status, **headers)) as endpoint, pytest.raises(error) as caught:
        await ask(endpoint, call(on_text=ignore if streamed else None))
    assert type(caught.value) is error
    assert caught.value.retry_after == retry_after
    assert not caught.value.produced
    assert len(endpoint.bodies) == 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_key_is_sent_as_gateways_of_either_age_read_it(streamed):
    with serving() as endpoint:
        await ask(endpoint, call(on_text=ignore if streamed else None))
    [headers] = endpoint.headers
    assert (headers["authorization"], headers["x-api-key"]) == (f"Bearer {KEY}", KEY)
    assert headers["anthropic-version"] == "2026-10-21"


@pytest.mark.parametrize("streamed", [False, True])
async def test_nothing_of_the_environment_is_sent_to_another_address(monkeypatch, streamed):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-for-claude-alone")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-for-claude-alone")
    monkeypatch.setenv("ANTHROPIC_PROFILE", "work")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Leak: 1\nanthropic-version: 2023-06-01")
    environ = {"ANTHROPIC_API_KEY": "sk-ant-for-claude-alone"}
    with serving() as endpoint:
        await ask(endpoint, call(on_text=ignore if streamed else None), api_key=None, environ=environ)
    assert not {"authorization", "x-api-key", "x-leak"} & set(endpoint.headers[0])
    assert endpoint.headers[0]["anthropic-version"] == "2026-10-21"


async def test_claudes_own_address_takes_the_usual_variable():
    deployments = {"claude": DeploymentSettings(provider="anthropic", model="claude-test-1")}
    with pytest.raises(MissingSetting, match="ANTHROPIC_API_KEY"):
        Models(deployments, environ={"OPENAI_API_KEY": "sk-1"}).check()
    Models(deployments, environ={"ANTHROPIC_API_KEY": KEY}).check()


@pytest.mark.parametrize("reflects", [False, True])
async def test_a_team_works_with_claude(tmp_path, reflects):
    app = App()

    @app.tool(effect="read_only")
    def look_up(order: int) -> str:
        """Looks an order up."""
        return f"Order {order} was sent."

    @app.team("desk", tools=["look_up"])
    def desk(ctx: TeamContext) -> RoundRobinGroupChat:
        clerk = AssistantAgent(
            "clerk",
            ctx.model("claude"),
            workbench=ctx.tools("look_up"),
            reflect_on_tool_use=reflects,
            model_client_stream=True,
        )
        return RoundRobinGroupChat([clerk], max_turns=2)

    asks = message(thinking("Which one?"), tool_use(order=7), stop_reason="tool_use")
    with serving(says(asks), says(message())) as endpoint:
        claude = {
            "provider": "anthropic",
            "model": "claude-test-1",
            "base_url": endpoint.url,
            "price": {"input": "5", "output": "25"},
            "options": BUDGET,
        }
        settings = make_settings(f"sqlite:///{tmp_path}/proctor.db", models={"claude": claude})
        async with asyncio.timeout(60), proctor.open(app, settings=settings) as running:
            run = await running.run("desk", "Where is order 7?")
    assert (run.state, run.error) == ("completed", None)
    turns = endpoint.bodies[1]["messages"]
    assert [block["type"] for block in turns[1]["content"]] == ["thinking", "tool_use"]
    assert turns[2]["content"][0]["content"] == "Order 7 was sent."
    assert "thinking" in endpoint.bodies[1]


async def test_the_endpoint_of_these_tests_speaks_as_claudes_sdk_expects():
    answer = message(*THOUGHTS, text("I look."), tool_use(order=7), stop_reason="tool_use")
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [text("Hi")]}]}
    with serving(says(answer)) as endpoint:
        async with AsyncAnthropic(
            api_key=KEY, base_url=endpoint.url, max_retries=0, _strict_response_validation=True
        ) as sdk:
            whole = await sdk.messages.create(**asked)
            async with sdk.messages.stream(**asked) as stream:
                streamed = await stream.get_final_message()
    dumped = [block.model_dump(exclude={"parsed_output"}) for block in streamed.content]
    assert [block.model_dump() for block in whole.content] == dumped
    assert [block.type for block in whole.content] == ["thinking", "redacted_thinking", "text", "tool_use"]
    assert whole.usage == streamed.usage
