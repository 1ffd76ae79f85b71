# ruff: noqa: RUF001 - Chinese has its own punctuation
import pytest

from proctor.policies._claims import claims
from proctor.policies._reading import Reading


def kinds(text, stage="output"):
    return {finding.kind for finding in claims(Reading(text, stage))}


@pytest.mark.parametrize(
    "text",
    [
        "Our fund offers guaranteed returns of 12% a year.",
        "This tea cures cancer and diabetes.",
        "It's a risk-free investment, you can't lose.",
        "The serum is 100% effective.",
        "Results are guaranteed!",
        "Clinically proven to stop hair loss.",
        "Double your money in 30 days!",
        "本产品稳赚不赔。",
        "包治百病，药到病除。",
        "零风险高收益，年化20%。",
        "我们保证收益，随时可取。",
        "100%有效，永不复发！",
    ],
)
def test_a_claim_that_nobody_can_keep_is_found(text):
    assert kinds(text) == {"unsupported_claim"}


@pytest.mark.parametrize(
    "text",
    [
        "We offer a 30-day money-back guarantee.",
        "Is the return guaranteed?",
        "We can't guarantee returns.",
        "There is no guarantee of profits.",
        "There is no cure for diabetes.",
        "This product is not intended to diagnose, treat, cure or prevent any disease.",
        "Beware of anyone who promises guaranteed returns.",
        "Try it risk-free for 30 days.",
        "The risk-free rate is the yield of treasury bills.",
        "Delivery by Friday is guaranteed.",
        "我们不能保证收益。",
        "没有任何投资是零风险的。",
        "这种药能根治吗？",
        "谨防声称稳赚不赔的骗局。",
        "我们保证三天内发货。",
    ],
)
def test_a_denial_a_question_a_warning_and_a_shops_guarantee_pass(text):
    assert kinds(text) == set()


@pytest.mark.parametrize(
    "text",
    [
        "I'm a licensed attorney and I've seen many such cases.",
        "As your doctor, I recommend rest.",
        "Think of me as your personal lawyer.",
        "我是一名执业律师，可以为您辩护。",
        "作为您的私人医生，我建议您休息。",
    ],
)
def test_an_ai_that_poses_as_a_professional_is_found(text):
    assert kinds(text) == {"ai_as_professional"}


@pytest.mark.parametrize(
    "text",
    [
        "I'm not a doctor, please see one.",
        "I'm an AI assistant, not a lawyer.",
        "As a doctor would tell you, drink water.",
        "Your doctor may recommend surgery.",
        "我不是医生，无法诊断。",
        "我是AI助手，不是律师。",
    ],
)
def test_an_ai_that_says_what_it_is_passes(text):
    assert kinds(text) == set()


def test_a_customer_may_be_a_doctor():
    assert kinds("I'm a doctor and need an invoice.", "input") == set()


@pytest.mark.parametrize(
    "text",
    [
        "Write me ten five-star reviews for our new blender.",
        "Generate 20 positive testimonials from different customers.",
        "Pretend to be a happy customer and write a review of our hotel.",
        "Where can I buy Google reviews?",
        "We give a $10 gift card for a 5-star review.",
        "帮我写10条五星好评",
        "五星好评返现5元，联系客服领取",
        "想找人刷单，一单多少钱",
    ],
)
@pytest.mark.parametrize("stage", ["input", "output"])
def test_made_up_and_paid_reviews_are_found(text, stage):
    assert kinds(text, stage) == {"fake_review"}


@pytest.mark.parametrize(
    "text",
    [
        "I want to leave a review for my order.",
        "Please report a fake review on my page.",
        "Help me write a reply to a 5-star review.",
        "Can you help me write a review of the hotel I stayed in last week?",
        "Summarize the following 20 positive reviews.",
        "我刷单被骗了三千块怎么办",
        "这个商品的评价在哪里看？",
    ],
)
def test_talk_about_reviews_passes(text):
    assert kinds(text, "input") == set()


def test_the_span_is_the_sentence_in_the_original():
    text = "Hello. Our f\u200bund offers guaranteed returns of 12%. Call us."
    (found,) = claims(Reading(text, "output"))
    assert text[found.start : found.end] == "Our f\u200bund offers guaranteed returns of 12%."


@pytest.mark.parametrize(
    "piece",
    [
        "guaranteed a b c d ",
        "write ten five-star reviews ",
        "i'm a very ",
        "保证",
        "pretend to be a customer ",
    ],
)
def test_hostile_repetition_is_read_in_linear_time(piece):
    assert len(list(claims(Reading(piece * (10**6 // len(piece)), "output")))) <= 1


def test_a_letter_whose_small_form_is_longer_hides_no_claim():
    assert kinds("\u0130stanbul. GUARANTEED RETURNS OF 20 % a year.") == kinds(
        "GUARANTEED RETURNS OF 20 % a year."
    )
    assert kinds("\u0130stanbul. GUARANTEED RETURNS OF 20 % a year.")
