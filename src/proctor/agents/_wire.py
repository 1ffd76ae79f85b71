"""AutoGen's messages to chat completions and back."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, assert_never, cast

from autogen_core import FunctionCall, Image
from autogen_core.models import (
    AssistantMessage,
    CreateResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    RequestUsage,
    SystemMessage,
    UserMessage,
)
from autogen_core.tools import Tool, ToolSchema
from pydantic import BaseModel

from proctor.core import JsonObject, JsonValue, ModelNonsense, ModelResult, canonical_json

SHOWN = 1000
"""Characters of unreadable arguments that stay in the conversation."""


def messages_to_wire(messages: Sequence[LLMMessage]) -> tuple[JsonObject, ...]:
    """The messages as chat completions take them."""
    wire: list[JsonObject] = []
    for message in messages:
        match message:
            case SystemMessage():
                wire.append({"role": "system", "content": message.content})
            case UserMessage():
                wire.append({"role": "user", "name": message.source, "content": _user_content(message)})
            case AssistantMessage():
                wire.append(_assistant(message))
            case FunctionExecutionResultMessage():
                wire.extend(
                    {"role": "tool", "tool_call_id": result.call_id, "content": result.content}
                    for result in message.content
                )
            case _:
                assert_never(message)
    return tuple(wire)


def _user_content(message: UserMessage) -> JsonValue:
    if isinstance(message.content, str):
        return message.content
    parts: list[JsonValue] = []
    for part in message.content:
        if isinstance(part, Image):
            parts.append({"type": "image_url", "image_url": {"url": part.data_uri}})
        else:
            parts.append({"type": "text", "text": part})
    return parts


def _assistant(message: AssistantMessage) -> JsonObject:
    if isinstance(message.content, str):
        return {"role": "assistant", "content": message.content}
    calls: list[JsonValue] = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in message.content
    ]
    return {"role": "assistant", "content": message.thought, "tool_calls": calls}


def tools_to_wire(tools: Sequence[Tool | ToolSchema]) -> tuple[JsonObject, ...]:
    """The tools as chat completions take them, in the agent's order."""
    return tuple(_tool(tool.schema if isinstance(tool, Tool) else tool) for tool in tools)


def _tool(schema: ToolSchema) -> JsonObject:
    empty: JsonObject = {"type": "object", "properties": {}}
    function: dict[str, JsonValue] = {
        "name": schema["name"],
        "description": schema.get("description", ""),
        "parameters": cast("JsonObject", schema.get("parameters", empty)),
    }
    return {"type": "function", "function": function}


def choice_to_wire(choice: Any, tools: Sequence[JsonObject]) -> JsonValue:
    """The tool choice; nothing where there is no tool to choose."""
    if not tools:
        return None
    if isinstance(choice, Tool):
        return {"type": "function", "function": {"name": choice.name}}
    return cast("JsonValue", None if choice == "auto" else choice)


def format_to_wire(json_output: bool | type[BaseModel] | None) -> JsonObject | None:  # noqa: FBT001 - AutoGen's
    """The response format: a schema, any JSON, or none asked for."""
    if json_output is None or json_output is False:
        return None
    if json_output is True:
        return {"type": "json_object"}
    schema = cast("JsonObject", json_output.model_json_schema())
    return {"type": "json_schema", "json_schema": {"name": json_output.__name__, "schema": schema}}


def result_from_wire(result: ModelResult) -> CreateResult:
    """A model's answer as AutoGen takes it.

    Raises:
        ModelNonsense: the message holds neither text nor calls.
    """
    message = cast("Mapping[str, Any]", result.message)
    usage = RequestUsage(prompt_tokens=result.usage.input, completion_tokens=result.usage.output)
    calls = message.get("tool_calls")
    text = message.get("content")
    if calls:
        content: str | list[FunctionCall] = [
            FunctionCall(
                id=call["id"],
                name=call["function"]["name"],
                arguments=_readable(call["function"]["arguments"] or "{}"),
            )
            for call in calls
        ]
        return CreateResult(
            finish_reason="function_calls",
            content=content,
            usage=usage,
            cached=result.cached,
            thought=text or None,
        )
    if not isinstance(text, str):
        raise ModelNonsense(f"{result.deployment} answered neither text nor tool calls")
    text = _whole(text)
    reason = "stop" if result.finish_reason == "tool_calls" else result.finish_reason
    return CreateResult(finish_reason=reason, content=text, usage=usage, cached=result.cached)


def bare(text: str) -> str:
    """The JSON of an answer, without the fence that models like to put around it."""
    return text.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()


def _readable(arguments: str) -> str:
    """The arguments where they are an object of plain JSON, or none; else what AutoGen refuses to the model.

    On what is JSON and no such object, as a list for a handoff or a number of 5,000 digits, AutoGen breaks.
    """
    try:
        value = json.loads(arguments)
        if value is None:
            return "{}"
        if isinstance(value, Mapping):
            canonical_json(value).encode()
            return arguments
    except json.JSONDecodeError:
        return _whole(arguments)
    except (ValueError, RecursionError):
        pass
    return f"not a JSON object: {_whole(arguments[:SHOWN])}"


def _whole(text: str) -> str:
    """The text without lone surrogates, which no provider takes back."""
    return text.encode("utf-8", "replace").decode()


def arguments_from(value: Mapping[str, Any] | None) -> JsonObject:
    """A tool's arguments as plain JSON."""
    return cast("JsonObject", json.loads(json.dumps(value or {})))
