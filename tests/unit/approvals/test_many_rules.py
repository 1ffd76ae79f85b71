"""Rules of approval for many tools: each finds its own, in the order in which they stand."""

from proctor.approvals import ApprovalGate
from proctor.core import Decision, TeamSettings, ToolCall, ToolResult, ToolSpec
from proctor.testing import FakeScope


async def rules_that_ask(team, *tools):
    """The rule that asks about a call of each tool, through one gate; empty where nobody is asked."""
    gate = ApprovalGate(TeamSettings.model_validate(team), judge=None)
    found = []
    for name, arguments in tools:
        scope = FakeScope(decisions=[Decision(kind="approve")])
        spec = ToolSpec(server="shop", name=name, description="", parameters={"type": "object"})
        await gate(ToolCall(scope=scope, tool=spec, arguments=arguments), answer)
        found.append(scope.asked[0].terms.rule if scope.asked else "")
    return found


async def answer(call):
    return ToolResult(text="done")


async def test_each_tool_finds_its_own_rule_among_a_thousand():
    rules = [{"name": f"rule {number}", "tools": [f"shop.tool_{number}"]} for number in range(1000)]
    tools = [("tool_999", {}), ("tool_0", {}), ("tool_500", {}), ("tool_999", {})]
    assert await rules_that_ask({"approvals": rules}, *tools) == [
        "rule 999",
        "rule 0",
        "rule 500",
        "rule 999",
    ]


async def test_of_rules_that_name_one_tool_the_first_whose_conditions_are_met_holds_at_each_call():
    rules = [
        {"name": "large", "tools": ["pay"], "when": {"euros": {"above": 100}}},
        {"tools": ["pay"], "when": {"euros": {"below": 10}}, "needs": "nobody"},
        {"name": "other", "tools": ["*"]},
    ]
    tools = [("pay", {"euros": euros}) for euros in (5, 50, 500, 5)]
    assert await rules_that_ask({"approvals": rules}, *tools) == ["", "other", "large", ""]
