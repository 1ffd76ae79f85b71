"""Tool calls by schema, as pure functions over the chat-completions wire."""

import json

import pytest

from proctor.core import ModelNonsense
from proctor.models.local import constrain, interpret

LOOK_UP = {
    "type": "function",
    "function": {
        "name": "get_order",
        "description": "Looks an order\n   up.",
        "parameters": {
            "type": "object",
            "properties": {
                "order_id": {"type": "string", "description": "The number"},
                "full": {"type": "boolean"},
            },
            "required": ["order_id"],
        },
    },
}
LIST = {"type": "function", "function": {"name": "list_types", "description": "Lists types."}}
ASKED = {
    "model": "m",
    "temperature": 0,
    "messages": [
        {"role": "system", "content": "You sell lamps."},
        {"role": "user", "content": "Where is #W1?"},
    ],
    "tools": [LOOK_UP, LIST],
}


def branches(request: dict) -> dict[str, dict]:
    """The arguments' schema of each thing that the model may do."""
    schema = constrain(request)["response_format"]["json_schema"]["schema"]
    return {
        branch["properties"]["name"]["const"]: branch["properties"]["arguments"] for branch in schema["anyOf"]
    }


def arguments_schema(parameters: object) -> object:
    tool = {"type": "function", "function": {"name": "t", "parameters": parameters}}
    return branches({**ASKED, "tools": [tool]})["t"]


def answered(text: str, finish_reason: str = "stop", **request: object) -> dict:
    response = {
        "usage": {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 7}},
        "choices": [
            {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": text}}
        ],
    }
    return interpret(response, {**ASKED, **request})


def test_each_tool_and_the_reply_are_one_branch() -> None:
    assert branches(ASKED) == {
        "get_order": {
            "type": "object",
            "properties": {"order_id": {"type": "string"}, "full": {"type": "boolean"}},
            "required": ["order_id"],
            "additionalProperties": False,
        },
        "list_types": {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
        "reply": {
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
            "additionalProperties": False,
        },
    }


def test_nothing_of_the_tool_protocol_is_sent() -> None:
    sent = constrain({**ASKED, "tool_choice": "auto", "parallel_tool_calls": True, "stream": True})
    assert {key: value for key, value in sent.items() if key not in ("messages", "response_format")} == {
        "model": "m",
        "temperature": 0,
        "stream": False,
    }


@pytest.mark.parametrize(
    ("choice", "allowed"),
    [
        ("none", ["reply"]),
        ("auto", ["get_order", "list_types", "reply"]),
        ("required", ["get_order", "list_types"]),
        ({"type": "function", "function": {"name": "list_types"}}, ["list_types"]),
    ],
)
def test_the_tool_choice_decides_which_branches_there_are(choice: object, allowed: list[str]) -> None:
    assert list(branches({**ASKED, "tool_choice": choice})) == allowed


def test_the_beginning_of_the_prompt_is_the_same_whatever_was_said_or_may_be_called() -> None:
    later = [*ASKED["messages"], {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Hm."}]
    first = constrain(ASKED)["messages"]
    second = constrain({**ASKED, "messages": later, "tool_choice": "none"})["messages"]
    assert second[: len(first)] == first


def test_a_tool_named_reply_keeps_its_name() -> None:
    tool = {"type": "function", "function": {"name": "reply"}}
    assert list(branches({**ASKED, "tools": [tool]})) == ["reply", "reply_to_user"]


def test_the_system_message_holds_tools_first_and_the_agents_words_last() -> None:
    prompt = constrain(ASKED)["messages"][0]["content"]
    assert prompt.startswith(
        "# Tools\n"
        "- get_order(order_id: string, full?: boolean): Looks an order up.\n"
        "    order_id: The number\n"
    )
    assert prompt.endswith("You sell lamps.")


def test_earlier_calls_and_results_become_turns_that_the_model_could_have_written() -> None:
    call = {"id": "c1", "function": {"name": "get_order", "arguments": '{"order_id": "#W1"}'}}
    broken = {"id": "c2", "function": {"name": "get_order", "arguments": "{not json"}}
    history = [
        {"role": "user", "content": [{"type": "text", "text": "Where is #W1?"}]},
        {"role": "assistant", "content": "I look.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "delivered"},
        {"role": "assistant", "content": "It's there.", "tool_calls": []},
        {"role": "user", "content": "And now?"},
        {"role": "assistant", "tool_calls": [broken]},
        {"role": "tool", "tool_call_id": "c2", "content": "bad arguments"},
        {"role": "assistant", "content": "Sorry."},
    ]
    turns = constrain({**ASKED, "messages": history})["messages"][1:]
    assert turns == [
        {"role": "user", "content": "Where is #W1?"},
        {"role": "assistant", "content": '{"name": "get_order", "arguments": {"order_id": "#W1"}}'},
        {"role": "user", "content": "Result of get_order: delivered"},
        {"role": "assistant", "content": '{"name": "reply", "arguments": {"text": "It\'s there."}}'},
        {"role": "user", "content": "And now?"},
        {"role": "assistant", "content": '{"name": "get_order", "arguments": {}}'},
        {"role": "user", "content": "Result of get_order: bad arguments"},
        {"role": "assistant", "content": '{"name": "reply", "arguments": {"text": "Sorry."}}'},
        {"role": "user", "content": "Go on."},
    ]


def test_a_request_without_tools_keeps_its_own_format() -> None:
    wanted = {
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": {"type": "string", "pattern": "^a$"}},
    }
    request = {"model": "m", "messages": ASKED["messages"], "response_format": wanted}
    assert constrain(request) == {**request, "stream": False}


def test_a_format_beside_tools_shapes_the_reply() -> None:
    wanted = {"type": "json_schema", "json_schema": {"schema": {"type": "integer", "minimum": 3}}}
    text = branches({**ASKED, "response_format": wanted})["reply"]["properties"]["text"]
    assert text == {"type": "integer"}
    answer = answered('{"name": "reply", "arguments": {"text": 4}}', response_format=wanted)
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "4"}


def test_references_are_inlined_and_recursion_ends() -> None:
    node = {
        "type": "object",
        "properties": {"child": {"$ref": "#/$defs/Node"}},
        "required": ["child", "gone"],
    }
    schema = arguments_schema({"$ref": "#/$defs/Node", "$defs": {"Node": node}})
    assert "$ref" not in json.dumps(schema)
    assert schema["required"] == ["child"]


def test_a_reference_to_itself_becomes_any_value() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}},
        "$defs": {"A": {"$ref": "#/$defs/A"}},
    }
    assert "string" in arguments_schema(schema)["properties"]["a"]["type"]


@pytest.mark.parametrize(
    ("ugly", "simple"),
    [
        ({"type": "string", "format": "date", "pattern": "(?=x)", "minLength": 2}, {"type": "string"}),
        ({"type": "integer", "exclusiveMinimum": 0, "multipleOf": 5}, {"type": "integer"}),
        ({"type": ["string", "null"], "default": None}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"oneOf": [{"const": 1}, {"enum": ["a"]}]}, {"anyOf": [{"const": 1}, {"enum": ["a"]}]}),
        ({"type": "array", "items": {"type": "number"}, "maxItems": 9999, "minItems": 1, "uniqueItems": True},
         {"type": "array", "items": {"type": "number"}, "minItems": 1}),
        ({"type": "object", "additionalProperties": {"type": "integer"}},
         {"type": "object", "additionalProperties": {"type": "integer"}}),
        ({"allOf": [{"type": "string"}, {"maxLength": 3}]}, {"type": "string"}),
        ({"allOf": [{"properties": {"a": {"type": "null"}}, "required": ["a"]}, {"type": "object"}]},
         {"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"],
          "additionalProperties": False}),
    ],
)  # fmt: skip
def test_what_no_grammar_holds_is_dropped(ugly: object, simple: object) -> None:
    schema = arguments_schema({"type": "object", "properties": {"value": ugly}})
    assert schema["properties"]["value"] == simple


@pytest.mark.parametrize(
    "odd", [True, None, {}, {"not": {}}, {"type": "strange"}, {"$ref": "https://elsewhere"}]
)
def test_what_is_not_understood_becomes_any_value(odd: object) -> None:
    schema = arguments_schema({"type": "object", "properties": {"value": odd}})
    assert "object" in schema["properties"]["value"]["type"]


def test_a_call_comes_back_as_a_tool_call_with_usage_kept() -> None:
    answer = answered('{"name": "get_order", "arguments": {"order_id": "#W1"}}')
    choice = answer["choices"][0]
    call = choice["message"]["tool_calls"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert call["function"] == {"name": "get_order", "arguments": '{"order_id": "#W1"}'}
    assert call["id"].startswith("call_")
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 7


def test_the_same_call_has_the_same_id_when_replayed_and_another_later_in_the_conversation() -> None:
    text = '{"name": "list_types", "arguments": {}}'

    def call_id(**request: object) -> str:
        return answered(text, **request)["choices"][0]["message"]["tool_calls"][0]["id"]

    assert call_id() == call_id()
    assert call_id() != call_id(messages=[*ASKED["messages"], {"role": "user", "content": "Again."}])


def test_a_reply_comes_back_as_plain_content() -> None:
    choice = answered('{"name": "reply", "arguments": {"text": "你好"}}')["choices"][0]
    assert (choice["finish_reason"], choice["message"]) == ("stop", {"role": "assistant", "content": "你好"})


@pytest.mark.parametrize(
    ("cut", "kept"),
    [
        ('{"name": "get_order", "arguments": {"order_id": "#W', ""),
        ('{"name": "get_order", "arguments": {"order_id": "#W1"}}', ""),
        ('{"name": "reply", "arguments": {"text": "It was deliv', "It was deliv"),
        ('{"na', ""),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_an_answer_that_was_cut_off_is_never_half_a_call(cut: str, kept: str) -> None:
    choice = answered(cut, finish_reason="length")["choices"][0]
    assert choice["finish_reason"] == "length"
    assert choice["message"] == {"role": "assistant", "content": kept}


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "[]",
        '{"name": "drop_tables", "arguments": {}}',
        '{"name": "get_order"}',
        '{"name": [], "arguments": {}}',
    ],
)
def test_an_answer_that_is_neither_is_an_error(text: str) -> None:
    with pytest.raises(ModelNonsense):
        answered(text)


def test_a_response_to_a_request_without_tools_is_left_alone() -> None:
    response = {"choices": [{"finish_reason": "stop", "message": {"content": "{"}}]}
    assert interpret(response, {"messages": []}) == response
