"""JSON schemas cut down to what llama.cpp turns into a grammar without error and without surprise.

What is dropped (patterns, formats, lengths, ranges) a tool checks itself when it is called. Anything that
this module doesn't know becomes "any value", never an error: a strange schema costs precision, not the call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proctor.core import JsonObject, JsonValue

_DEPTH = 8
"""References and objects nested deeper than this, as in recursive types, become any value."""
_COUNT = 16
"""A grammar repeats the item's rule for each counted item."""
_ANY: JsonObject = {"type": ["string", "number", "boolean", "null", "object", "array"]}


def simplified(schema: JsonValue) -> JsonObject:
    """The schema without references and without keywords that a grammar can't hold."""
    return _Simplifier(root=schema).simplify(schema, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Simplifier:
    root: JsonValue
    """What `#` in a reference means."""

    def simplify(self, schema: JsonValue, depth: int) -> JsonObject:
        if not isinstance(schema, Mapping) or depth > _DEPTH:
            return _ANY
        found = self._merged(self._resolved(schema))
        if fixed := _fixed(found):
            return fixed
        options = items(found.get("anyOf")) or items(found.get("oneOf"))
        if options and "properties" not in found:
            return {"anyOf": [self.simplify(option, depth + 1) for option in options]}
        kind = found.get("type", "object" if "properties" in found else None)
        if kinds := items(kind):
            return {"anyOf": [self._typed(one, found, depth) for one in kinds]}
        return self._typed(kind, found, depth)

    def _typed(self, kind: JsonValue, schema: JsonObject, depth: int) -> JsonObject:
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "string" | "integer" | "number" | "boolean" | "null":
                return {"type": kind}
            case _:
                return _ANY

    def _object(self, schema: JsonObject, depth: int) -> JsonObject:
        properties = schema.get("properties")
        if not isinstance(properties, Mapping):
            extra = schema.get("additionalProperties")
            if not isinstance(extra, Mapping):
                return {"type": "object"}
            return {"type": "object", "additionalProperties": self.simplify(extra, depth + 1)}
        return {
            "type": "object",
            "properties": {name: self.simplify(value, depth + 1) for name, value in properties.items()},
            "required": [name for name in items(schema.get("required")) if name in properties],
            "additionalProperties": False,
        }

    def _array(self, schema: JsonObject, depth: int) -> JsonObject:
        if fixed := items(schema.get("prefixItems")):
            return {"type": "array", "prefixItems": [self.simplify(one, depth + 1) for one in fixed]}
        simple: dict[str, JsonValue] = {
            "type": "array",
            "items": self.simplify(schema.get("items"), depth + 1),
        }
        for keyword in ("minItems", "maxItems"):
            count = schema.get(keyword)
            if isinstance(count, int) and 0 < count <= _COUNT:
                simple[keyword] = count
        return simple

    def _resolved(self, schema: JsonObject) -> JsonObject:
        """Follows local references; what stands beside a reference wins over what it points at."""
        for _ in range(_DEPTH):
            reference = schema.get("$ref")
            if not isinstance(reference, str):
                return schema
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            schema = {**self._at(reference), **beside}
        return {}

    def _at(self, reference: str) -> JsonObject:
        place = self.root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            place = place.get(name) if isinstance(place, Mapping) else None
        return place if isinstance(place, Mapping) else {}

    def _merged(self, schema: JsonObject) -> JsonObject:
        """Folds the members of `allOf` into one schema."""
        members = items(schema.get("allOf"))
        if not members:
            return schema
        merged: dict[str, JsonValue] = {}
        properties: dict[str, JsonValue] = {}
        required: list[JsonValue] = []
        for member in (*members, {key: value for key, value in schema.items() if key != "allOf"}):
            if isinstance(member, Mapping):
                one = self._resolved(member)
                merged.update(one)
                own = one.get("properties")
                properties.update(own if isinstance(own, Mapping) else {})
                required.extend(items(one.get("required")))
        return {**merged, "properties": properties, "required": required} if properties else merged


def _fixed(schema: JsonObject) -> JsonObject | None:
    if "const" in schema:
        return {"const": schema["const"]}
    choices = items(schema.get("enum"))
    return {"enum": choices} if choices else None


def items(value: JsonValue) -> Sequence[JsonValue]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()
