"""The demo's questions and how their answers are checked."""

import pytest

from proctor.core import ConfigurationError
from proctor.deployments.support.demo._outcome import _holds
from proctor.deployments.support.demo._questions import Question, make_questions
from proctor.deployments.support.demo._workplace import Workplace
from proctor.deployments.support.shop import make_sample

SEEDS = range(12)


def questions(seed: int) -> dict[str, Question]:
    return {question.title: question for question in make_questions(make_sample(seed), seed)}


def test_the_same_seed_asks_the_same_questions() -> None:
    assert questions(3) == questions(3) != questions(4)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_question_is_about_what_the_shop_holds(seed: int) -> None:
    shop, asked = make_sample(seed), questions(seed)
    assert len(asked) == 6
    action = asked["cancellation"].action
    assert action is not None
    order = shop["orders"][action.arguments["order_id"]]
    assert order["status"] == "pending"
    assert shop["users"][order["user_id"]]["email"] in asked["cancellation"].text
    assert asked["return window"].holds == ("30",)
    assert asked["refund time"].holds == ("5", "7")
    assert sum(question.action is not None for question in asked.values()) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_somebody_else_is_not_the_asking_customers(seed: int) -> None:
    shop, asked = make_sample(seed), questions(seed).get("not theirs")
    if asked is None:
        assert "too late" in questions(seed)
        return
    order = next(order for order in shop["orders"].values() if order["order_id"] in asked.text)
    assert shop["users"][order["user_id"]]["email"] not in asked.text
    assert all(line["name"] in asked.lacks for line in order["items"])


@pytest.mark.parametrize(
    ("answer", "wanted", "held"),
    [
        ("You have 30 days.", "30", True),
        ("You have 300 days.", "30", False),
        ("需要5至7个工作日", "7", True),
        ("It costs 1.30 dollars", "30", False),
        ("It is Delivered.", "delivered", True),
        ("It is undelivered.", "delivered", False),
    ],
)
def test_an_answer_holds_a_figure_or_word_whole_or_not(answer: str, wanted: str, *, held: bool) -> None:
    assert _holds(answer, wanted) is held


def test_a_folder_that_is_not_a_demos_is_never_cleared(tmp_path) -> None:
    (tmp_path / "proctor.toml").write_text("[budget]\n")
    (tmp_path / "proctor.db").write_text("dear data")
    with pytest.raises(ConfigurationError):
        Workplace(folder=tmp_path).clear()
    assert (tmp_path / "proctor.db").exists()


def test_only_what_a_demo_made_is_cleared(tmp_path) -> None:
    place = Workplace(folder=tmp_path)
    place.clear()
    place.settings("some-model", None)
    place.make_shop(7)
    (tmp_path / "letter.txt").write_text("dear")
    place.clear()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["letter.txt", "proctor.toml"]


def test_the_shop_is_compared_with_what_was_expected_of_it(tmp_path) -> None:
    place = Workplace(folder=tmp_path)
    shop = place.make_shop(7)
    assert place.is_as_expected()
    pending = next(id for id, order in shop["orders"].items() if order["status"] == "pending")
    place.expect("cancel_pending_order", {"order_id": pending, "reason": "no longer needed"})
    assert not place.is_as_expected()
    assert place.effects() == ()
