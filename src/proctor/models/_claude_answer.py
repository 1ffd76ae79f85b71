"""Claude's messages, whole or in events, told as chat completions to the reader of those."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from proctor.core import FinishReason, JsonObject, JsonValue, ModelNonsense
from proctor.models._answer import Answer

_REASONS: Mapping[JsonValue, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "refusal": "content_filter",
}
_TEXTS = {"text": "content", "thinking": "reasoning_content"}
"""Blocks that hold text, under their own names, and what chat completions call it."""


@dataclass(slots=True)
class _Block:
    start: JsonObject
    pieces: list[str] = field(default_factory=list)
    signature: str = ""

    def wire(self) -> JsonObject | None:
        """The block as it is sent back; nothing where that can't be done."""
        kind, text = self.start.get("type"), "".join(self.pieces)
        match kind:
            case "thinking":
                return {"type": kind, "thinking": text, "signature": self.signature}
            case "redacted_thinking":
                return {"type": kind, "data": self.start.get("data")}
            case "text" if text.strip():
                return {"type": kind, "text": text}
            case "tool_use":
                id, name = self.start.get("id"), self.start.get("name")
                return {"type": kind, "id": id, "name": name, "input": _input(text)}
            case _:
                return None


def _input(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text or "{}")
    except ValueError:
        return None
    return value


class ClaudeAnswer:
    """One answer of Claude's being put together."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._blocks: dict[JsonValue, _Block] = {}
        self._counts: dict[str, int] = {}

    def read_message(self, body: object) -> None:
        """Takes a whole message.

        Raises:
            ModelNonsense: it has not the shape of one.
        """
        message = _object(body, "answer")
        if message.get("type") != "message":
            raise ModelNonsense(f"the answer is no message: {str(message)[:300]}")
        content = message.get("content")
        if not isinstance(content, list):
            raise ModelNonsense("the answer's content is not an array")
        self._start(message)
        for index, block in enumerate(content):
            self._open(index, _object(block, "block"))
        self._end(message)

    def read_event(self, body: object) -> None:
        """Takes the next event of a stream.

        Raises:
            ModelNonsense: it has not the shape of one.
        """
        event = _object(body, "event")
        match event.get("type"):
            case "message_start":
                self._start(_object(event.get("message"), "message"))
            case "content_block_start":
                self._open(event.get("index"), _object(event.get("content_block"), "block"))
            case "content_block_delta":
                self._add(event.get("index"), _object(event.get("delta"), "piece"))
            case "message_delta":
                self._end({**_object(event.get("delta"), "end"), "usage": event.get("usage")})

    def blocks(self) -> list[JsonObject]:
        """What is sent back where tools are called: thoughts, text and calls; nothing where it can't be."""
        blocks = [wire for block in self._blocks.values() if (wire := block.wire()) is not None]
        fit = all(isinstance(block.get("input", {}), Mapping) for block in blocks)
        return blocks if fit else []

    def _start(self, message: JsonObject) -> None:
        self._answer.read({"model": message.get("model"), "usage": self._usage(message)})

    def _end(self, message: JsonObject) -> None:
        reason = message.get("stop_reason")
        details = message.get("stop_details")
        explained = details.get("explanation") if _is_object(details) else None
        self._tell({"refusal": explained}, _REASONS.get(reason, reason))
        self._answer.read({"usage": self._usage(message)})

    def _open(self, index: JsonValue, start: JsonObject) -> None:
        block = self._blocks[index] = _Block(start)
        kind = start.get("type")
        if kind == "tool_use":
            function = {"name": start.get("name"), "arguments": ""}
            self._tell({"tool_calls": [{"index": index, "id": start.get("id"), "function": function}]})
            if start.get("input"):
                self._add_arguments(index, block, json.dumps(start["input"], ensure_ascii=False))
        elif isinstance(kind, str) and kind in _TEXTS:
            self._add_text(block, kind, start.get(kind))
            block.signature = _text(start, "signature")

    def _add(self, index: JsonValue, piece: JsonObject) -> None:
        block = self._blocks.get(index)
        if block is None:
            raise ModelNonsense("the answer goes on with a block that it hasn't begun")
        match piece.get("type"):
            case "text_delta":
                self._add_text(block, "text", piece.get("text"))
            case "thinking_delta":
                self._add_text(block, "thinking", piece.get("thinking"))
            case "signature_delta":
                block.signature += _text(piece, "signature")
            case "input_json_delta":
                self._add_arguments(index, block, _text(piece, "partial_json"))

    def _add_text(self, block: _Block, kind: str, text: JsonValue) -> None:
        self._tell({_TEXTS[kind]: text})
        if isinstance(text, str):
            block.pieces.append(text)

    def _add_arguments(self, index: JsonValue, block: _Block, arguments: str) -> None:
        block.pieces.append(arguments)
        self._tell({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]})

    def _tell(self, delta: JsonObject, reason: JsonValue = None) -> None:
        self._answer.read({"choices": [{"delta": delta, "finish_reason": reason}]})

    def _usage(self, message: JsonObject) -> JsonObject | None:
        """All that was counted so far: later counts take the place of earlier ones."""
        usage = message.get("usage")
        if not _is_object(usage):
            return None
        self._counts |= {name: count for name, count in usage.items() if isinstance(count, int)}
        if _is_object(details := usage.get("output_tokens_details")):
            self._counts |= {name: count for name, count in details.items() if isinstance(count, int)}
        counts = self._counts
        if "input_tokens" not in counts or "output_tokens" not in counts:
            return None
        read, written = counts.get("cache_read_input_tokens", 0), counts.get("cache_creation_input_tokens", 0)
        return {
            # Claude counts apart what was read from its cache or written there.
            "prompt_tokens": counts["input_tokens"] + read + written,
            "completion_tokens": counts["output_tokens"],
            "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
            "completion_tokens_details": {"reasoning_tokens": counts.get("thinking_tokens", 0)},
        }


def _object(value: object, what: str) -> JsonObject:
    if not _is_object(value):
        raise ModelNonsense(f"the answer's {what} is not a JSON object")
    return value


def _is_object(value: object) -> TypeGuard[JsonObject]:
    return isinstance(value, dict)


def _text(body: JsonObject, name: str) -> str:
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    raise ModelNonsense(f"the answer's {name} is not text")
