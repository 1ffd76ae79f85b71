"""Who may see which kinds of data."""

import json
from typing import Any

import pytest

from proctor.core import (
    ConfigurationError,
    DataSettings,
    Label,
    TeamSettings,
    ToolCall,
    ToolResult,
    ToolRule,
    ToolServerSettings,
    ToolSpec,
)
from proctor.testing import FakeScope
from proctor.tools import check_clearances, guard_access
from proctor.tools._rules import ToolRules

DATA = DataSettings(classes={"salary": "private"})


def rules_of(tool: dict[str, Any], **server: Any) -> ToolRules:
    settings = {"command": ["x"], "tool": {"get_order": tool}, **server}
    return ToolRules({"shop": ToolServerSettings.model_validate(settings)}, {"sum": ToolRule()}, DATA)


class Tool:
    """A tool that always gives the same answer."""

    def __init__(self, result: ToolResult) -> None:
        self.result = result
        self.calls = 0

    async def __call__(self, call: ToolCall) -> ToolResult:
        self.calls += 1
        return self.result


ORDER = ToolResult(text='{"id": 1, "card": "4111"}', structured={"id": 1, "card": "4111"})


async def read(
    tool: dict[str, Any],
    result: ToolResult = ORDER,
    *,
    team: dict[str, Any] | None = None,
    scope: FakeScope | None = None,
    **server: Any,
) -> tuple[ToolResult, FakeScope, int]:
    """What a call comes to, with its events and how often the tool was called."""
    scope = scope or FakeScope()
    guard = guard_access(rules_of(tool, **server), TeamSettings.model_validate(team or {}), DATA)
    answers = Tool(result)
    spec = ToolSpec(server="shop", name="get_order", description="", parameters={}, effect="read_only")
    return await guard(ToolCall(scope=scope, tool=spec, arguments={}), answers), scope, answers.calls


@pytest.mark.parametrize("kind", ["payment", "secret", "raw_log", "salary"])
async def test_a_tool_that_returns_what_nobody_cleared_is_not_called(kind: str) -> None:
    label = Label(integrity="untrusted", confidentiality="user", sources=("web.fetch",))
    result, scope, calls = await read({"classes": [kind]}, scope=FakeScope(label=label))
    assert calls == 0
    assert (result.is_error, result.refused_by) == (True, "access")
    assert kind in result.text
    assert "4111" not in result.text
    assert dict(scope.events)["data.denied"] == {"server": "shop", "tool": "get_order", "classes": (kind,)}
    assert dict(scope.events)["tool.refused"]["rule"] == "access"


async def test_a_tool_is_called_for_whom_all_of_its_kinds_are_cleared() -> None:
    team = {"clearance": ["payment", "personal"]}
    result, scope, calls = await read({"classes": ["payment", "personal"]}, team=team)
    assert calls == 1
    assert result.text == ORDER.text
    assert result.label.confidentiality == "secret"
    assert scope.events == [
        (
            "data.accessed",
            {"server": "shop", "tool": "get_order", "classes": ("payment", "personal"), "masked": ()},
        )
    ]


async def test_one_kind_that_is_not_cleared_is_enough_to_refuse() -> None:
    result, _, calls = await read({"classes": ["payment"]}, classes=["personal"])
    assert (calls, result.refused_by) == (0, "access")


async def test_personal_data_is_seen_where_nothing_else_is_said() -> None:
    result, _, calls = await read({"classes": ["personal"]})
    assert (calls, result.label.confidentiality) == (1, "private")


@pytest.mark.parametrize(
    ("place", "calls"), [("clerk", 0), ("desk/clerk", 0), ("manager", 1), ("desk/manager", 1), ("other", 1)]
)
async def test_an_agent_may_see_less_than_its_team(place: str, calls: int) -> None:
    team = {
        "clearance": ["payment"],
        "agents": {"clerk": {"clearance": []}, "manager": {"clearance": ["payment"]}},
    }
    answer = await read({"classes": ["payment"]}, team=team, scope=FakeScope(agent=place))
    assert answer[2] == calls


async def test_an_agents_place_is_meant_before_its_name() -> None:
    team = {
        "clearance": ["payment"],
        "agents": {"clerk": {"clearance": ["payment"]}, "desk/clerk": {"clearance": []}},
    }
    answer = await read({"classes": ["payment"]}, team=team, scope=FakeScope(agent="desk/clerk"))
    assert answer[2] == 0


async def test_fields_above_the_clearance_are_masked_and_their_level_with_them() -> None:
    result, scope, _ = await read({"fields": {"card": "payment"}})
    assert json.loads(result.text) == {"id": 1, "card": "[masked: payment]"} == result.structured
    assert result.label.confidentiality == "user"
    assert scope.events == [
        ("data.accessed", {"server": "shop", "tool": "get_order", "classes": (), "masked": ("payment",)})
    ]


async def test_fields_that_are_cleared_are_shown_and_label_the_answer() -> None:
    fields = {"card": "payment", "name": "personal"}
    result, scope, _ = await read({"fields": fields}, team={"clearance": ["payment"]})
    assert result.structured == ORDER.structured
    assert result.label.confidentiality == "secret"
    assert scope.events[0][1]["classes"] == ("payment",)


async def test_a_long_answer_is_masked_too() -> None:
    rows = [{"id": number, "card": f"4111{number}"} for number in range(2_000)]
    result, _, _ = await read({"fields": {"card": "payment"}}, ToolResult(text=json.dumps(rows)))
    assert "4111" not in result.text
    assert len(json.loads(result.text)) == 2_000


async def test_what_masks_make_too_long_is_cut_to_the_limit() -> None:
    orders = [{"iban": "12345"}] * 50
    answer = ToolResult(text=json.dumps(orders), structured={"orders": orders})
    result, _, _ = await read({"fields": {"iban": "payment"}, "max_output": 1_200}, answer)
    assert len(result.text) <= 1_200
    assert "12345" not in result.text
    assert result.structured is None


async def test_an_error_says_no_more_than_an_answer() -> None:
    error = ToolResult(text="no order for card 4111 2222", is_error=True)
    result, _, _ = await read({"fields": {"card": "payment"}}, error)
    assert "4111" not in result.text
    assert (result.is_error, result.label.integrity) == (True, "untrusted")


async def test_an_answer_is_labelled_by_its_tool_and_by_what_the_call_rests_on() -> None:
    private = Label(confidentiality="private", sources=("mail.read",))
    result, _, _ = await read({}, scope=FakeScope(label=private))
    assert result.label == Label(
        integrity="untrusted", confidentiality="private", sources=("mail.read", "shop.get_order")
    )


async def test_a_trusted_tool_leaves_the_label_as_it_was() -> None:
    assert (await read({"integrity": "trusted", "confidentiality": "public"}))[0].label == Label()
    web = Label(integrity="untrusted", confidentiality="user", sources=("web.fetch",))
    result, _, _ = await read({"integrity": "trusted"}, scope=FakeScope(label=web))
    assert result.label == web


async def test_what_a_link_or_a_person_refused_is_no_answer_of_the_tool() -> None:
    refused = ToolResult(text="A person refused this action.", is_error=True, refused_by="ann")
    result, scope, _ = await read({"classes": ["personal"]}, refused)
    assert (result, scope.events) == (refused, [])
    own = Label(integrity="untrusted", sources=("shop.get_order",))
    quarantined = ToolResult(text="quarantined", refused_by="output", label=own)
    assert (await read({}, quarantined))[0].label == own


@pytest.mark.parametrize(
    ("team", "word"),
    [
        ({"clearance": ["paymet"]}, "'payment'"),
        ({"clearance": ["payment"], "agents": {"clerk": {"clearance": ["slary"]}}}, "'salary'"),
        ({"agents": {"clerk": {"clearance": ["payment"]}}}, "teams.desk.clearance"),
    ],
)
def test_a_clearance_that_can_not_hold_is_refused_at_the_start(team: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_clearances({"desk": TeamSettings.model_validate(team)}, rules_of({}), DATA)
    assert word in f"{caught.value} {caught.value.hint}"


def test_clearances_that_are_known_hold() -> None:
    team = {"clearance": ["salary", "secret"], "agents": {"clerk": {"clearance": ["salary"]}}}
    check_clearances({"desk": TeamSettings.model_validate(team)}, rules_of({}), DATA)


@pytest.mark.parametrize("name", ["python", "sandbox"])
def test_no_server_is_called_as_proctors_own_tools_are(name: str):
    with pytest.raises(ConfigurationError):
        ToolRules({name: ToolServerSettings.model_validate({"command": ["tools"]})}, {}, DataSettings())
