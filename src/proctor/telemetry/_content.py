"""Texts as spans may hold them, where the configuration wants them: redacted, and not longer than need be."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from opentelemetry.util.types import AttributeValue

from proctor.core import JsonObject, JsonValue, ModelCall, ModelResult, ToolCall, ToolResult, canonical_json

LONGEST = 8_000
"""Characters of one text."""

Redact: TypeAlias = Callable[[str], str]
Texts: TypeAlias = dict[str, AttributeValue]


def asked(call: ModelCall, redact: Redact) -> Texts:
    """What a model was asked."""
    instructions = [m for m in call.messages if m.get("role") == "system"]
    others = [m for m in call.messages if m.get("role") != "system"]
    texts: Texts = {"gen_ai.input.messages": canonical_json([_message(m, redact) for m in others])}
    if instructions:
        parts = [part for m in instructions for part in _parts(m, redact)]
        texts["gen_ai.system_instructions"] = canonical_json(parts)
    return texts


def answered(result: ModelResult, redact: Redact) -> Texts:
    """What a model answered."""
    message = {**_message(result.message, redact), "finish_reason": result.finish_reason}
    return {"gen_ai.output.messages": canonical_json([message])}


def called(call: ToolCall, redact: Redact) -> Texts:
    """What a tool was asked."""
    return {"gen_ai.tool.call.arguments": _short(canonical_json(call.arguments), redact)}


def returned(result: ToolResult, redact: Redact) -> Texts:
    """What a tool answered."""
    return {"gen_ai.tool.call.result": _short(result.text, redact)}


def _message(message: JsonObject, redact: Redact) -> dict[str, JsonValue]:
    return {"role": message.get("role", ""), "parts": _parts(message, redact)}


def _parts(message: JsonObject, redact: Redact) -> list[JsonValue]:
    content, wanted = message.get("content"), message.get("tool_calls")
    texts = [content] if isinstance(content, str) else []
    if isinstance(content, Sequence) and not isinstance(content, str):
        texts = [str(part["text"]) for part in content if isinstance(part, Mapping) and "text" in part]
    shown = [_short(text, redact) for text in texts]
    if message.get("role") == "tool":
        answer: JsonValue = "\n".join(shown)
        return [{"type": "tool_call_response", "id": message.get("tool_call_id"), "response": answer}]
    parts: list[JsonValue] = [{"type": "text", "content": text} for text in shown]
    for call in wanted if isinstance(wanted, Sequence) and not isinstance(wanted, str) else ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(call, Mapping) and isinstance(function, Mapping):
            arguments = _short(str(function.get("arguments", "")), redact)
            name = function.get("name")
            parts.append({"type": "tool_call", "id": call.get("id"), "name": name, "arguments": arguments})
    return parts


def _short(text: str, redact: Redact) -> str:
    """A text without what must not be seen, and then cut: half a secret would not be recognised."""
    shown = redact(text).encode(errors="replace").decode()
    return shown if len(shown) <= LONGEST else shown[:LONGEST] + "…"
