"""Tool calls for models that can't make them: the tools become one JSON schema that the server enforces.

Two pure functions over the chat-completions wire. They don't know who sends the request nor which server
answers; the server has to honour `response_format: json_schema`, as llama.cpp, Ollama and vLLM do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pydantic_core import from_json

from proctor.core import JsonObject, JsonValue, ModelNonsense, digest, read_object
from proctor.models.local._prompts import content_text, conversation, instructions
from proctor.models.local._schemas import items, simplified

_REWRITTEN = ("tools", "tool_choice", "parallel_tool_calls", "response_format", "messages", "stream_options")


def constrain(request: JsonObject) -> dict[str, JsonValue]:
    """A request without tools that makes the model write exactly one tool call or one reply.

    A request without tools keeps its response format; only what its history holds of tools is rewritten.
    Answers come whole, never as a stream: half a call is of no use to anyone.
    """
    tools = _functions(request)
    sent = {key: value for key, value in request.items() if key not in _REWRITTEN}
    messages = [message for message in items(request.get("messages")) if isinstance(message, Mapping)]
    system = [
        content_text(message.get("content"))
        for message in messages
        if message.get("role") in ("system", "developer")
    ]
    if not tools:
        turns = conversation(messages, None)
        first = [{"role": "system", "content": "\n\n".join(system)}] if system else []
        kept = {"response_format": request["response_format"]} if request.get("response_format") else {}
        return {**sent, **kept, "stream": False, "messages": [*first, *turns]}
    reply = _reply_name(tools)
    # The tools stay in the prompt whatever may be called this time, so that its beginning stays in the cache.
    prompt: JsonObject = {"role": "system", "content": instructions(tools, system, reply)}
    return {
        **sent,
        "stream": False,
        "messages": [prompt, *conversation(messages, reply)],
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "answer",
                "strict": True,
                "schema": _answer_schema(request, tools, reply),
            },
        },
    }


def interpret(response: JsonObject, request: JsonObject) -> dict[str, JsonValue]:
    """The response to a constrained request as if the model had answered the original one.

    Usage, timings and whatever else the server said are kept. An answer that was cut off stays `length`, with
    as much of a reply as had been written and never with half a call.

    Raises:
        ModelNonsense: an answer ended regularly and is neither a call of an offered tool nor a reply.
    """
    tools = _functions(request)
    if not tools:
        return dict(response)
    names = {str(_function(tool).get("name")) for tool in tools}
    reply = _reply_name(tools)
    salt = str(len(items(request.get("messages"))))
    choices = [
        _read_choice(choice, names, reply, salt)
        for choice in items(response.get("choices"))
        if isinstance(choice, Mapping)
    ]
    return {**response, "choices": choices}


def _functions(request: JsonObject) -> list[JsonObject]:
    return [tool for tool in items(request.get("tools")) if isinstance(tool, Mapping) and "function" in tool]


def _reply_name(tools: Sequence[JsonObject]) -> str:
    """The name under which the model speaks, which no tool has."""
    names = {_function(tool).get("name") for tool in tools}
    return next(name for name in ("reply", "reply_to_user", "speak_to_user") if name not in names)


def _function(tool: JsonObject) -> JsonObject:
    function = tool.get("function")
    return function if isinstance(function, Mapping) else {}


def _answer_schema(request: JsonObject, tools: Sequence[JsonObject], reply: str) -> JsonObject:
    choice = request.get("tool_choice")
    named = _function(choice).get("name") if isinstance(choice, Mapping) else None
    branches: list[JsonValue] = []
    if choice != "none":
        branches.extend(
            _call_branch(_function(tool)) for tool in tools if named in (None, _function(tool).get("name"))
        )
    if choice != "required" and named is None:
        text = _text_schema(request.get("response_format"))
        branches.append(_branch({"name": {"const": reply}, "arguments": _branch({"text": text})}))
    return {"anyOf": branches}


def _call_branch(function: JsonObject) -> JsonObject:
    parameters = function.get("parameters")
    arguments = simplified(parameters) if parameters else _branch({})
    return _branch({"name": {"const": function.get("name")}, "arguments": arguments})


def _branch(properties: JsonObject) -> JsonObject:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _text_schema(response_format: JsonValue) -> JsonObject:
    """What a reply may be: text, or what the caller asked replies to be."""
    wanted = response_format if isinstance(response_format, Mapping) else {}
    if wanted.get("type") == "json_object":
        return {"type": "object"}
    format_schema = wanted.get("json_schema")
    if isinstance(format_schema, Mapping):
        return simplified(format_schema.get("schema"))
    return {"type": "string"}


def _read_choice(choice: JsonObject, names: set[str], reply: str, salt: str) -> JsonObject:
    message = choice.get("message")
    text = content_text(message.get("content")) if isinstance(message, Mapping) else ""
    if choice.get("finish_reason") != "stop":
        return {**choice, "message": {"role": "assistant", "content": _partial_reply(text, reply)}}
    try:
        answer = read_object(text)
    except ValueError as error:
        raise ModelNonsense(f"the local model's answer is no JSON object: {text[:200]!r}") from error
    name, arguments = answer.get("name"), answer.get("arguments")
    if not isinstance(arguments, Mapping) or name not in [*names, reply]:
        raise ModelNonsense(f"the local model called no tool that was offered: {text[:200]!r}")
    if name == reply:
        return {**choice, "message": {"role": "assistant", "content": _spoken(arguments.get("text"))}}
    call: JsonObject = {
        "id": f"call_{digest([salt, name, arguments])[:24]}",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)},
    }
    called = {"role": "assistant", "content": None, "tool_calls": [call]}
    return {**choice, "finish_reason": "tool_calls", "message": called}


def _partial_reply(text: str, reply: str) -> str:
    """What had been written of a reply before the answer was cut off."""
    try:
        answer = from_json(text, allow_partial="trailing-strings")
    except ValueError:
        return ""
    match answer:
        case {"name": name, "arguments": {"text": str(words)}} if name == reply:
            return words
        case _:
            return ""


def _spoken(reply: JsonValue) -> str:
    return reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False)
