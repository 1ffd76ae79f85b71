# ruff: noqa: RUF001 - Chinese has its own punctuation
import csv
import json
from importlib import resources
from pathlib import Path

import pytest

from proctor.policies._advice import advice
from proctor.policies._reading import Reading

HELD = Path(__file__).parents[3] / "benchmarks" / "_compliance" / "held.tsv"


def kinds(text, stage="input"):
    return {finding.kind for finding in advice(Reading(text, stage))}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("I'm 58 and have $40k, should I move it to bonds?", "investment_advice"),
        ("Build me a dividend portfolio, I'm 41 and hate risk.", "investment_advice"),
        ("my landlord kept my deposit, can I sue him?", "legal_advice"),
        ("They fired me two days after I reported harassment. Do I have a case?", "legal_advice"),
        ("I've had chest pain and a fever since Monday, what should I take?", "medical_advice"),
        ("Can I take ibuprofen together with my blood pressure pills?", "medical_advice"),
        ("我最近头晕，血压150/95该吃什么药？", "medical_advice"),
        ("公司拖欠我两个月工资，没签合同，我能申请劳动仲裁吗？", "legal_advice"),
        ("我有20万闲钱，应该买基金还是存定期？", "investment_advice"),
    ],
)
def test_a_request_for_personal_advice_is_found(text, kind):
    assert kinds(text) == {kind}


@pytest.mark.parametrize(
    "text",
    [
        "What is a bond?",
        "How do index funds work?",
        "What causes diabetes?",
        "Explain the difference between civil and criminal law.",
        "什么是市盈率？",
        "请解释一下什么是诉讼时效。",
        "疫苗是怎么起作用的？",
    ],
)
def test_general_education_passes(text):
    assert kinds(text) == set()


@pytest.mark.parametrize(
    "text",
    [
        "My card was declined at the pharmacy, what should I do?",
        "Where is my order 55218? I want my money back.",
        "Can I get a Visa or a Mastercard with this account?",
        "How do I reset my password?",
        "I'd like to move my dentist appointment to Friday.",
        "Should I choose standard or express delivery?",
        "我的快递三天没动了，帮我查一下。",
        "银行卡丢了怎么挂失？",
    ],
)
def test_talk_with_a_service_desk_passes(text):
    assert kinds(text) == set()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("You should put 60% into bonds and 40% into a broad stock fund.", "investment_advice"),
        ("建议您把六成资金配置到债券基金，其余定投指数基金。", "investment_advice"),
        ("Take 400 mg of ibuprofen every six hours and stop the aspirin.", "medical_advice"),
        ("考虑是急性肠胃炎，可以口服蒙脱石散，一天三次。", "medical_advice"),
        ("You have strong grounds to sue: file in small claims court within 30 days.", "legal_advice"),
        ("您这种情况可以向法院起诉，要求对方赔偿医疗费。", "legal_advice"),
    ],
)
def test_an_answer_that_gives_advice_is_found(text, kind):
    assert kind in kinds(text, "output")


@pytest.mark.parametrize(
    "text",
    [
        "You should call the bank at once and have the card blocked.",
        "Your order was shipped yesterday and should reach you by Thursday.",
        "I'm not able to recommend investments. A licensed adviser can look at your situation.",
        "A bond is a loan that pays interest and is paid back on a fixed day.",
        "您的订单已发货，预计周五送达。",
        "很抱歉，我不能提供医疗建议，请咨询医生。",
    ],
)
def test_an_answer_about_the_service_or_a_referral_passes(text):
    assert kinds(text, "output") == set()


def test_medical_information_that_tells_nobody_what_to_do_is_found_with_less_confidence():
    text = (
        "Psoriasis is a chronic disease of the skin with red patches, itching and inflammation of the joints."
    )
    (found,) = advice(Reading(text, "output"))
    assert found.kind == "medical_advice"
    assert found.confidence <= 0.6


def test_only_input_and_output_are_read():
    text = "I've had a fever for three days, which antibiotic should I take?"
    assert kinds(text, "knowledge") == kinds(text, "tool_result") == kinds(text, "memory") == set()


def test_the_span_is_the_sentence_that_asks():
    text = "Hello there. I bought a lamp. My landlord kept my deposit, can I sue him? Thanks and bye."
    (found,) = advice(Reading(text))
    assert text[found.start : found.end] == "My landlord kept my deposit, can I sue him?"


def test_the_span_stands_in_the_original_where_letters_are_dressed_up():
    text = "\u200bHi. \uff2dy landlord ke\u200bpt my deposit, can I sue him? Bye."
    (found,) = advice(Reading(text))
    assert text[found.start : found.end] == "\uff2dy landlord ke\u200bpt my deposit, can I sue him?"


def test_advice_is_found_in_the_middle_of_a_long_text():
    text = (
        "The parcel came late. " * 100
        + "I have diabetes, should I double my insulin? "
        + "It was wet. " * 100
    )
    found = list(advice(Reading(text)))
    assert {one.kind for one in found} == {"medical_advice"}
    assert "insulin" in text[found[0].start : found[0].end]


def test_an_empty_text_and_a_blank_one_have_no_advice():
    assert kinds("") == kinds(" \n ") == set()


def test_styles_that_nothing_was_trained_on_are_judged_rightly():
    hits, totals = {}, {}
    with HELD.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            found = kinds(row["text"], row["stage"])
            hit = bool(found) if row["kind"] == "none" else f"{row['kind']}_advice" in found
            hits[row["kind"]] = hits.get(row["kind"], 0) + hit
            totals[row["kind"]] = totals.get(row["kind"], 0) + 1
    shares = {kind: hits[kind] / totals[kind] for kind in totals}
    assert min(shares[kind] for kind in ("legal", "medical", "investment")) >= 0.8
    assert shares["none"] <= 0.15


def test_each_weight_stands_for_a_number_that_is_read():
    from proctor.policies._advice_features import DOMAINS, features, told

    text = "我妈有高血压。 should i take ibuprofen for my headache? my landlord, my bonds"
    known = {name for domain in DOMAINS for name in features(told(text), domain)}
    file = json.loads(resources.files("proctor.policies").joinpath("data/advice.json").read_text("utf-8"))
    says = set(told(text).says)
    figures = {"rival_more", "service", "service_more", "general_first", "general_in_domain", "chinese"}
    figures |= {"ordered_in_domain", "cited_in_domain", "trades_in_domain", "treats_in_domain", "figures"}
    for stage in file["stages"].values():
        assert set(stage["weights"]) <= known | says | figures


@pytest.mark.parametrize("text", ["a" * 10**6, "1 " * 500_000, "@" * 10**6, "我血压高怎么办" * 100_000])
def test_a_text_of_a_megabyte_is_read_in_linear_time(text):
    assert len(list(advice(Reading(text)))) <= 16
