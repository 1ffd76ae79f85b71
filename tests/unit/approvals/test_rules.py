"""Which rule holds for a call, and what of it may be edited."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from proctor.approvals import ApprovalGate, Opinion, check_edit, check_humans, editable_schema
from proctor.core import (
    ConfigurationError,
    Decision,
    InvalidInput,
    JsonObject,
    Second,
    TeamSettings,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from proctor.testing import FakeScope

REFUND = ToolSpec(
    server="shop",
    name="refund",
    description="Pays money back.",
    parameters={
        "type": "object",
        "properties": {"order": {"type": "string"}, "amount": {}, "to": {"type": "object"}},
    },
)


class Tool:
    """A tool that notes how it was called."""

    def __init__(self) -> None:
        self.called: list[JsonObject] = []

    async def __call__(self, call: ToolCall) -> ToolResult:
        self.called.append(call.arguments)
        return ToolResult(text="done")


async def agree(call: ToolCall, second: Second) -> Opinion:
    return Opinion(agrees=True, reason="")


async def rule_that_asks(rules: list[dict[str, Any]], **arguments: Any) -> str | None:
    """The name of the rule that asks a person about a call; nothing where nobody is asked."""
    scope = FakeScope(decisions=[Decision(kind="reject")])
    gate = ApprovalGate(TeamSettings.model_validate({"approvals": rules}), judge=agree)
    await gate(ToolCall(scope=scope, tool=REFUND, arguments=arguments), Tool())
    return scope.asked[0].terms.rule if scope.asked else None


@pytest.mark.parametrize("pattern", ["refund", "shop.refund", "shop.*", "*", "ref*"])
async def test_a_pattern_names_a_tool_with_or_without_its_server(pattern: str) -> None:
    assert await rule_that_asks([{"tools": [pattern], "name": "it"}]) == "it"


@pytest.mark.parametrize("pattern", ["refunds", "shop", "bank.*", "REFUND"])
async def test_a_pattern_that_names_another_tool_leaves_the_default(pattern: str) -> None:
    assert await rule_that_asks([{"tools": [pattern], "name": "it"}]) == ""


@pytest.mark.parametrize(
    ("condition", "value", "asks"),
    [
        ({"above": 100}, 101, True),
        ({"above": 100}, 100, False),
        ({"below": 0}, -1, True),
        ({"above": 1, "below": 5}, 3, True),
        ({"above": 1, "below": 5}, 7, False),
        ({"equals": "EUR"}, "EUR", True),
        ({"equals": 1}, True, False),
        ({"equals": None}, None, True),
        ({"one_of": ["a", "b"]}, "b", True),
        ({"one_of": ["a", "b"]}, "c", False),
        ({"like": "*@example.org"}, "ann@example.org", True),
        ({"like": "*@example.org"}, "ann@elsewhere.org", False),
    ],
)
async def test_a_condition_looks_at_an_argument(condition: dict[str, Any], value: object, asks: bool) -> None:  # noqa: FBT001
    rules = [{"tools": ["*"], "when": {"amount": condition}, "name": "it"}]
    assert (await rule_that_asks(rules, amount=value) == "it") is asks


@pytest.mark.parametrize("arguments", [{}, {"amount": "1000"}, {"amount": None}, {"amount": True}])
async def test_what_cannot_be_compared_never_spares_a_person(arguments: dict[str, Any]) -> None:
    above = {"amount": {"above": 100}}
    asking = [{"tools": ["*"], "when": above, "name": "it"}, {"tools": ["*"], "needs": "nobody"}]
    assert await rule_that_asks(asking, **arguments) == "it"
    below = {"amount": {"below": 100}}
    sparing = [{"tools": ["*"], "when": below, "needs": "nobody"}, {"tools": ["*"], "name": "it"}]
    assert await rule_that_asks(sparing, **arguments) == "it"


async def test_a_condition_reaches_into_objects() -> None:
    rules = [
        {"tools": ["*"], "when": {"to.country": {"equals": "DE"}}, "needs": "nobody"},
        {"tools": ["*"], "name": "abroad"},
    ]
    assert await rule_that_asks(rules, to={"country": "DE"}) is None
    assert await rule_that_asks(rules, to={"country": "FR"}) == "abroad"
    assert await rule_that_asks(rules, to="DE") == "abroad"


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"tools": ["a"], "human": "manager"},
        {"human": "manager", "quorum": 2},
        {"tools": ["a"], "needs": "nobody", "roles": ["manager"]},
        {"tools": ["a"], "on_expiry": "approve"},
        {"tools": ["a"], "expires": "P1D", "on_expiry": "escalate"},
        {"tools": ["a"], "expires": "P1D", "on_expiry": "respond"},
        {"tools": ["a"], "when": {"amount": {}}},
        {"tools": ["a"], "when": {"amount": {"over": 1}}},
        {"tools": ["a"], "second": {"judge": "large"}},
        {"tools": ["a"], "expires": "PT0S"},
        {"tools": ["a"], "qorum": 2},
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TeamSettings.model_validate({"approvals": [rule]})


@pytest.mark.parametrize(
    ("parameters", "arguments", "editable", "edited", "fits"),
    [
        ({"properties": {"a": {"type": "integer"}}}, {"a": 1}, "all", {"a": 2}, True),
        ({"properties": {"a": {"type": "integer"}}}, {"a": 1}, "all", {"a": "2"}, False),
        ({"properties": {"a": {}}}, {"a": 1}, "all", {"a": 1, "b": 1}, False),
        ({"properties": {"a": {}}, "additionalProperties": True}, {"a": 1}, "all", {"a": 1, "b": 1}, True),
        ({}, {"a": 1}, "all", {"b": 1}, True),
        ({"properties": {"a": {}, "b": {}}}, {"a": 1}, ["b"], {"a": 1, "b": 9}, True),
        ({"properties": {"a": {}, "b": {}}}, {"a": 1}, ["b"], {"a": 2, "b": 9}, False),
        ({"properties": {"a": {}, "b": {}}}, {"a": 1}, ["b"], {"b": 9}, False),
        ({"properties": {"a": {}, "b": {}}}, {"b": 1}, ["b"], {"a": 2, "b": 9}, False),
        ({}, {"a": 1}, ["a"], {"a": 2}, True),
        ({}, {"a": 1}, ["a"], {"a": 2, "c": 2}, False),
        ({"properties": {"a": {}}}, {"a": 1}, "nothing", {"a": 1}, False),
        ({"properties": {"a": {}}}, {"a": 1}, [], {"a": 1}, False),
        (
            {"properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"minimum": 1}}},
            {},
            "all",
            {"a": 0},
            False,
        ),
    ],
)
def test_edited_arguments_fit_the_tool_and_leave_the_rest_alone(
    parameters: JsonObject,
    arguments: JsonObject,
    editable: Any,
    edited: JsonObject,
    fits: bool,  # noqa: FBT001
) -> None:
    schema = editable_schema(parameters, arguments, editable)
    if fits:
        check_edit(schema, edited)
    else:
        with pytest.raises(InvalidInput):
            check_edit(schema, edited)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), "\ud800", {1, 2}, b"a", json.loads("[" * 99 + "]" * 99)]
)
def test_an_edit_that_is_no_plain_json_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput):
        check_edit({}, {"amount": value})


@pytest.mark.parametrize(
    ("rules", "humans", "taken"),
    [
        (["manger"], {"manager"}, False),
        (["boss"], {"manager"}, False),
        (["manager", "mangr"], {"manager", "auditor"}, False),
        (["manager"], {"manager", "customer"}, True),
        (["manager"], set(), True),
        ([], {"manager"}, True),
    ],
)
def test_a_rule_for_a_human_whom_the_team_does_not_have_is_refused(
    rules: list[str],
    humans: set[str],
    taken: bool,  # noqa: FBT001
) -> None:
    team = TeamSettings.model_validate({"approvals": [{"human": name} for name in rules]})
    if taken:
        check_humans("desk", team, humans)
    else:
        with pytest.raises(ConfigurationError):
            check_humans("desk", team, humans)


@pytest.mark.parametrize("share", [0.0, 1.0])
async def test_no_call_and_every_call_are_shares_too(share: float) -> None:
    rules = [{"tools": ["*"], "second": {"share": share}}]
    for number in range(20):
        scope = FakeScope(key=f"call {number}", decisions=[Decision(kind="reject")])
        gate = ApprovalGate(TeamSettings.model_validate({"approvals": rules}), judge=agree)
        await gate(ToolCall(scope=scope, tool=REFUND, arguments={}), Tool())
        assert (scope.asked[0].terms.second is not None) is bool(share)


async def test_the_tool_is_called_with_the_edited_arguments_and_the_answer_says_so() -> None:
    scope = FakeScope(decisions=[Decision(kind="edit", arguments={"order": "8"})])
    tool = Tool()
    gate = ApprovalGate(TeamSettings(), judge=agree)
    result = await gate(ToolCall(scope=scope, tool=REFUND, arguments={"order": "7"}), tool)
    assert tool.called == [{"order": "8"}]
    assert result.edited == {"order": "8"}
    assert result.text.endswith("done")
    assert '{"order":"8"}' in result.text
