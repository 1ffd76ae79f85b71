"""Which failures are taken for the same one, what of their texts is shown, and what is suspected."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from proctor.app._patterns import Dimension, Occurrence, Pattern, at_least, masked, patterns

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

CALLS: dict[Dimension, dict[str, int]] = {
    "agent": {"desk/clerk": 100, "desk/boss": 100},
    "tool": {"shop.look": 20, "shop.pay": 80},
    "model": {"small": 50, "large": 50},
    "release": {"v1": 180, "v2": 20},
}


def happened(at: int, message: str = "it broke", *, run: str = "", **by: str) -> Occurrence:
    return Occurrence(
        kind="agent.failed",
        code="agent_failed",
        message=message,
        run_id=run or f"run_{at:04}",
        at=NOON + timedelta(seconds=at),
        by=by,  # type: ignore[arg-type]
    )


def found_in(*occurrences: Occurrence) -> tuple[Pattern, ...]:
    return patterns(occurrences, lambda dimension, _: Counter(CALLS[dimension]))


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("order 4711 took 30.5 s, at most 20 s", "order <number> took <number>, at most <number>"),
        ("run run_01jd8xyz failed", "run <id> failed"),
        ("6f1c2a34-0b7e-4c55-9a51-0123456789ab isn't known", "<id> isn't known"),
        ("'Ann\\'s card' doesn't fit \"name\" or `code`", "<text> doesn't fit <text> or <text>"),
        (
            "mail to ann@example.org went to https://api.example.org/v1?key=x",
            "mail to <address> went to <address>",
        ),
        ("no answer from db.internal:5432 or 10.0.0.1", "no answer from <address> or <number>"),
        ("can't read /home/ann/notes.txt and/or more", "can't read <path> and/or more"),
        ("{'name': 'Ann', 'sums': [1, 2]} is no sum", "<data> is no sum"),
        ("he said 'I never stop", "he said <text>"),
        ("「王小明」 isn't known", "<text> isn't known"),
        ("\n the first line\nthe second, with the prompt", "the first line"),
        ("", ""),
    ],
)
def test_what_an_error_quotes_counts_and_names_is_masked(text: str, template: str) -> None:
    assert masked(text) == template


def test_a_long_text_is_cut_and_doesnt_show_what_a_cut_quotation_held() -> None:
    assert len(masked("it broke again and " * 100)) < 170
    assert masked("bad: " + "'" + "secret words " * 100 + "'") == "bad: <text>"


def test_occurrences_of_one_template_are_one_pattern_and_the_most_frequent_comes_first() -> None:
    rare = happened(9, "it hung", run="run_a")
    often = [happened(at, run=f"run_{at % 2}") for at in range(3)]
    first, second = found_in(rare, *often)
    assert (first.message, first.count, first.runs, first.example) == ("it broke", 3, 2, "run_0")
    assert (first.first, first.last) == (often[0].at, often[2].at)
    assert (second.message, second.count, second.suspect, second.is_small) == ("it hung", 1, None, True)


def test_a_place_with_many_words_holds_a_value_and_one_with_few_is_wording() -> None:
    names = [happened(at, f"customer {name} is gone") for at, name in enumerate(("Ann", "Bob", "Cy", "Di"))]
    wording = [happened(at, f"the connection was {how}") for at, how in ((5, "closed"), (6, "refused"))]
    assert {one.message: one.count for one in found_in(*names, *wording)} == {
        "customer <word> is gone": 4,
        "the connection was closed": 1,
        "the connection was refused": 1,
    }


def test_the_value_with_the_largest_clear_lift_is_suspected() -> None:
    [pattern] = found_in(
        *(happened(at, agent="desk/clerk", release="v2" if at else "v1", tool="shop.pay") for at in range(12))
    )
    suspect = pattern.suspect
    assert suspect is not None
    assert (suspect.dimension, suspect.value) == ("release", "v2")
    assert (suspect.share, suspect.usual) == (11 / 12, 0.1)
    assert suspect.chance < 1e-6


def test_nothing_is_suspected_of_what_chance_explains() -> None:
    [few] = found_in(*(happened(at, release="v2") for at in range(2)))
    [usual] = found_in(*(happened(at, agent="desk/clerk" if at % 2 else "desk/boss") for at in range(200)))
    [one_run] = found_in(*(happened(at, run="run_1", release="v2") for at in range(50)))
    assert [one.suspect for one in (few, usual, one_run)] == [None] * 3
    assert (few.is_small, usual.is_small, one_run.is_small) == (True, False, True)


def test_a_value_behind_a_small_part_is_no_suspect_however_rare_it_is_otherwise() -> None:
    [pattern] = found_in(*(happened(at, release="v2" if at % 10 < 3 else "v1") for at in range(200)))
    assert pattern.suspect is None


def test_the_chance_is_that_of_the_binomial() -> None:
    assert at_least(3, 3, 0.5) == pytest.approx(0.125)
    assert at_least(8, 10, 0.5) == pytest.approx(56 / 1024)
    assert at_least(5, 10, 0.5) == 1.0
    assert at_least(20_000, 20_000, 0.9) == pytest.approx(0.0)
    assert at_least(7, 7, 1.0) == 1.0
