"""Chat completions to Claude's messages: what a call says, in the words of the other wire."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from proctor.core import JsonObject, JsonValue, ModelCall, ModelRefused
from proctor.models._claude_thoughts import Thoughts, call_ids
from proctor.models._deployments import Deployment
from proctor.models._requests import bound_in

_ELSEWHERE = frozenset(
    (
        *("model", "messages", "system", "tools", "tool_choice", "stream", "stream_options"),
        *("max_tokens", "max_completion_tokens", "stop", "parallel_tool_calls", "response_format"),
    )
)
"""Arguments that have their own place in a message request."""
_UNKNOWN = frozenset(
    (
        *("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs"),
        *("top_logprobs", "n", "seed", "user", "store", "prediction", "modalities", "audio", "verbosity"),
        *("reasoning_effort", "prompt_cache_key", "prompt_cache_retention", "safety_identifier"),
    )
)
"""Arguments of chat completions that Claude's interface refuses: a stand-in must not fail for them."""
_GO_ON = "Go on."
_JSON = "Answer with one JSON object and nothing else: no word before or after it, no code fence."
_EPHEMERAL: JsonObject = {"type": "ephemeral"}
_DATA_URL = re.compile(r"data:(image/[\w.+-]+);base64,(.*)", re.DOTALL)
_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")
"""What the ids of other providers' tool calls may hold, and Claude's don't."""


@dataclass(slots=True)
class _Turn:
    role: str
    blocks: list[JsonObject]
    is_recalled: bool = False
    """Whether it begins with an answer as it came, thoughts included."""


def claude_body(call: ModelCall, deployment: Deployment, thoughts: Thoughts) -> dict[str, JsonValue]:
    """The JSON that asks for a message.

    Raises:
        ModelRefused: the call holds what can't be said to Claude.
    """
    settings = deployment.settings
    options = {**settings.options, **call.options}
    system, turns = _conversation(call.messages, thoughts, settings.model)
    tools = [_tool(tool) for tool in call.tools] or _called(turns)
    body = {name: value for name, value in options.items() if name not in _ELSEWHERE and name not in _UNKNOWN}
    body["model"] = settings.model
    body["max_tokens"] = bound_in(options) or settings.max_output
    if stop := options.get("stop"):
        body["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    if tools:
        body["tool_choice"] = _choice(call, options)
    _add_format(body, system, call.response_format)
    if not _may_think(body, turns):
        del body["thinking"]
    if settings.prompt_cache:
        _mark(system or tools)
        _mark(turns[-1].blocks)
    if tools:
        body["tools"] = tools
    if system:
        body["system"] = system
    body["messages"] = [{"role": turn.role, "content": turn.blocks} for turn in turns]
    return body


def _conversation(
    messages: Sequence[JsonObject], thoughts: Thoughts, model: str
) -> tuple[list[JsonObject], list[_Turn]]:
    """What stands above the conversation, and its turns: the user's and Claude's, one after the other."""
    system: list[str] = []
    turns: list[_Turn] = []
    for message in messages:
        content = message.get("content")
        match message.get("role"):
            case "system" | "developer" if not turns:
                system.extend(_texts(content))
            case "system" | "developer":
                _add(turns, "user", [_text(f"<system>\n{text}\n</system>") for text in _texts(content)])
            case "assistant":
                _add_assistant(turns, message, thoughts, model)
            case "tool":
                _add(turns, "user", [_tool_result(message)])
            case _:
                _add(turns, "user", _user_blocks(message))
    if not turns or turns[-1].role == "assistant":
        # Claude would take its own last words for the beginning of its answer, or refuse them.
        _add(turns, "user", [_text(_GO_ON)])
    if turns[0].role == "assistant":
        turns.insert(0, _Turn("user", [_text(_GO_ON)]))
    for turn in turns:
        turn.blocks.sort(key=lambda block: turn.role == "user" and block["type"] != "tool_result")
    return [_text("\n\n".join(system))] if system else [], turns


def _add(turns: list[_Turn], role: str, blocks: list[JsonObject], *, is_recalled: bool = False) -> None:
    if blocks and turns and turns[-1].role == role:
        turns[-1].blocks.extend(blocks)
    elif blocks:
        turns.append(_Turn(role, blocks, is_recalled))


def _add_assistant(turns: list[_Turn], message: JsonObject, thoughts: Thoughts, model: str) -> None:
    thought = thoughts.recall(model, call_ids(message))
    if thought is not None:
        _add(turns, "assistant", list(thought.blocks), is_recalled=True)
    else:
        said = [_text(text) for text in _texts(message.get("content"))]
        calls = [_tool_use(call) for call in _items(message.get("tool_calls")) if isinstance(call, Mapping)]
        _add(turns, "assistant", [*said, *calls])


def _user_blocks(message: JsonObject) -> list[JsonObject]:
    name = message.get("name")
    blocks = [_image(part) or _text(text) for part, text in _parts(message.get("content"))]
    if not blocks or not name or name == "user":
        return blocks
    # Chat completions tell beside the text who of several speaks.
    head, tail = f'<message from="{name}">', "</message>"
    match blocks:
        case [{"type": "text", "text": text}]:
            return [_text(f"{head}\n{text}\n{tail}")]
        case _:
            return [_text(head), *blocks, _text(tail)]


def _parts(content: JsonValue) -> Iterator[tuple[JsonObject, str]]:
    """Each part of a content that isn't blank, with its text."""
    for item in [{"type": "text", "text": content}] if isinstance(content, str) else _items(content):
        part = item if isinstance(item, Mapping) else {}
        text = part.get("text")
        if part.get("type") != "text":
            yield part, ""
        elif isinstance(text, str) and text.strip():
            yield part, text


def _texts(content: JsonValue) -> list[str]:
    return [text for _, text in _parts(content) if text]


def _image(part: JsonObject) -> JsonObject | None:
    if part.get("type") == "text":
        return None
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, Mapping) else None
    if not isinstance(url, str):
        raise ModelRefused(f"Claude takes texts and images, and no {part.get('type')}")
    if data := _DATA_URL.fullmatch(url):
        source: JsonObject = {"type": "base64", "media_type": data[1], "data": data[2]}
    else:
        source = {"type": "url", "url": url}
    return {"type": "image", "source": source}


def _tool_result(message: JsonObject) -> JsonObject:
    result: dict[str, JsonValue] = {"type": "tool_result", "tool_use_id": _id(message.get("tool_call_id"))}
    if text := "\n".join(_texts(message.get("content"))):
        result["content"] = text
    return result


def _tool_use(call: JsonObject) -> JsonObject:
    function = call.get("function")
    name, arguments = (
        (function.get("name"), function.get("arguments")) if isinstance(function, Mapping) else (None, None)
    )
    return {"type": "tool_use", "id": _id(call.get("id")), "name": name, "input": _input(arguments)}


def _input(arguments: JsonValue) -> JsonObject:
    """The arguments as an object, also where an earlier model wrote something else."""
    try:
        value = json.loads(arguments) if isinstance(arguments, str) and arguments.strip() else {}
    except ValueError:
        value = arguments
    return value if isinstance(value, Mapping) else {"arguments": value}


def _id(id: JsonValue) -> str:
    return _UNFIT.sub("_", str(id))


def _tool(tool: JsonObject) -> JsonObject:
    function = tool.get("function")
    function = function if isinstance(function, Mapping) else {}
    schema = function.get("parameters")
    schema = {"type": "object", **schema} if isinstance(schema, Mapping) else {"type": "object"}
    described = {"description": function["description"]} if function.get("description") else {}
    return {"name": function.get("name"), **described, "input_schema": schema}


def _called(turns: Sequence[_Turn]) -> list[JsonObject]:
    """The tools that were called, for a call that offers none: Claude knows no calls without their tools."""
    names = {block["name"]: 0 for turn in turns for block in turn.blocks if block["type"] == "tool_use"}
    return [{"name": name, "input_schema": {"type": "object"}} for name in names]


def _choice(call: ModelCall, options: JsonObject) -> JsonObject:
    wanted = call.tool_choice if call.tools else "none"
    function = wanted.get("function") if isinstance(wanted, Mapping) else None
    if wanted == "none":
        return {"type": "none"}
    alone = {"disable_parallel_tool_use": True} if options.get("parallel_tool_calls") is False else {}
    if isinstance(function, Mapping):
        return {"type": "tool", "name": function.get("name"), **alone}
    return {"type": "any" if wanted == "required" else "auto", **alone}


def _add_format(
    body: dict[str, JsonValue], system: list[JsonObject], response_format: JsonObject | None
) -> None:
    kind = response_format.get("type") if response_format else None
    if response_format and kind == "json_schema":
        wanted, config = response_format.get("json_schema"), body.get("output_config")
        shape: JsonObject = {"type": "json_schema", "schema": _closed(wanted)}
        body["output_config"] = {**(config if isinstance(config, Mapping) else {}), "format": shape}
    elif kind == "json_object":
        system.append(_text(_JSON))


def _closed(wanted: JsonValue) -> JsonValue:
    """The schema as Claude takes it: what it doesn't know of JSON Schema goes into descriptions."""
    from anthropic import transform_schema

    schema = wanted.get("schema") if isinstance(wanted, Mapping) else None
    try:
        closed: JsonValue = transform_schema(dict(schema) if isinstance(schema, Mapping) else {})
    except (ValueError, TypeError, AttributeError) as error:
        raise ModelRefused(
            f"Claude can't be held to this schema: {error}", hint="Give each part of the answer a type."
        ) from None
    return closed


def _may_think(body: JsonObject, turns: Sequence[_Turn]) -> bool:
    """Whether thinking with a budget is allowed here, where it is asked for.

    It is not beside a forced tool call, nor while tools answer unless the thoughts before the first call of
    the turn are sent back. Adaptive thinking knows no such rules.
    """
    thinking, choice = body.get("thinking"), body.get("tool_choice")
    if not isinstance(thinking, Mapping) or thinking.get("type") != "enabled":
        return True
    if isinstance(choice, Mapping) and choice["type"] in ("any", "tool"):
        return False
    first: _Turn | None = None
    for turn in reversed(turns):
        if turn.role == "assistant":
            first = turn
        elif turn.blocks[0]["type"] != "tool_result":
            break
    return first is None or first.is_recalled


def _mark(blocks: list[JsonObject]) -> None:
    """Lets Claude remember the prompt up to the last of the blocks."""
    if blocks:
        blocks[-1] = {**blocks[-1], "cache_control": _EPHEMERAL}


def _text(text: str) -> JsonObject:
    return {"type": "text", "text": text}


def _items(value: JsonValue) -> Sequence[JsonValue]:
    return value if isinstance(value, list | tuple) else ()
