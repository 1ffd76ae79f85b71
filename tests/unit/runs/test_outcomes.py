"""Answers as the journal keeps them, with their labels."""

import pytest

from proctor.core import Label, ModelResult, ToolResult, Usage, canonical_json, read_object
from proctor.runs._values import (
    UNRECORDED,
    model_outcome,
    read_label,
    read_model_outcome,
    read_tool_outcome,
    tool_outcome,
)

LABELS = (
    Label(),
    Label(confidentiality="secret", sources=("bank.card",)),
    Label(integrity="untrusted", confidentiality="user", sources=("mail.read", "web.fetch")),
)


@pytest.mark.parametrize("label", LABELS)
def test_an_answer_is_read_as_it_was_kept(label: Label) -> None:
    said = ToolResult(text="a page", label=label, structured={"a": 1}, edited={"b": 2})
    assert read_tool_outcome(read_object(canonical_json(tool_outcome(said)))) == said

    answer = ModelResult(
        message={"content": "so"}, finish_reason="stop", usage=Usage(input=3), deployment="small", model="m"
    )
    kept = read_object(canonical_json(model_outcome(answer, label)))
    assert read_model_outcome(kept) == answer
    assert read_label(kept) == label


def test_an_answer_that_was_kept_before_there_were_labels_is_untrusted() -> None:
    old = tool_outcome(ToolResult(text="a page"))
    del old["label"]
    assert read_tool_outcome(old) == ToolResult(text="a page", label=UNRECORDED)
    assert read_label({"message": {}}) == UNRECORDED
