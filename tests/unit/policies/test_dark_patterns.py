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


@pytest.mark.parametrize(
    "text",
    [
        "My card 4111 1111 1111 1111",
        "Your order ships on Monday, 3 items.",
        "refunded 20 of order 7",
        "Order 7 is pending",
        "The card on file is 4111 1111 1111 1111",
        "You should put 60 % of your savings into this fund and sell your bonds.",
        "I found two bookings under that name; which one shall I change?",
        "The parcel left our warehouse at 14:20 and is with the courier.",
        "Your balance is 1,204.50 EUR as of 2026-03-31.",
        "Revenue rose 12 % to 4.8 million in the third quarter.",
        "The table has 1,482 rows, 9 of which lack a postcode.",
        "Call 020 7946 0018 between 9 and 5 if the driver doesn't turn up.",
        "I've cancelled seat 14C and kept 14D for you.",
        "for i in range(10): total += prices[i]",
        "HTTP 429 means that you sent too many requests; wait 30 seconds and try again.",
        "Take the second exit, then drive for 6 km.",
        "The median age in the sample is 41, with 212 women and 198 men.",
        "Invoice 88213 was paid on 4 May by bank transfer.",
        "Two of the five tests failed after the upgrade to 3.12.",
        "Please send me the last four digits of the account.",
        "We could move the meeting to Thursday at 10, would that suit you?",
        "Ticket 51 was closed yesterday and nobody has reopened it.",
        "The fee is 2.5 % of the amount, at least 3 dollars.",
        "Your flight is delayed by 45 minutes; the new gate is B7.",
        "Sorry about that, I'll pass it to a colleague who can look at the account.",
        "SELECT count(*) FROM orders WHERE status = 'open'",
        "The warranty covers parts for 24 months and labour for 12.",
        "I changed the delivery address to 8 Mill Lane as you asked.",
        "Preheat the oven to 180 degrees and bake for 25 minutes.",
        "There are 16 chapters, and each ends with exercises.",
        "Step 3 of 5: choose a new password of at least 12 characters.",
        "No, that voucher can't be used twice.",
    ],
)
def test_ordinary_answers_of_agents_pass(text):
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
