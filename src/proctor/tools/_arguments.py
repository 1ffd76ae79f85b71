"""The arguments of a call held against the tool's own schema, before anything acts on them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from jsonschema.exceptions import ValidationError, best_match

from proctor.core import (
    JsonObject,
    JsonValue,
    ToolCall,
    ToolHandler,
    ToolMiddleware,
    ToolResult,
)
from proctor.schemas import BrokenSchema, faults_of
from proctor.tools._examples import example_of
from proctor.tools._refusals import refuse
from proctor.tools._text import close_names, cut

RULE = "arguments"

WORK = 20_000
"""Steps of a check: about 0.1 s. Patterns of the schema are left to the server."""

_SHOWN = 5
"""Faults that are named at once."""

_OPEN_WORDS = frozenset(
    {
        "additionalProperties",
        "patternProperties",
        "unevaluatedProperties",
        "$ref",
        "allOf",
        "anyOf",
        "oneOf",
        "if",
    }
)
"""Where a schema has one of these, it says itself which further arguments it takes."""


def check_arguments() -> ToolMiddleware:
    """A middleware that passes on calls whose arguments fit the tool's schema, without converting anything.

    An argument that the schema doesn't name is refused also where the schema is silent about further ones:
    most servers drop such an argument without a word, so that a call acts otherwise than the model asked.
    """
    return _check


async def _check(call: ToolCall, handler: ToolHandler) -> ToolResult:
    try:
        faults = _faults(call.tool.parameters, call.arguments)
    except BrokenSchema as error:
        return refuse(call, RULE, f"The tool {call.tool.name!r} can't be called: its own schema {error}.")
    return refuse(call, RULE, _advice(call, faults)) if faults else await handler(call)


def _faults(schema: JsonObject, arguments: JsonObject) -> list[str]:
    errors = faults_of(_without_defaults(schema), arguments, work=WORK, most=50)
    if errors is None:
        raise BrokenSchema("asks for too much work")
    found = [_say(error) for error in errors]
    if _OPEN_WORDS.isdisjoint(schema):
        found = [*_unknown((), arguments, schema.get("properties")), *found]
    return list(dict.fromkeys(found))


def _without_defaults(schema: JsonObject) -> JsonObject:
    """The schema without the duty to give what has a default, as generators of schemas list it."""
    required, properties = schema.get("required"), schema.get("properties")
    if not isinstance(required, Sequence) or not isinstance(properties, Mapping):
        return schema
    given = [name for name in required if not _has_default(properties.get(str(name)))]
    return schema if len(given) == len(required) else {**schema, "required": given}


def _has_default(schema: JsonValue) -> bool:
    return isinstance(schema, Mapping) and "default" in schema


def _say(error: ValidationError) -> str:
    path = tuple(error.absolute_path)
    # jsonschema leaves these untyped; what they hold follows from the keyword.
    expected, value = cast("Any", error.validator_value), cast("JsonValue", error.instance)
    text = ""
    match error.validator:
        case "required":
            missing = [name for name in expected if isinstance(value, Mapping) and name not in value]
            text = f"{_place(path)}: {_listed(missing)} missing"
        case "additionalProperties" | "unevaluatedProperties":
            schema = error.schema if isinstance(error.schema, Mapping) else {}
            text = "; ".join(_unknown(path, value, schema.get("properties")))
        case "type":
            kinds = [expected] if isinstance(expected, str) else expected
            text = f"{_place(path)}: expected {' or '.join(kinds)}, got {_shown(value)}"
        case "enum":
            choice = cut(" or ".join(_json(value) for value in expected), 300)
            text = f"{_place(path)}: expected {choice}, got {_shown(value)}"
        case "anyOf" | "oneOf":
            text = _say_of_options(path, error)
    return text or f"{_place(path)}: {cut(error.message, 200)}"


def _say_of_options(path: Sequence[str | int], error: ValidationError) -> str:
    """What the closest of several forms expects; where they differ in their type alone, all the types."""
    inner = best_match(error.context or ())
    if inner is None:
        return ""
    kinds = sorted({str(one.validator_value) for one in error.context or () if one.validator == "type"})
    if inner.validator == "type" and len(kinds) > 1:
        return (
            f"{_place(path)}: expected {' or '.join(kinds)}, got {_shown(cast('JsonValue', error.instance))}"
        )
    return _say(inner)


def _unknown(path: Sequence[str | int], value: JsonValue, properties: JsonValue) -> Iterator[str]:
    if not isinstance(value, Mapping) or not isinstance(properties, Mapping):
        return
    for name in value:
        if name not in properties:
            close = close_names(name, set(properties) - set(value))
            hint = f"; did you mean {close[0]!r}?" if close else ""
            yield f"{_place((*path, name))}: the tool has no such argument{hint}"


def _advice(call: ToolCall, faults: Sequence[str]) -> str:
    lines = [f"The tool {call.tool.name!r} was not called, because its arguments don't fit:"]
    lines += [f"- {fault}" for fault in faults[:_SHOWN]]
    if len(faults) > _SHOWN:
        lines.append(f"- and {len(faults) - _SHOWN} more")
    lines.append(f"The right form, for example: {cut(_json(example_of(call.tool.parameters)), 1000)}")
    return "\n".join(lines)


def _place(path: Sequence[str | int]) -> str:
    if not path:
        return "arguments"
    first, *rest = path
    return f"'{first}{''.join(f'[{part}]' if isinstance(part, int) else f'.{part}' for part in rest)}'"


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(repr(name) for name in names)} {'is' if len(names) == 1 else 'are'}"


def _shown(value: JsonValue) -> str:
    match value:
        case None:
            return "null"
        case Mapping():
            return "an object"
        case str() | bool() | int() | float():
            return cut(_json(value), 100)
        case _:
            return "an array"


def _json(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)
