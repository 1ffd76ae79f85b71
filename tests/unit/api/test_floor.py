"""One agent speaks at a time, whatever comes in which order."""

from proctor.api.protocols._floor import Floor
from proctor.core import Token


def says(agent: str, text: str) -> Token:
    return Token(run_id="run_1", agent=agent, text=text)


def ends(agent: str) -> Token:
    return Token(run_id="run_1", agent=agent, text="", last=True)


def heard(*items: Token, answer: str = "") -> list[str]:
    floor = Floor()
    pieces = [piece for item in items for piece in floor.hear(item)]
    pieces += floor.close(answer)
    messages: list[str] = []
    for piece in pieces:
        if piece.fresh:
            messages.append("")
        messages[-1] += piece.text
    return messages


def test_agents_that_write_at_once_are_heard_one_after_the_other() -> None:
    items = (says("a", "A1 "), says("b", "B1 "), says("a", "A2"), ends("a"), says("b", "B2"), ends("b"))
    assert heard(*items) == ["A1 A2", "B1 B2"]


def test_two_messages_of_one_agent_are_two_also_where_both_have_to_wait() -> None:
    items = (says("a", "A1"), says("b", "B1"), ends("b"), says("b", "B2"), ends("c"), ends("a"), ends("b"))
    assert heard(*items) == ["A1", "B1", "B2"]


def test_an_answer_that_another_one_precedes_is_not_cut() -> None:
    items = (ends("a"), says("a", "A1"), ends("a"), says("a", "A2 "), says("a", "and on"), ends("a"))
    assert heard(*items, answer="A2 and on") == ["A1", "A2 and on"]


def test_an_answer_that_was_said_is_not_said_again() -> None:
    assert heard(says("a", "All "), says("a", "is well."), ends("a"), answer="All is well.") == [
        "All is well."
    ]


def test_what_was_added_to_an_answer_follows_it() -> None:
    assert heard(says("a", "Yes."), ends("a"), answer="Yes. (By a machine.)") == ["Yes. (By a machine.)"]


def test_an_answer_that_nobody_has_said_comes_whole() -> None:
    assert heard(says("a", "A secret: 7"), ends("a"), answer="A secret: [removed]") == [
        "A secret: 7",
        "A secret: [removed]",
    ]
    assert heard(answer="Well.") == ["Well."]
