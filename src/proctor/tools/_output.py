"""What a tool gave back, made fit to be stored and shown."""

from dataclasses import replace

from proctor.core import JsonObject, ToolCall, ToolHandler, ToolMiddleware, ToolResult, canonical_json
from proctor.tools._text import clean, clean_json, cut


def check_output(limit: int) -> ToolMiddleware:
    """A middleware after which texts hold no NUL and no lone surrogate and have at most `limit` characters.

    Structured content that is longer as JSON is left out, which the text then says.
    """

    async def middleware(call: ToolCall, handler: ToolHandler) -> ToolResult:
        result = await handler(call)
        text, structured = clean(result.text), _clean_object(result.structured)
        if structured is not None and (size := len(canonical_json(structured))) > limit:
            structured = None
            note = f"\n[left out: structured content of {size:,} characters]"
            text = cut(text, max(0, limit - len(note))) + note
        return replace(result, text=cut(text, limit), structured=structured)

    return middleware


def _clean_object(value: JsonObject | None) -> JsonObject | None:
    return None if value is None else {clean(str(name)): clean_json(item) for name, item in value.items()}
