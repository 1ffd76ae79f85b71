"""A conversation that is sent along, as one text."""

import pytest

from proctor.api.protocols._conversation import Said, task_of
from proctor.core import InvalidInput

LONG = 900_000


def test_each_message_stands_where_the_parts_say():
    said = [
        Said(role="user", text="One"),
        Said(role="assistant", text="Two"),
        Said(role="user", text="Three"),
    ]
    task = task_of([*said, Said(role="note", text="Of the caller")])
    texts = [task.text[start:end] for start, end in task.parts]
    assert texts == ["Of the caller", "One", "Two", "Three"]
    assert task.text.startswith("===== note =====\nOf the caller\n===== user =====\nOne\n")
    assert task.text.endswith("===== the message to answer =====\nThree")


@pytest.mark.parametrize("text", ["=" * LONG, "=" * LONG + "x", "==== " * (LONG // 5), f"a\n{'=' * LONG}\nb"])
def test_no_text_passes_for_the_line_between_messages_however_long(text: str):
    task = task_of([Said(role="assistant", text=text), Said(role="user", text="Go on")])
    line = task.text.partition(" ")[0]
    (start, end), _ = task.parts
    assert set(line) == {"="}
    assert line not in text
    assert task.text[start:end] == text
    assert task.text.count(line) == 4


def test_a_conversation_ends_with_its_user():
    with pytest.raises(InvalidInput):
        task_of([Said(role="user", text="One"), Said(role="assistant", text="Two")])
