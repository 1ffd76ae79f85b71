"""What of an action's arguments a person may change, as a JSON Schema of the changed arguments.

Nothing here converts a value. The schema is the tool's own, so that what fits it is what the tool chain's
check of arguments lets pass: also there an argument that the schema doesn't name is refused, unless the
schema itself says which further ones it takes.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

from jsonschema.exceptions import best_match

from proctor.core import InvalidInput, JsonObject, JsonValue, canonical_json
from proctor.schemas import BrokenSchema, faults_of

DEEPEST = 64
"""Levels of values in values."""
WORK = 20_000
"""Steps of a check, as many as the tool chain's own takes: about 0.1 s."""
MOST = 50
"""Faults among which the one that tells most is looked for."""

_AS_IT_IS = "Approve the action as it is, or reject it."

_SAYS_WHICH_FURTHER = frozenset(
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


def editable_schema(
    parameters: JsonObject, arguments: JsonObject, names: Literal["all", "nothing"] | Collection[str]
) -> JsonObject | None:
    """The schema that edited arguments fit: the tool's own, with all that mustn't change held as it is.

    Nothing where nothing may be changed.
    """
    if names == "nothing" or not names:
        return None
    schema: dict[str, Any] = dict(parameters)
    known = schema.get("properties")
    if isinstance(known, Mapping) and _SAYS_WHICH_FURTHER.isdisjoint(schema):
        schema["additionalProperties"] = False
    if names == "all":
        return schema
    properties: dict[str, Any] = dict(known) if isinstance(known, Mapping) else {}
    for name in {*properties, *arguments}.difference(names):
        properties[name] = {"const": arguments[name]} if name in arguments else False
    required = {*schema.get("required", ()), *(name for name in arguments if name not in names)}
    return {
        **schema,
        "properties": properties,
        "required": sorted(required),
        "propertyNames": {"enum": sorted({*properties, *names})},
    }


def check_edit(schema: JsonObject | None, arguments: JsonObject) -> None:
    """Returns where edited arguments fit.

    Raises:
        InvalidInput: they don't, with the place; or they are no JSON, or nothing may be edited.
    """
    if schema is None:
        raise InvalidInput("the arguments of this action can't be edited", hint="Approve, reject or respond.")
    _check_json(arguments)
    try:
        faults = faults_of(schema, arguments, work=WORK, most=MOST)
    except BrokenSchema as error:
        raise InvalidInput(f"the schema of this action {error}", hint=_AS_IT_IS) from None
    if faults is None:
        raise InvalidInput("the arguments take too much work to check", hint=_AS_IT_IS)
    fault = best_match(faults)
    if fault is not None:
        place = ".".join(str(part) for part in fault.absolute_path) or "arguments"
        raise InvalidInput(f"{place}: {_say(fault.validator, fault.validator_value, fault.message)}")


def _check_json(arguments: JsonObject) -> None:
    level: Sequence[JsonValue] = [arguments]
    for _ in range(DEEPEST):
        level = [inner for value in level for inner in _inside(value)]
    if level:
        raise InvalidInput(f"the arguments go deeper than {DEEPEST} levels")
    try:
        canonical_json(arguments).encode()
    except (TypeError, ValueError) as error:  # no number, half a character, or no JSON value at all
        raise InvalidInput(f"the arguments are no JSON: {error}") from error


def _inside(value: JsonValue) -> Iterable[JsonValue]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _say(keyword: str, expected: JsonValue, message: str) -> str:
    if keyword == "const":
        return f"this stays as it is: {canonical_json(expected)}"
    return message
