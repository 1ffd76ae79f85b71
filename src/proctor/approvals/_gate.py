"""The place in the tool chain where a call waits for a person."""

from typing import assert_never

from proctor.core import (
    Decision,
    Question,
    TeamSettings,
    ToolCall,
    ToolHandler,
    ToolResult,
    canonical_json,
)


class ApprovalGate:
    """Lets read-only calls pass and asks a person about all others, unless the team is configured not to."""

    def __init__(self, team: TeamSettings) -> None:
        self._team = team

    async def __call__(self, call: ToolCall, proceed: ToolHandler) -> ToolResult:
        """The tool's answer, or the person's refusal for the model to read."""
        if call.tool.effect == "read_only" or self._team.approval == "never":
            return await proceed(call)
        decision = await call.scope.decision(_question(call))
        if decision.kind == "approve":
            return await proceed(call)
        return _refusal(decision)


def _refusal(decision: Decision) -> ToolResult:
    """What the model reads in place of a tool's answer."""
    match decision.kind:
        case "reject":
            text = f"A person refused this action. {decision.comment}".strip()
        case "respond":
            text = f"The action was not carried out. A person answers: {decision.comment}"
        case "approve":
            raise ValueError("an approval is no refusal")
        case _:
            assert_never(decision.kind)
    return ToolResult(text=text, is_error=decision.kind == "reject", refused_by=decision.by or "person")


def _question(call: ToolCall) -> Question:
    text = f"{call.scope.agent} wants to call {call.tool.name} with {canonical_json(call.arguments)}."
    return Question(kind="action", role="", text=text, action=call.request())
