"""What a person may answer a tool that asks for something while it runs."""

from collections.abc import Mapping
from dataclasses import replace

from proctor.approvals._edits import check_edit
from proctor.approvals._values import Approval
from proctor.core import Decision, InvalidInput, JsonObject


def check_given(approval: Approval, decision: Decision) -> Decision:
    """The answer where it gives the tool what it asks for, or refuses it; a text where it asks for just one.

    Raises:
        InvalidInput: what the tool needs is missing, or a text isn't what it asks for.
    """
    schema = approval.question.terms.editable
    match decision.kind:
        case "respond":
            return _as_form(schema, decision)
        case "approve" if schema is not None:
            _check_as_it_stands(schema, approval.action.get("arguments"))
    return decision


def _as_form(schema: JsonObject | None, decision: Decision) -> Decision:
    properties = {} if schema is None else schema.get("properties")
    if isinstance(properties, Mapping) and len(properties) == 1:
        [(name, wanted)] = properties.items()
        if isinstance(wanted, Mapping) and wanted.get("type") == "string":
            return replace(decision, kind="edit", arguments={name: decision.comment}, comment="")
    raise InvalidInput(
        "the tool can't take a text as answer",
        hint="Approve or reject, or edit: give an object with the values that it asks for.",
    )


def _check_as_it_stands(schema: JsonObject, arguments: object) -> None:
    try:
        check_edit(schema, arguments if isinstance(arguments, Mapping) else {})
    except InvalidInput as error:
        raise InvalidInput(
            f"the tool needs values that aren't given: {error.message}",
            hint="Edit: give an object with the values that it asks for.",
        ) from error
