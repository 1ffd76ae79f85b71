"""A value that fits a JSON Schema, to show a model the form of a call."""

from collections.abc import Mapping
from typing import cast

from proctor.core import JsonObject, JsonValue

_DEPTH = 6
_STRINGS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00",
    "email": "name@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def example_of(schema: JsonObject) -> JsonValue:
    """A small value with the form that the schema asks for. A pattern or a bound may not be met."""
    return _example(schema, schema, _DEPTH)


def _example(schema: JsonValue, root: JsonObject, depth: int) -> JsonValue:
    if not isinstance(schema, Mapping) or depth == 0:
        return {}
    schema = _resolved(schema, root)
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    for word in ("examples", "enum"):
        if isinstance(values := schema.get(word), list) and values:
            return cast("JsonValue", values[0])
    for word in ("anyOf", "oneOf", "allOf"):
        if isinstance(options := schema.get(word), list) and options:
            return _example(options[0], root, depth - 1)
    return _of_type(schema, root, depth)


def _of_type(schema: JsonObject, root: JsonObject, depth: int) -> JsonValue:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    match kind[0] if isinstance(kind, list) and kind else kind:
        case "object":
            return _object(schema, root, depth)
        case "array":
            return [_example(schema.get("items", {"type": "string"}), root, depth - 1)]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _STRINGS.get(str(schema.get("format")), "text")


def _object(schema: JsonObject, root: JsonObject, depth: int) -> JsonObject:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, Mapping):
        return {}
    names = required if isinstance(required, list) and required else list(properties)[:3]
    return {str(name): _example(properties.get(name, {}), root, depth - 1) for name in names}


def _resolved(schema: JsonObject, root: JsonObject) -> JsonObject:
    """The schema behind a `$ref` into the same document, with what stands beside the `$ref`."""
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return schema
    target: JsonValue = root
    for part in reference[2:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        target = target.get(name) if isinstance(target, Mapping) else None
    beside = {name: value for name, value in schema.items() if name != "$ref"}
    return {**target, **beside} if isinstance(target, Mapping) else beside
