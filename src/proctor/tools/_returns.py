"""A tool's structured answer held against the schema that the tool gave for it."""

from collections.abc import Mapping

from jsonschema.exceptions import ValidationError

from proctor.core import JsonObject, JsonValue
from proctor.schemas import BrokenSchema, faults_of

_DEEPEST = 100
"""Objects and lists within each other."""


def misfit(schema: JsonObject | None, structured: JsonObject | None, work: int) -> str | None:
    """Why a structured answer can't be relied on, as half a sentence; empty where it can.

    Nothing where more than so many keywords have to be held against parts of the answer to tell.
    """
    if structured is not None and _is_too_deep(structured):
        return f"it has more than {_DEEPEST} levels"
    if schema is None:
        return ""
    if structured is None:
        return "its structured part is missing" if schema.get("type", "object") == "object" else ""
    return _fault(schema, structured, work)


def _fault(schema: JsonObject, structured: JsonObject, work: int) -> str | None:
    try:
        faults = faults_of(schema, structured, work=work, most=1)
    except BrokenSchema as error:  # the model reads this
        return f"the schema of its answers {error}"
    if faults is None:
        return None
    return f"it doesn't fit the schema of its answers: {_said(faults[0])}" if faults else ""


def _is_too_deep(value: JsonValue) -> bool:
    level: list[JsonValue] = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for one in level
            if isinstance(one, Mapping | list | tuple)
            for inner in (one.values() if isinstance(one, Mapping) else one)
        ]
        if not level:
            return False
    return True


def _said(error: ValidationError) -> str:
    """What is wrong, without any of the answer's own text."""
    place = "".join(f"[{part}]" if isinstance(part, int) else "." for part in error.absolute_path)
    return f"{error.validator} at {place or 'the top'}"
