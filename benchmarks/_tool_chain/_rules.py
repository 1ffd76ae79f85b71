"""A configuration with so many rules of each kind, of which the last ones are for the tool that is called."""

from typing import Any

from proctor.core import TeamSettings, ToolRule, ToolServerSettings

SHOP, AGENT, TEAM = "shop", "clerk", "calls"

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"order": {"type": "string"}, "note": {"type": "string", "maxLength": 2000}},
    "required": ["order"],
    "additionalProperties": False,
}


def tool_name(number: int) -> str:
    """Of the tool with this number."""
    return f"tool_{number:04d}"


def arguments_of(number: int) -> dict[str, str]:
    """Of a call that was not made before."""
    return {"order": f"W{number:07d}", "note": "The customer has waited for it since Monday."}


def tool_rule() -> dict[str, Any]:
    """What the configuration says of one tool."""
    return {
        "effect": "read_only",
        "confidentiality": "user",
        "clearance": "private",
        "recipients": ["to"],
        "hosts": ["example.org"],
        "max_output": 10_000,
    }


def server_of(rules: int) -> ToolServerSettings:
    """A server's section, with one of its own for each tool."""
    sections = {tool_name(number): ToolRule.model_validate(tool_rule()) for number in range(rules)}
    return ToolServerSettings(url="http://127.0.0.1:9", tool=sections)


def team_of(rules: int, server: str = "") -> dict[str, Any]:
    """A team's section: rules of approval, and a list of tools for the agent."""
    names = [f"{server}.{tool_name(number)}" if server else tool_name(number) for number in range(rules)]
    return {
        "approvals": [{"tools": [name], "needs": "nobody"} for name in names],
        "agents": {AGENT: {"tools": names}},
        "max_tool_calls": 1_000_000,
        "untrusted": "allow",
    }


def team_settings(rules: int) -> TeamSettings:
    """The same, read."""
    return TeamSettings.model_validate(team_of(rules, SHOP))
