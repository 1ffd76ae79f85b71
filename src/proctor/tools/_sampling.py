"""Sampling: a server's request to a model, in the shape of our own model calls, and the answer to it."""

from collections.abc import Iterable
from typing import get_args

from mcp_types import (
    AudioContent,
    CreateMessageRequestParams,
    CreateMessageResult,
    ImageContent,
    SamplingMessage,
    TextContent,
)

from proctor.core import JsonObject, JsonValue, ModelResult, SamplingSettings
from proctor.tools._results import text_of_block
from proctor.tools._text import clean

_REASONS = {"stop": "endTurn", "length": "maxTokens"}


def messages_of(params: CreateMessageRequestParams) -> tuple[JsonObject, ...]:
    """The conversation as chat completions take it, images and sounds as references.

    `include_context` adds nothing: what other servers and the run have said is none of this server's.
    """
    system = params.system_prompt
    first: list[JsonObject] = [{"role": "system", "content": clean(system)}] if system else []
    return (*first, *({"role": message.role, "content": _text(message)} for message in params.messages))


def options_of(params: CreateMessageRequestParams, settings: SamplingSettings) -> JsonObject:
    """The further arguments of the request, never for more tokens than the configuration allows."""
    options: dict[str, JsonValue] = {"max_tokens": min(params.max_tokens, settings.max_tokens)}
    if params.temperature is not None:
        options["temperature"] = params.temperature
    if params.stop_sequences:
        options["stop"] = tuple(params.stop_sequences)
    return options


def sampled(result: ModelResult) -> CreateMessageResult:
    """A model's answer as the server is told it."""
    return CreateMessageResult(
        role="assistant",
        content=TextContent(text=str(result.message.get("content") or "")),
        model=result.model,
        stop_reason=_REASONS.get(result.finish_reason, result.finish_reason),
    )


def _text(message: SamplingMessage) -> str:
    return clean("\n".join(_texts(message)))


def _texts(message: SamplingMessage) -> Iterable[str]:
    blocks = message.content if isinstance(message.content, list) else [message.content]
    for block in blocks:
        if isinstance(block, get_args(TextContent | ImageContent | AudioContent)):
            yield text_of_block(block)
        else:
            yield f"[{block.type}]"
