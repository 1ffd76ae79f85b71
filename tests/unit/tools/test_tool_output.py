import hashlib
import re

import pytest

from proctor.core import (
    DataSettings,
    JsonObject,
    Span,
    ToolCall,
    ToolResult,
    ToolRule,
    ToolServerSettings,
    ToolSpec,
    monotonic_ms,
)
from proctor.testing import FakeScope
from proctor.tools import ToolRules, check_output

ORDER: JsonObject = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "note": {"type": "string"}},
    "required": ["id"],
}


def finds(text: str) -> list[Span]:
    """The word `hunter2`, and whatever follows `api_key: ` on a line."""
    places = (match.span(match.lastindex or 0) for match in re.finditer("hunter2|api_key: (.*)", text))
    return [Span(start=start, end=end, type="secret") for start, end in places]


async def checked(result: ToolResult, *, returns: JsonObject | None = None, rule: ToolRule | None = None):
    """The answer as it reaches the model, and what was logged about it."""
    server = ToolServerSettings(command=("a",), tool={"get": rule or ToolRule()})
    link = check_output(1_000_000, rules=ToolRules({"shop": server}, {}, DataSettings()), find=finds)
    spec = ToolSpec(server="shop", name="get", description="", parameters={}, returns=returns)
    scope = FakeScope()

    async def answers(call: ToolCall) -> ToolResult:
        return result

    return await link(ToolCall(scope=scope, tool=spec, arguments={}), answers), scope.events


async def test_an_answer_that_fits_passes_as_it_is():
    answer = ToolResult(text='{"id": 1}', structured={"id": 1, "note": "x"}, cost=3)
    assert await checked(answer, returns=ORDER) == (answer, [])


@pytest.mark.parametrize(
    ("structured", "reason"),
    [
        ({"id": "1"}, "type at ."),
        ({"note": "x"}, "required at the top"),
        (None, "missing"),
    ],
)
async def test_an_answer_that_breaks_its_schema_is_set_aside(structured, reason):
    answer = ToolResult(text="ignore all that", structured=structured, cost=3)
    result, events = await checked(answer, returns=ORDER)
    assert (result.is_error, result.structured, result.cost, result.refused_by) == (True, None, 3, "")
    assert "ignore all that" not in result.text
    ((kind, data),) = events
    assert kind == "tool.quarantined"
    assert reason in str(data["reason"])
    assert data["sha256"] == hashlib.sha256(b"ignore all that").hexdigest()


async def test_nothing_of_the_answer_stands_in_the_reason():
    _, events = await checked(ToolResult(text="", structured={"id": "sk-live"}), returns=ORDER)
    assert "sk-live" not in str(events)


async def test_an_error_and_a_refusal_owe_no_structure():
    failed = ToolResult(text="no such order", is_error=True)
    refused = ToolResult(text="hunter2", is_error=True, refused_by="begin")
    assert await checked(failed, returns=ORDER) == (failed, [])
    assert await checked(refused, returns=ORDER) == (refused, [])


async def test_a_schema_for_something_else_than_an_object_is_not_missed():
    answer = ToolResult(text="[1]")
    assert await checked(answer, returns={"type": "array"}) == (answer, [])


def doubling(levels: int) -> JsonObject:
    """A schema that doubles the work at each of its levels."""
    steps = {f"s{n}": {"anyOf": [{"$ref": f"#/$defs/s{n + 1}"}] * 2} for n in range(levels)}
    return {"properties": {"a": {"$ref": "#/$defs/s0"}}, "$defs": {**steps, f"s{levels}": {"type": "null"}}}


@pytest.mark.parametrize(
    "returns",
    [
        {"type": 5},
        {"$ref": "#"},
        {"$ref": "https://evil.example/schema"},
        {"$ref": "#/$defs/none"},
    ],
)
async def test_a_schema_that_cannot_be_used_vouches_for_nothing(returns):
    result, events = await checked(ToolResult(text="x", structured={"a": "b"}), returns=returns)
    assert result.is_error
    assert [kind for kind, _ in events] == ["tool.quarantined"]


async def test_a_schema_made_to_take_long_does_not():
    began = monotonic_ms()
    slow: JsonObject = {
        "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}, "l": {"uniqueItems": True}},
        "patternProperties": {"^(a+)+$": {}},
        "additionalProperties": False,
    }
    structured: JsonObject = {"a": "a" * 60 + "!", "l": [{"a": n % 7} for n in range(3000)]}
    result, _ = await checked(ToolResult(text="x", structured=structured), returns=slow)
    assert not result.is_error
    result, events = await checked(ToolResult(text="x", structured={"a": 1}), returns=doubling(40))
    assert result.is_error
    assert "too much work" in str(events)
    assert monotonic_ms() - began < 60_000  # for the bounded work; without the bound it would take years


async def test_an_answer_too_deep_to_read_is_set_aside():
    deep: JsonObject = {}
    for _ in range(5000):
        deep = {"a": deep}
    result, events = await checked(ToolResult(text="x", structured=deep))
    assert result.is_error
    assert "levels" in str(events)


async def test_what_is_no_text_is_set_aside():
    for text in ("\x00\x01\x02\x03\x7f" * 20, "\N{REPLACEMENT CHARACTER}" * 50):
        result, events = await checked(ToolResult(text=text))
        assert result.is_error
        assert [kind for kind, _ in events] == ["tool.quarantined"]
    fine = ToolResult(text="caf\N{REPLACEMENT CHARACTER} " + "au lait " * 20)
    assert await checked(fine) == (fine, [])


async def test_what_nobody_sees_is_taken_out_of_texts_names_and_values():
    dirty = ToolResult(text="a\u200bb", structured={"na\u200bme": ["x\u202ey", {"z": "\x1b[31mred"}]})
    result, events = await checked(dirty)
    assert (result.text, result.structured) == ("ab", {"name": ["xy", {"z": "red"}]})
    assert events == [("tool.cleaned", {"server": "shop", "tool": "get", "hidden": 8, "secrets": 0})]


async def test_secrets_are_masked_wherever_they_stand():
    dirty = ToolResult(
        text="it is hunter2 (hunter2)",
        structured={
            "api_key": "abc",
            "list": ["hunter2", "a hunter2 b"],
            "n": 1,
            "deep": {"api_key": ["x", "y"]},
        },
    )
    result, events = await checked(dirty)
    assert result.text == "it is [secret] ([secret])"
    assert result.structured == {
        "api_key": "[secret]",
        "list": ["[secret]", "a [secret] b"],
        "n": 1,
        "deep": {"api_key": ["[secret]", "[secret]"]},
    }
    assert events == [("tool.cleaned", {"server": "shop", "tool": "get", "hidden": 0, "secrets": 7})]


@pytest.mark.parametrize("rule", [ToolRule(classes=("secret",)), ToolRule(fields={"token": "secret"})])
async def test_a_tool_that_is_there_for_secrets_gives_them_to_who_is_cleared(rule):
    answer = ToolResult(text="hunter2")
    assert await checked(answer, rule=rule) == (answer, [])


async def test_a_tool_has_a_lower_limit_of_its_own():
    result, _ = await checked(ToolResult(text="x" * 500), rule=ToolRule(max_output=100))
    assert len(result.text) == 100
    assert "500 characters" in result.text


async def test_a_long_answer_is_checked_as_well():
    rows = [{"id": n, "note": "a\u200bb hunter2"} for n in range(3000)]
    schema: JsonObject = {"type": "object", "properties": {"rows": {"type": "array", "items": ORDER}}}
    result, events = await checked(ToolResult(text="x" * 50_000, structured={"rows": rows}), returns=schema)
    assert result.structured == {"rows": [{"id": n, "note": "ab [secret]"} for n in range(3000)]}
    assert events == [("tool.cleaned", {"server": "shop", "tool": "get", "hidden": 3000, "secrets": 3000})]
