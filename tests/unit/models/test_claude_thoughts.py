from proctor.models._claude_thoughts import Thoughts


def answer(id: str, words: str = "Hm."):
    thought = {"type": "thinking", "thinking": words, "signature": "s"}
    return [thought, {"type": "tool_use", "id": id, "name": "look_up", "input": {}}]


def test_the_least_used_give_way_when_the_room_is_full():
    thoughts = Thoughts(room=1000)
    for id in ("a", "b"):
        thoughts.keep("claude", answer(id, "x" * 300), tokens=9)
    assert thoughts.recall("claude", ["a"])
    thoughts.keep("claude", answer("c", "x" * 300), tokens=9)
    assert [id for id in "abc" if thoughts.recall("claude", [id])] == ["a", "c"]


def test_an_answer_larger_than_the_room_is_not_kept():
    thoughts = Thoughts(room=1000)
    thoughts.keep("claude", answer("a", "x" * 2000), tokens=9)
    assert thoughts.recall("claude", ["a"]) is None


def test_only_thoughts_before_calls_are_kept():
    thoughts = Thoughts()
    thoughts.keep("claude", answer("a")[:1], tokens=9)
    thoughts.keep("claude", answer("b")[1:], tokens=9)
    assert thoughts.recall("claude", []) is None
    assert thoughts.recall("claude", ["b"]) is None


def test_an_answer_is_known_by_all_of_its_calls():
    thoughts = Thoughts()
    thoughts.keep("claude", [*answer("a"), answer("b")[1]], tokens=9)
    assert thoughts.recall("claude", ["a"]) is None
    assert thoughts.recall("claude", ["a", "b"])


def test_an_answer_that_comes_twice_takes_its_room_once():
    thoughts = Thoughts(room=1000)
    for _ in range(10):
        thoughts.keep("claude", answer("a", "x" * 300), tokens=9)
    thoughts.keep("claude", answer("b", "x" * 300), tokens=9)
    assert thoughts.recall("claude", ["a"])
    assert thoughts.recall("claude", ["b"])
