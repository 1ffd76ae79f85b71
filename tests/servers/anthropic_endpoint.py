"""A real HTTP endpoint that speaks Claude's messages, refuses what Claude refuses, and can misbehave."""

import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager

from starlette.responses import JSONResponse, Response, StreamingResponse

from servers import openai_endpoint as chat
from servers.openai_endpoint import Body, Endpoint, Reply

USAGE = {
    "input_tokens": 12,
    "cache_read_input_tokens": 100,
    "cache_creation_input_tokens": 30,
    "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
    "output_tokens": 9,
    "output_tokens_details": {"thinking_tokens": 4},
    "service_tier": "standard",
}
_TAKEN = {
    *("model", "max_tokens", "messages", "system", "tools", "tool_choice", "stream", "stop_sequences"),
    *("thinking", "output_config", "cache_control", "metadata", "service_tier"),
}
_DELTAS = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}


def text(words: str) -> Body:
    return {"type": "text", "text": words, "citations": None}


def thinking(words: str) -> Body:
    return {"type": "thinking", "thinking": words, "signature": _signature(words)}


def tool_use(name: str = "look_up", id: str = "toolu_1", **input: object) -> Body:
    return {"type": "tool_use", "id": id, "name": name, "input": input, "caller": {"type": "direct"}}


def message(*content: Body, stop_reason: str | None = "end_turn", usage: Body | None = USAGE, **more) -> Body:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-test-1-2026",
        "content": list(content or [text("Hello there.")]),
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage,
        **more,
    }


def says(answer: Body) -> Reply:
    """Answers with a message, in events where the request asks for a stream."""

    def reply(body: Body) -> Response:
        return streams(list(events(answer)))(body) if body.get("stream") else JSONResponse(answer)

    return reply


def events(answer: Body) -> Iterator[Body]:
    """The events of a stream that says what the message says, three characters at a time."""
    usage = answer["usage"]
    start = usage and {**usage, "output_tokens": 1, "output_tokens_details": None}
    yield {
        "type": "message_start",
        "message": answer | {"content": [], "stop_reason": None, "usage": start},
    }
    for index, block in enumerate(answer["content"]):
        yield from _block_events(index, block)
    delta = {name: answer.get(name) for name in ("stop_reason", "stop_sequence", "stop_details")}
    end = usage and {
        name: usage[name] for name in ("output_tokens", "output_tokens_details") if name in usage
    }
    yield {"type": "message_delta", "delta": delta, "usage": end}
    yield {"type": "message_stop"}


def _block_events(index: int, block: Body) -> Iterator[Body]:
    kind = block["type"]
    empty = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}
    yield {"type": "content_block_start", "index": index, "content_block": block | empty.get(kind, {})}
    if index == 0:
        yield {"type": "ping"}
    deltas: list[Body] = []
    if kind in _DELTAS:
        name, key = _DELTAS[kind]
        deltas = [{"type": name, key: piece} for piece in _pieces(block[key])]
    if kind == "thinking":
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    if kind == "tool_use" and block["input"]:
        pieces = ["", *_pieces(json.dumps(block["input"], ensure_ascii=False))]
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _pieces(words: str) -> list[str]:
    return [words[start : start + 3] for start in range(0, len(words), 3)]


def streams(sent: Iterable[Body]) -> Reply:
    async def lines() -> AsyncIterator[bytes]:
        for event in sent:
            yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()

    return lambda _: StreamingResponse(lines(), media_type="text/event-stream")


def fails(status: int, kind: str = "api_error", words: str = "no", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: JSONResponse(_error(kind, words), status, headers=named)


def _error(kind: str, words: str) -> Body:
    return {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_1"}


@contextmanager
def serving(*replies: Reply) -> Iterator[Endpoint]:
    """Runs an endpoint on a free loopback port. What Claude would refuse is refused, before any reply."""
    with chat.serving(*(replies or (says(message()),)), path="/v1/messages") as endpoint:
        endpoint.url = endpoint.url.removesuffix("/v1")
        endpoint.replies = [_strict(reply) for reply in endpoint.replies]
        yield endpoint


def _strict(reply: Reply) -> Reply:
    def answer(body: Body) -> Response:
        wrong = next(complaints(body), None)
        return reply(body) if wrong is None else fails(400, "invalid_request_error", wrong)(body)

    return answer


def complaints(body: Body) -> Iterator[str]:
    """What Claude's interface says to a request that it doesn't take, as far as its documents tell."""
    for name in sorted(set(body) - _TAKEN):
        yield f"{name}: Extra inputs are not permitted"
    if not isinstance(body.get("max_tokens"), int):
        yield "max_tokens: Field required"
    turns = body["messages"]
    if [turn["role"] for turn in turns] != [("user", "assistant")[n % 2] for n in range(len(turns))]:
        yield "messages: roles must alternate, from the user on"
    if turns[-1]["role"] == "assistant":
        yield "messages: prefill is not supported"
    blocks = [block for turn in turns for block in turn["content"]]
    if any(
        not block["text"].strip() for block in [*blocks, *body.get("system", [])] if block["type"] == "text"
    ):
        yield "messages: text content blocks must be non-empty"
    if (
        sum("cache_control" in block for block in [*blocks, *body.get("system", []), *body.get("tools", [])])
        > 4
    ):
        yield "cache_control: at most 4 blocks"
    yield from _tool_complaints(body, turns, blocks)
    yield from _thinking_complaints(body, turns, blocks)


def _tool_complaints(body: Body, turns: list[Body], blocks: list[Body]) -> Iterator[str]:
    called = [block["id"] for block in blocks if block["type"] == "tool_use"]
    if called and not body.get("tools"):
        yield "tools: requests with tool_use or tool_result blocks must define tools"
    if any(not re.fullmatch("[a-zA-Z0-9_-]+", id) for id in called):
        yield "tool_use.id: String should match pattern"
    if any(not isinstance(block["input"], dict) for block in blocks if block["type"] == "tool_use"):
        yield "tool_use.input: Input should be a valid dictionary"
    for turn, following in zip(turns, [*turns[1:], {"content": []}], strict=True):
        asked = [block["id"] for block in turn["content"] if block["type"] == "tool_use"]
        head = following["content"][: len(asked)]
        if [block.get("tool_use_id") for block in head] != asked:
            yield "tool_use ids were found without tool_result blocks immediately after"


def _thinking_complaints(body: Body, turns: list[Body], blocks: list[Body]) -> Iterator[str]:
    for block in blocks:
        if block["type"] == "thinking" and block["signature"] != _signature(block["thinking"]):
            yield "thinking: Invalid `signature` in `thinking` block"
    wanted = body.get("thinking", {})
    if wanted.get("type") != "enabled":
        return
    if wanted["budget_tokens"] >= body["max_tokens"]:
        yield "max_tokens must be greater than thinking.budget_tokens"
    if body.get("tool_choice", {}).get("type") in ("any", "tool"):
        yield "Thinking may not be enabled when tool_choice forces tool use."
    loop: list[Body] = []
    for turn in reversed(turns):
        if turn["role"] == "user" and turn["content"][0]["type"] != "tool_result":
            break
        loop.insert(0, turn)
    if loop and loop[0]["content"][0]["type"] not in ("thinking", "redacted_thinking"):
        yield "Expected `thinking` or `redacted_thinking`, but found `tool_use`."


def _signature(words: str) -> str:
    return f"signed:{len(words)}:{words[:8]}"
