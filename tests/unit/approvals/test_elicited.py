"""What a person may answer a tool that asks for something."""

from datetime import UTC, datetime

import pytest

from proctor.approvals import Approval
from proctor.approvals._elicited import check_given
from proctor.core import Decision, InvalidInput, JsonObject, Question, Terms

NAME: JsonObject = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
TWO: JsonObject = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "seats": {"type": "integer"}},
    "required": ["seats"],
}


def asked(schema: JsonObject | None, **defaults: object) -> Approval:
    action: JsonObject = {"server": "hall", "tool": "book"}
    if schema is not None:
        action = {**action, "arguments": defaults}
    return Approval(
        id="apr_1",
        run_id="run_1",
        call_key="key",
        team="desk",
        agent="clerk",
        question=Question(kind="elicit", role="", text="", action=action, terms=Terms(editable=schema)),
        digest="",
        state="pending",
        decision=None,
        requested_at=datetime(2026, 1, 1, tzinfo=UTC),
        decided_at=None,
    )


def test_a_text_answers_a_form_that_asks_for_one_text():
    given = check_given(asked(NAME), Decision(kind="respond", comment="Ann", by="bob"))
    assert given == Decision(kind="edit", arguments={"name": "Ann"}, by="bob")


@pytest.mark.parametrize("schema", [TWO, None])
def test_a_text_answers_nothing_else(schema):
    with pytest.raises(InvalidInput):
        check_given(asked(schema), Decision(kind="respond", comment="Ann"))


def test_an_approval_gives_what_the_tool_proposes_where_that_is_enough():
    yes = Decision(kind="approve")
    assert check_given(asked(TWO, seats=2), yes) == yes
    assert check_given(asked(None), yes) == yes
    with pytest.raises(InvalidInput):
        check_given(asked(TWO), yes)


def test_a_refusal_needs_no_values():
    no = Decision(kind="reject")
    assert check_given(asked(TWO), no) == no
