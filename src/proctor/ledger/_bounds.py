"""How many tokens a request has at most, and about how many it has, without any vocabulary."""

import json
from collections.abc import Mapping, Sequence

from proctor.core import DeploymentSettings, JsonValue, ModelCall, Usage

REQUEST_TOKENS = 128
"""What a provider's template puts around a conversation."""
MESSAGE_TOKENS = 32
"""What it puts around a message: role, marks of begin and end."""
PART_TOKENS = 16
"""Around each part of a message, and each call in it."""
TOOLS_TOKENS = 1024
"""What providers say to a model where tools are offered or a format is asked for: Claude's is 530 at most."""
TOOL_TOKENS = 64
"""Around each tool."""
IMAGE_TOKENS = 50_000
"""The dearest reading of one image that a provider publishes: gpt-4o-mini, at most 48,169."""
NUMBER_TOKENS = 24
"""A number, or a word of JSON: no 64-bit number has more characters."""
ESCAPED = 2
"""Templates write calls and results as JSON, in which a quotation mark or a line's end has two characters."""

USUAL_BYTES = 3
"""Bytes of a token in usual texts, English and (at three bytes a character) Chinese: rather too few."""
USUAL_IMAGE = 2_000
"""Tokens of a usual image."""


def most_input(call: ModelCall) -> int:
    """Tokens that a call's prompt has at most: each token stands for at least one byte."""
    size = REQUEST_TOKENS
    for message in call.messages:
        size += MESSAGE_TOKENS + _most(message, ESCAPED if message.get("role") == "tool" else 1)
    if call.tools:
        size += TOOLS_TOKENS + TOOL_TOKENS * len(call.tools) + len(json.dumps(call.tools))
    if call.response_format:
        size += TOOLS_TOKENS + len(json.dumps(call.response_format))
    return size


def most_output(call: ModelCall, deployment: DeploymentSettings) -> int:
    """Tokens that an answer has at most: the call's own bound, else the deployment's."""
    options = {**deployment.options, **call.options} if deployment.options else call.options
    # Where both names are given adapters and endpoints differ in which of them they take.
    bound = max(_count(options.get("max_completion_tokens")), _count(options.get("max_tokens")))
    return (bound or deployment.max_output) * (_count(options.get("n")) or 1)


def usual_usage(call: ModelCall, received: int) -> Usage:
    """About what a request has used of which only the text is known, of so many bytes, that came back."""
    size = sum(map(_usual, call.messages)) + sum(map(_usual, call.tools))
    return Usage(input=-(-size // USUAL_BYTES), output=-(-received // USUAL_BYTES))


def size_of(text: str) -> int:
    """Bytes of a text."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _most(value: JsonValue, times: int) -> int:
    if isinstance(value, str):
        return times * size_of(value)
    if isinstance(value, Mapping):
        if "image_url" in value:
            return PART_TOKENS + IMAGE_TOKENS
        size = PART_TOKENS
        for name, each in value.items():
            size += len(name) + _most(each, ESCAPED if name == "tool_calls" else times)
        return size
    if isinstance(value, Sequence):
        return sum(_most(each, times) for each in value)
    return NUMBER_TOKENS


def _usual(value: JsonValue) -> int:
    if isinstance(value, str):
        return USUAL_BYTES * USUAL_IMAGE if value.startswith("data:") else size_of(value)
    if isinstance(value, Mapping):
        return sum(map(_usual, value.values()))
    if isinstance(value, Sequence):
        return sum(map(_usual, value))
    return USUAL_BYTES


def _count(value: JsonValue) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
