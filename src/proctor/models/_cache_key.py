"""The key of a request: two that differ in anything that matters have different ones."""

from collections.abc import Mapping, Sequence

from proctor.core import DeploymentSettings, JsonObject, JsonValue, ModelCall, digest

_FORM = 1
"""Of what is kept under a key. What an older form kept isn't found any more."""


def shape_of(settings: DeploymentSettings) -> JsonObject:
    """What a deployment adds to every request, and who answers it."""
    return {
        "provider": settings.provider,
        "address": settings.address,
        "model": settings.model,
        "options": settings.options,
        "max_output": settings.max_output,
        "tools": settings.tools,
    }


def key_of(call: ModelCall, shape: JsonObject) -> str:
    """The key of a request to a deployment of that shape.

    It holds the tenant, but no team, agent or run: what the model is asked is all in the request.
    """
    return digest([_FORM, call.scope.tenant, shape, _request(call, call.messages)])


def family_of(call: ModelCall, shape: JsonObject) -> str:
    """What all requests share that differ from this one in the text of their last message only."""
    *before, last = call.messages
    return digest([_FORM, call.scope.tenant, shape, _request(call, (*before, {**last, "content": None}))])


def _request(call: ModelCall, messages: Sequence[JsonObject]) -> JsonObject:
    return {**call.request(), "messages": _numbered(messages)}


def _numbered(messages: Sequence[JsonObject]) -> tuple[JsonObject, ...]:
    """The messages with the ids of tool calls replaced by numbers.

    An id says which result belongs to which call, and is another one at each conversation: with ids a
    conversation that called a tool would never be met again.
    """
    numbers: dict[str, int] = {}

    def number(holder: JsonObject, name: str) -> JsonObject:
        id = holder.get(name)
        if not isinstance(id, str):
            return holder
        return {**holder, name: {"number": numbers.setdefault(id, len(numbers))}}

    def numbered(message: JsonObject) -> JsonObject:
        calls = message.get("tool_calls")
        if isinstance(calls, Sequence) and not isinstance(calls, str):
            renamed: list[JsonValue] = [
                number(call, "id") if isinstance(call, Mapping) else call for call in calls
            ]
            message = {**message, "tool_calls": renamed}
        return number(message, "tool_call_id")

    return tuple(numbered(message) for message in messages)
