"""A refusal: a result that the model sees in place of the tool's, and an event that people see."""

from proctor.core import ToolCall, ToolResult
from proctor.tools._text import clean


def refuse(call: ToolCall, rule: str, text: str) -> ToolResult:
    """The refusal of a call by a rule, entered in the run's log."""
    text = clean(text)
    data = {"server": call.tool.server, "tool": call.tool.name, "rule": rule, "reason": text}
    call.scope.event("tool.refused", data)
    return ToolResult(text=text, is_error=True, refused_by=rule)
