# ruff: noqa: RUF001 - Chinese has its own punctuation
from typing import get_args

import pytest

from proctor.policies._disclosure import Notice, language, notice


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Where is my order?", "en"),
        ("我的订单在哪里？", "zh"),
        ("我的 iPhone 15 Pro 订单什么时候发货？", "zh"),
        ("Please translate 你好 into English for me.", "en"),
        ("", "en"),
        ("12345", "en"),
    ],
)
def test_the_language_is_that_of_most_words(text, spoken):
    assert language(text) == spoken


@pytest.mark.parametrize("kind", get_args(Notice))
def test_each_notice_is_told_in_both_languages(kind):
    english, chinese = notice(kind, "Hello"), notice(kind, "你好")
    assert language(english) == "en"
    assert language(chinese) == "zh"


def test_a_deployments_own_words_come_first():
    own = {"ai": {"en": "Hi, I'm Botty, a machine."}}
    assert notice("ai", "Hello", own) == "Hi, I'm Botty, a machine."
    assert "人工智能" in notice("ai", "你好", own)
    assert "adviser" in notice("investment_referral", "Hello", own)
