from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from proctor.core import JsonObject, ToolCall, ToolResult, ToolSpec
from proctor.tools import check_arguments
from proctor.tools._examples import example_of

REFUND: dict[str, Any] = {
    "type": "object",
    "$defs": {
        "Item": {
            "type": "object",
            "properties": {"sku": {"type": "string"}, "quantity": {"type": "integer", "minimum": 1}},
            "required": ["sku"],
            "additionalProperties": False,
        }
    },
    "properties": {
        "order_id": {"type": "string"},
        "amount": {"type": "integer"},
        "reason": {"enum": ["damaged", "late"]},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}},
    },
    "required": ["order_id", "amount"],
}


class Scope:
    run_id, team, tenant, agent, key = "run_1", "desk", "acme", "analyst", "key_1"

    def __init__(self):
        self.events: list[tuple[str, JsonObject]] = []

    def event(self, type, data):
        self.events.append((type, data))

    async def begin(self):
        pass


async def acts(call: ToolCall) -> ToolResult:
    return ToolResult(text="acted")


def call(arguments: JsonObject, schema: JsonObject = REFUND) -> ToolCall:
    spec = ToolSpec(server="shop", name="refund", description="", parameters=schema)
    return ToolCall(scope=Scope(), tool=spec, arguments=arguments)


async def answer(arguments: JsonObject, schema: JsonObject = REFUND) -> ToolResult:
    return await check_arguments()(call(arguments, schema), acts)


async def test_fitting_arguments_are_passed_on():
    fitting = {"order_id": "a", "amount": 5, "note": None, "items": [{"sku": "b", "quantity": 2}]}
    assert await answer(fitting) == ToolResult(text="acted")


async def test_what_has_a_default_need_not_be_given():
    properties = {"order_id": {"type": "string"}, "scale": {"type": "string", "default": "css"}}
    schema = {"type": "object", "properties": properties, "required": ["order_id", "scale"]}
    assert await answer({"order_id": "a"}, schema) == ToolResult(text="acted")
    assert (await answer({"scale": "css"}, schema)).refused_by == "arguments"


@pytest.mark.parametrize(
    "hostile",
    [
        {"properties": {"x": {"$ref": "#"}}, "allOf": [{"$ref": "#"}]},
        {"$schema": ["x"]},
        {"properties": {"x": {"$ref": "#/default"}}, "default": 5},
        {"properties": {"x": {"allOf": [{"$ref": "#/$defs/a"}] * 2}}}
        | {"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}] * 2}}},
    ],
)
async def test_a_hostile_schema_is_refused_and_holds_up_nobody(hostile):
    refused = await answer({"x": "y"}, {"type": "object", **hostile})
    assert refused.refused_by == "arguments"
    assert "can't be called" in refused.text


async def test_patterns_are_left_to_the_server():
    schema = {"type": "object", "properties": {"x": {"type": "string", "pattern": "^(a+)+$"}}}
    assert await answer({"x": "a" * 40 + "!"}, schema) == ToolResult(text="acted")


async def test_a_refusal_is_a_result_and_an_event():
    refused = call({})
    result = await check_arguments()(refused, acts)
    assert (result.is_error, result.refused_by) == (True, "arguments")
    assert refused.scope.events == [
        ("tool.refused", {"server": "shop", "tool": "refund", "rule": "arguments", "reason": result.text})
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"order_id": "a"}, "arguments: 'amount' is missing"),
        ({}, "arguments: 'order_id', 'amount' are missing"),
        ({"order_id": "a", "amount": "5"}, "'amount': expected integer, got \"5\""),
        ({"order_id": "a", "amount": True}, "'amount': expected integer, got true"),
        (
            {"order_id": "a", "amount": 5, "reason": "old"},
            '\'reason\': expected "damaged" or "late", got "old"',
        ),
        ({"order_id": "a", "amount": 5, "note": 7}, "'note': expected null or string, got 7"),
        ({"order_id": "a", "amount": 5, "items": [{}]}, "'items[0]': 'sku' is missing"),
        (
            {"order_id": "a", "amount": 5, "items": [{"sku": "b", "quantity": 0}]},
            "'items[0].quantity': 0 is less than",
        ),
        (
            {"order_id": "a", "amount": 5, "items": [{"sku": "b", "qantity": 2}]},
            "'items[0].qantity': the tool has no such argument; did you mean 'quantity'?",
        ),
        ({"orderId": "a", "amount": 5}, "'orderId': the tool has no such argument; did you mean 'order_id'?"),
    ],
)
async def test_a_refusal_says_which_argument_and_what_is_expected(arguments, says):
    result = await answer(arguments)
    assert f"- {says}" in result.text
    assert 'The right form, for example: {"order_id": "text", "amount": 1}' in result.text


async def test_a_schema_that_takes_further_arguments_gets_them():
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": True}
    assert await answer({"b": 1}, schema) == ToolResult(text="acted")


@pytest.mark.parametrize("schema", [{"type": "objekt"}, {"$ref": "https://example.org/schema"}])
async def test_a_tool_with_a_broken_schema_is_not_called(schema):
    result = await answer({"a": 1}, schema)
    assert result.refused_by == "arguments"
    assert "can't be called: its own schema can't be used" in result.text


async def test_a_call_with_a_thousand_faults_gets_a_short_refusal():
    result = await answer(
        {"order_id": "a", "amount": 5, "items": [{"sku": 1}] * 1000} | {f"x{n}": 1 for n in range(1000)}
    )
    assert len(result.text) < 2000


SCHEMAS = st.recursive(
    st.sampled_from([{"type": name} for name in ("string", "integer", "number", "boolean", "null")]),
    lambda inner: (
        st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3).map(
            lambda fields: {"type": "object", "properties": fields, "required": sorted(fields)}
        )
        | inner.map(lambda item: {"type": "array", "items": item})
        | st.lists(inner, min_size=1, max_size=2).map(lambda options: {"anyOf": options})
    ),
    max_leaves=8,
)


@given(SCHEMAS)
def test_the_example_of_a_schema_of_usual_depth_fits_it(schema):
    shallow = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    if str(schema).count("{") < 5:
        Draft202012Validator(shallow).validate(example_of(shallow))
