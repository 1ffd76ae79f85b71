"""Whether what a tool gave back looks like an attempt to give orders to whoever reads it."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from proctor.core import ToolCall, ToolHandler, ToolMiddleware, ToolResult, Verdict, in_own_thread
from proctor.tools._output import LONG

Judge: TypeAlias = Callable[[str], Verdict]
"""What the policy says about orders in a text."""


def suspect(judge: Judge) -> ToolMiddleware:
    """A middleware after which an answer that may hold orders is labelled so, or refused.

    Answers of tools whose word counts here are not looked at.
    """

    async def middleware(call: ToolCall, handler: ToolHandler) -> ToolResult:
        result = await handler(call)
        if result.refused_by or result.label.is_trusted or not result.text:
            return result
        text = result.text
        if len(text) < LONG:
            verdict = judge(text)
        else:
            verdict = await in_own_thread(lambda: judge(text), name="proctor-suspect")
        if verdict.outcome == "allow":
            return result
        where = [(span.start, span.end) for span in verdict.spans]
        call.scope.event(
            "policy.verdict",
            {
                "stage": "tool_result",
                "outcome": verdict.outcome,
                "rules": list(verdict.rules),
                "tool": f"{call.tool.server}.{call.tool.name}",
                "spans": where,
            },
        )
        if verdict.outcome == "deny":
            refusal = "[What this tool gave back was set aside: it seems to give orders.]"
            return replace(result, text=refusal, structured=None, is_error=True)
        return replace(result, label=replace(result.label, suspected=True))

    return middleware
