"""Which tools a team may call."""

from collections.abc import Collection

from proctor.core import ToolCall, ToolHandler, ToolMiddleware, ToolResult
from proctor.tools._refusals import refuse
from proctor.tools._text import did_you_mean

RULE = "allow_list"


def allow_list(allowed: Collection[tuple[str, str]]) -> ToolMiddleware:
    """A middleware that passes on calls of the tools that are named exactly, as (server, tool).

    A name that only looks like an allowed one is refused; the likeness goes no further than the hint.
    """
    exact = frozenset(allowed)

    async def middleware(call: ToolCall, handler: ToolHandler) -> ToolResult:
        if (call.tool.server, call.tool.name) in exact:
            return await handler(call)
        hint = did_you_mean(call.tool.name, {tool for _, tool in exact})
        text = f"The tool {call.tool.name!r} of {call.tool.server!r} may not be called by this team. {hint}"
        return refuse(call, RULE, text)

    return middleware
