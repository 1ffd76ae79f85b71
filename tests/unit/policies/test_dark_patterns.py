# ruff: noqa: RUF001 - Chinese has its own punctuation
import pytest

from proctor.policies._dark_patterns import dark_patterns
from proctor.policies._reading import Reading


def found(text, stage="output"):
    return [text[one.start : one.end] for one in dark_patterns(Reading(text, stage))]


@pytest.mark.parametrize(
    "text",
    [
        "Hurry! Only 3 left in stock",
        "17 people are viewing this right now",
        "Sale ends in 02:14:59",
        "No thanks, I'd rather pay full price",
        "Maria from Austin just bought this 5 minutes ago",
        "仅剩3件，手慢无",
        "已有2000人购买",
        "限时秒杀，距结束还有10分钟",
    ],
)
def test_text_that_presses_or_shames_a_buyer_is_found(text):
    assert found(text)


@pytest.mark.parametrize(
    "text",
    [
        "Free returns within 30 days",
        "Women's running shoes",
        "Machine wash cold, do not bleach.",
        "Your order was shipped yesterday and should reach you by Thursday.",
        "这件羽绒服可以机洗。",
        "支持限时达服务",
    ],
)
def test_plain_shop_text_passes(text):
    assert found(text) == []


def test_each_line_is_judged_on_its_own():
    text = "Blue mug, 300 ml\nHurry, only 2 left in stock!\nDishwasher safe"
    assert found(text) == ["Hurry, only 2 left in stock!"]


def test_prose_needs_a_sign_beside_the_model():
    prose = (
        "Rotavirus diarrhea usually resolves in 3 to 7 days. People of 20 years or older have it checked. "
        * 6
    )
    assert found(prose) == []
    assert found(prose + "Hurry, only 2 left in stock!") == ["Hurry, only 2 left in stock!"]


def test_only_answers_and_knowledge_are_read():
    text = "Hurry! Only 3 left in stock"
    assert found(text, "knowledge")
    assert found(text, "input") == found(text, "tool_result") == found(text, "memory") == []


@pytest.mark.parametrize("piece", ["only 3 left! ", "no, thanks ", "to cancel, ", "a", "\n", "倒计时"])
def test_hostile_repetition_is_read_in_linear_time(piece):
    assert len(found(piece * (10**6 // len(piece)))) <= 64
