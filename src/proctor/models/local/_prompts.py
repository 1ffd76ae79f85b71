"""The words by which a small model is told its tools, and the form in which it sees what happened so far.

All of it is a pure function of the request, byte for byte, so that the server finds the beginning of a
prompt in its cache. The tools come first: they change least.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from proctor.core import JsonObject, JsonValue
from proctor.models.local._schemas import items

_HOW = """\
Answer with one JSON object that calls one tool: {"name": "<tool>", "arguments": {<its arguments>}}
To speak to the user call %(reply)s: \
{"name": "%(reply)s", "arguments": {"text": "<words in the user's language>"}}
You know and do nothing by yourself: every fact comes from a tool's result, every action is a tool call. \
Call the tool that the user's wish needs as soon as the conversation holds its required arguments, and copy \
them exactly. When a required argument is missing, ask for it in a reply; the examples in the tools' \
descriptions are not the user's. When the result that answers the user is there, reply with it and call no \
tool again."""
_REPLY_ABOUT = "Answer or greet the user, or ask for a missing argument."

_GO_ON = "Go on."


def instructions(tools: Sequence[JsonObject], system: Sequence[str], reply: str) -> str:
    """The system message: the tools, how to call them, and the agent's own instructions.

    Speaking is one more tool, named `reply`: a small model picks well among names, badly between two forms.
    """
    listing = "\n".join([*(_tool(tool) for tool in tools), f"- {reply}(text: string): {_REPLY_ABOUT}"])
    return "\n\n".join((f"# Tools\n{listing}", f"# Form of your answers\n{_HOW % {'reply': reply}}", *system))


def call_text(name: str, arguments: JsonValue) -> str:
    """A tool call as the model writes it."""
    return json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)


def content_text(content: JsonValue) -> str:
    """The text of a message's content, whether it is a string or a list of parts."""
    if isinstance(content, str):
        return content
    parts = (part.get("text") for part in items(content) if isinstance(part, Mapping))
    return "\n".join(part for part in parts if isinstance(part, str))


def conversation(messages: Sequence[JsonObject], reply: str | None) -> list[JsonObject]:
    """The messages after the system's as alternating turns of user and assistant, without tool roles.

    Where there are tools, what the assistant said before is shown as the calls of `reply` that it was.
    The last one is always the user's: a grammar is refused after an assistant's.
    """
    names = {
        str(call.get("id")): _called(call)[0]
        for message in messages
        for call in items(message.get("tool_calls"))
        if isinstance(call, Mapping)
    }
    turns: list[tuple[str, str]] = []
    for message in messages:
        for role, text in _turns(message, names, reply):
            if turns and turns[-1][0] == role:
                turns[-1] = (role, f"{turns[-1][1]}\n{text}")
            else:
                turns.append((role, text))
    if not turns or turns[-1][0] == "assistant":
        turns.append(("user", _GO_ON))
    return [{"role": role, "content": text} for role, text in turns]


def _turns(message: JsonObject, names: Mapping[str, str], reply: str | None) -> list[tuple[str, str]]:
    text = content_text(message.get("content"))
    match message.get("role"):
        case "system" | "developer":
            return []
        case "tool":
            name = names.get(str(message.get("tool_call_id")), "the tool")
            return [("user", f"Result of {name}: {text}")]
        case "assistant":
            calls = [_called(call) for call in items(message.get("tool_calls")) if isinstance(call, Mapping)]
            # Words beside a call are left out: the model could not have written both.
            if calls:
                return [("assistant", call_text(name, arguments)) for name, arguments in calls]
            return [("assistant", call_text(reply, {"text": text}) if reply else text)]
        case _:
            return [("user", text)]


def _called(call: JsonObject) -> tuple[str, JsonValue]:
    function = call.get("function")
    if not isinstance(function, Mapping):
        return "", {}
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            arguments = {}
    return str(function.get("name", "")), arguments


def _tool(tool: JsonObject) -> str:
    function = tool.get("function")
    if not isinstance(function, Mapping):
        return ""
    parameters = function.get("parameters")
    lines = [f"- {function.get('name')}{_signature(parameters)}: {_flat(function.get('description'))}"]
    properties = parameters.get("properties") if isinstance(parameters, Mapping) else None
    if isinstance(properties, Mapping):
        for name, schema in properties.items():
            about = _flat(schema.get("description")) if isinstance(schema, Mapping) else ""
            if about:
                lines.append(f"    {name}: {about}")
    return "\n".join(lines)


def _signature(parameters: JsonValue) -> str:
    if not isinstance(parameters, Mapping):
        return "()"
    properties = parameters.get("properties")
    required = items(parameters.get("required"))
    if not isinstance(properties, Mapping):
        return "()"
    written = (
        f"{name}{'' if name in required else '?'}: {_kind(schema)}" for name, schema in properties.items()
    )
    return f"({', '.join(written)})"


def _kind(schema: JsonValue) -> str:
    """A type in the shortest common notation: `string[]`, `"a" | "b"`, `{city: string}`."""
    if not isinstance(schema, Mapping):
        return "any"
    if choices := items(schema.get("enum")):
        return " | ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)
    if options := items(schema.get("anyOf")):
        return " | ".join(_kind(option) for option in options)
    kind = schema.get("type", "any")
    if kind == "array":
        return f"{_kind(schema.get('items'))}[]"
    if kind == "object" and "properties" in schema:
        return "{" + _signature(schema)[1:-1] + "}"
    return str(kind)


def _flat(text: JsonValue) -> str:
    return " ".join(text.split()) if isinstance(text, str) else ""
