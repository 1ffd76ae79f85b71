"""Elicitation: what a server wants to know from a person, as a question, and the decision as its answer.

Knows no run: that one waits, and is made again, is the session's matter.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from jsonschema.exceptions import SchemaError
from jsonschema.validators import Draft202012Validator
from mcp_types import ElicitRequestFormParams, ElicitRequestParams, ElicitRequestURLParams, ElicitResult

from proctor.core import Decision, JsonObject, JsonValue, Question, Terms, ToolCall, canonical_json
from proctor.tools._text import clean_json, cut, printable

_LONGEST_MESSAGE = 4_000
_LONGEST_SCHEMA = 20_000
"""Characters. What is longer nobody can be asked to read."""

_KEYWORDS = frozenset(
    {
        *(
            "type",
            "title",
            "description",
            "default",
            "format",
            "minLength",
            "maxLength",
            "minimum",
            "maximum",
        ),
        *("enum", "enumNames", "const", "oneOf", "anyOf", "items", "minItems", "maxItems", "uniqueItems"),
    }
)
"""Of the schemas in a form, by the protocol. Not `pattern`: one can be made to take for ever, and the answer
is held against the form where it is given."""


def question_of(
    call: ToolCall, params: ElicitRequestParams, occurrence: int, terms: Terms
) -> Question | None:
    """The question for a person; nothing where no person can be asked that.

    The same at each attempt, as long as the server asks the same. `occurrence` counts what it asks again.
    """
    asks: dict[str, JsonValue] = {"message": printable(cut(params.message, _LONGEST_MESSAGE))}
    if occurrence > 1:
        asks["occurrence"] = occurrence
    action: dict[str, JsonValue] = {**call.request(), "asks": asks}
    action["for"] = action.pop("arguments")
    schema: JsonObject | None = None
    match params:
        case ElicitRequestURLParams():
            asks["url"] = printable(params.url)
        case ElicitRequestFormParams():
            schema = _form(params.requested_schema)
            if schema is None:
                return None
            asks["schema"] = schema
            action["arguments"] = _defaults(schema)
        case _:
            assert_never(params)
    return Question(
        kind="elicit",
        role="",
        text=_says(call, asks),
        action=action,
        terms=replace(terms, editable=schema),
    )


def with_end(question: Question, said: str) -> Question:
    """The question with what the tool said when it was told that nobody answers it at once."""
    if not said:
        return question
    said = printable(cut(said, 500))
    return replace(question, text=f"{question.text}\nIt was told to wait, and ended for now with: {said}")


def answer_of(question: Question, decision: Decision) -> ElicitResult:
    """What the server is told."""
    match decision.kind:
        case "approve" | "edit":
            given = decision.arguments if decision.kind == "edit" else question.action.get("arguments")
            content = dict(given) if isinstance(given, Mapping) else None
            return ElicitResult.model_validate({"action": "accept", "content": content})
        case "reject":
            return ElicitResult(action="decline")
        case "respond":  # only time answers so, where nobody else has
            return ElicitResult(action="cancel")
        case _:
            assert_never(decision.kind)


def _form(schema: Mapping[str, object]) -> JsonObject | None:
    """The schema that an answer fits; nothing where it is none that a form could have."""
    wanted = clean_json(dict(schema))  # type: ignore[arg-type] # as the wire had it: JSON
    assert isinstance(wanted, Mapping)
    properties = wanted.get("properties")
    text = canonical_json(wanted)
    if len(text) > _LONGEST_SCHEMA or '"$ref"' in text or not isinstance(properties, Mapping):
        return None
    form = {
        "type": "object",
        "properties": {name: _plain(one) for name, one in properties.items()},
        "required": wanted.get("required", []),
        "additionalProperties": False,
    }
    try:
        Draft202012Validator.check_schema(form)
    except (SchemaError, RecursionError):
        return None
    return form


def _plain(schema: JsonValue) -> JsonValue:
    """A schema with the keywords that forms have, and no others."""
    if isinstance(schema, Mapping):
        return {name: _plain(value) for name, value in schema.items() if name in _KEYWORDS}
    return list(map(_plain, schema)) if isinstance(schema, list | tuple) else schema


def _defaults(schema: JsonObject) -> JsonObject:
    properties = schema["properties"]
    assert isinstance(properties, Mapping)
    return {
        name: wanted["default"]
        for name, wanted in properties.items()
        if isinstance(wanted, Mapping) and "default" in wanted
    }


def _says(call: ToolCall, asks: JsonObject) -> str:
    text = f"{call.tool.server} asks while {call.tool.name} runs: {asks['message']}"
    if "url" in asks:
        text += (
            f"\nIt wants you to open {asks['url']} and to go on there. Approve when you have; reject if not."
        )
    return text
