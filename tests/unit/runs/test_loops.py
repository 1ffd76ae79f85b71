"""What is a loop, and what only looks like one."""

import pytest

from proctor.core import Effect, ToolCall, ToolResult, ToolSpec
from proctor.runs._loops import REPETITION, Rounds, Streaks
from proctor.runs._values import CallKey
from proctor.testing import FakeScope


def lengths(*messages: tuple[str, str], rounds: int = 3) -> list[int]:
    watch = Rounds(rounds)
    return [watch.say(agent, text) for agent, text in messages]


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_a_round_that_came_three_times_is_a_loop(length: int) -> None:
    agents = "abcd"[:length]
    messages = [(agent, f"I, {agent}, have nothing to add to that.") for agent in agents] * 3
    found = lengths(*messages)
    assert found[-1] == length
    assert not any(found[:-1])


def test_a_round_of_five_is_none() -> None:
    assert not any(lengths(*[(agent, f"I am {agent}") for agent in "abcde"] * 3))


def test_a_writer_and_a_critic_who_get_on_are_no_loop() -> None:
    drafts = [
        "The fox jumps over the dog.",
        "The quick fox jumps over the lazy dog.",
        "A quick brown fox jumps over one lazy dog.",
        "A quick brown fox leaps across one lazy old dog at dawn.",
    ]
    notes = [
        "Say how fast it is.",
        "Which colour has it?",
        "When was that, and how old was the dog?",
        "Good.",
    ]
    said = [
        entry
        for pair in zip(drafts, notes, strict=True)
        for entry in (("writer", pair[0]), ("critic", pair[1]))
    ]
    assert not any(lengths(*said))


def test_nearly_the_same_words_are_the_same() -> None:
    text = "I am sorry but I can not find the order that you have asked me about in our long list of orders"
    variants = [text, text.upper() + "!", f"{text} today"]
    assert lengths(*(("a", variant) for variant in variants))[-1] == 1


def test_nearly_the_same_chinese_is_the_same() -> None:
    text = "很抱歉,我没有找到您要查询的订单,请您再提供一次订单号码,我会继续为您查询处理结果"
    assert lengths(("a", text), ("a", text + "。"), ("a", text.replace(",", ","))) == [0, 0, 1]
    other = "好的,这个订单已经在昨天下午发出,预计三天之内会送到您填写的收货地址,请注意查收"
    assert not any(lengths(("a", text), ("a", other), ("a", text)))


def test_a_long_text_is_the_same_only_where_all_of_it_is() -> None:
    long = " ".join(f"word{chr(97 + place % 26)}{chr(97 + place // 26 % 26)}" for place in range(2_000))
    fixes = [f"{long} {fix} fix" for fix in ("first", "second", "third")]
    assert not any(lengths(*(("a", text) for text in fixes)))
    assert not any(lengths(*(("a", f"{long[:5_000]} {fix} {long[5_000:]}") for fix in "xyz")))
    assert lengths(*[("a", long)] * 3)[-1] == 1


def test_a_text_of_which_a_small_share_is_revised_is_another_one() -> None:
    words = [f"word{chr(97 + place % 26)}{chr(97 + place // 26)}" for place in range(400)]
    drafts = [
        " ".join(
            [*words[: 20 * draft], *(f"{word}{'x' * draft}" for word in words[:10]), *words[20 * draft :]]
        )
        for draft in (1, 2, 3)
    ]
    assert not any(lengths(*(("a", draft) for draft in drafts)))


@pytest.mark.parametrize(
    "messages",
    [
        ("\U0001f642", "\U0001f44d", "\U0001f389"),
        ("a + b", "a - b", "a * b"),
        ("row one is north", "north is one row", "is row north one"),
        ("I agree.", "I agree?", "I, agree"),
    ],
)
def test_messages_of_few_words_are_the_same_only_where_their_texts_are(messages: tuple[str, ...]) -> None:
    assert not any(lengths(*(("a", message) for message in messages)))
    assert lengths(*[("a", messages[0]), ("a", f" {messages[0].upper()} "), ("a", messages[0])])[-1] == 1


def test_the_same_words_in_another_order_are_another_message() -> None:
    text = "the red box stands left of the blue one and right of a green one behind some grey tree"
    words = text.split()
    orders = [words, words[::-1], [*words[1::2], *words[::2]]]
    assert not any(lengths(*(("a", " ".join(order)) for order in orders)))


def test_messages_that_count_on_are_no_loop() -> None:
    pages = [
        f"I have read page {page} of the long report and found nothing that matters" for page in range(9)
    ]
    assert not any(lengths(*(("a", page) for page in pages)))


def test_the_same_words_from_others_are_no_loop() -> None:
    assert not any(lengths(*((agent, "Agreed.") for agent in "abcdefgh")))


def test_the_same_words_behind_other_calls_are_no_loop() -> None:
    watch = Rounds(3)
    for number in range(6):
        watch.call("a", f"call {number}")
        assert watch.say("a", "done") == 0
    for _ in range(2):
        watch.call("a", "call 5")
        last = watch.say("a", "done")
    assert last == 1


def test_a_person_who_speaks_ends_the_round() -> None:
    watch = Rounds(2)
    assert watch.say("a", "Shall I?") == 0
    watch.forget()
    assert watch.say("a", "Shall I?") == 0
    assert watch.say("a", "Shall I?") == 1


class Calls:
    """One agent's calls, and how often each was made before."""

    def __init__(self) -> None:
        self.streaks = Streaks()

    def ask(self, name: str) -> int:
        return self.streaks.ask(self.key(name))

    def answer(self, name: str, text: str, effect: Effect = "read_only", **more: str) -> None:
        spec = ToolSpec(server="python", name=name, description="", parameters={}, effect=effect)
        call = ToolCall(scope=FakeScope(), tool=spec, arguments={})
        self.streaks.answer(self.key(name), call, ToolResult(text=text, **more))  # type: ignore[arg-type]

    def make(self, name: str, text: str, effect: Effect = "read_only", **more: str) -> int:
        made = self.ask(name)
        self.answer(name, text, effect, **more)
        return made

    def key(self, name: str) -> CallKey:
        return CallKey(agent="a", kind="tool", fingerprint=name, occurrence=0)


def test_the_same_call_counts_until_it_answers_something_else() -> None:
    calls = Calls()
    said = ["10 %", "10 %", "10 %", "20 %", "20 %", "10 %"]
    assert [calls.make("look", text) for text in said] == [0, 1, 2, 3, 1, 2]
    assert calls.ask("look") == 1


def test_other_calls_that_only_read_dont_interrupt_a_streak() -> None:
    calls = Calls()
    assert [calls.make(name, "nothing") for name in ("look", "list", "look", "list")] == [0, 0, 1, 1]


def test_a_call_that_acted_interrupts_all_streaks_but_its_own() -> None:
    calls = Calls()
    made = [(calls.make("write", "ok", "idempotent"), calls.make("look", "1 fails")) for _ in range(3)]
    assert made == [(0, 0), (1, 0), (2, 0)]


def test_a_call_that_was_refused_or_failed_interrupts_none() -> None:
    calls = Calls()
    calls.make("look", "nothing")
    calls.make("pay", "no", "consequential", refused_by="ann")
    assert calls.make("look", "nothing") == 1


def test_a_refusal_for_repetition_is_no_new_answer() -> None:
    calls = Calls()
    calls.make("look", "nothing")
    calls.make("look", "You have made this call already.", refused_by=REPETITION)
    assert calls.ask("look") == 2


def test_calls_that_are_made_in_parallel_count_as_they_are_asked_for() -> None:
    calls = Calls()
    assert [calls.ask("look") for _ in range(3)] == [0, 1, 2]
    for _ in range(3):
        calls.answer("look", "nothing")
    assert calls.ask("look") == 3


def test_a_person_who_speaks_interrupts_all_streaks() -> None:
    calls = Calls()
    calls.make("look", "nothing")
    calls.streaks.forget()
    assert calls.ask("look") == 0
