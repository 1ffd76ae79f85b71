# ruff: noqa: RUF001 - Chinese has its own punctuation
from decimal import Decimal

import pytest

from proctor.policies import Catalogue
from proctor.policies._prices import Price, contradicting_prices

CATALOGUE = {
    "Blue Mug": {Price(amount=Decimal("12.50"), currency="USD")},
    "Desk Lamp": {
        Price(amount=Decimal(1299), currency="USD"),
        Price(amount=Decimal("1499.99"), currency="USD"),
    },
    "Mug": {Price(amount=Decimal(8))},
    "保温杯": {Price(amount=Decimal(99), currency="CNY")},
}


def wrong(text):
    return [(text[one.start : one.end], one.detail) for one in contradicting_prices(text, CATALOGUE)]


@pytest.mark.parametrize(
    ("text", "price", "product"),
    [
        ("The Blue Mug costs $13.50.", "$13.50", "Blue Mug"),
        ("A $11 Blue Mug for you.", "$11", "Blue Mug"),
        ("The Blue Mug is €12.50.", "€12.50", "Blue Mug"),
        ("Blue Mug: was $15, now $12.", "$12", "Blue Mug"),
        ("The Desk Lamp starts at $999.", "$999", "Desk Lamp"),
        ("The Desk Lamp starts at $1,499.99.", "$1,499.99", "Desk Lamp"),
        ("Desk Lamp: USD 1,399", "USD 1,399", "Desk Lamp"),
        ("保温杯售价129元", "129元", "保温杯"),
        ("保温杯只要 ¥89", "¥89", "保温杯"),
    ],
)
def test_a_price_that_the_catalogue_does_not_have_is_found(text, price, product):
    assert wrong(text) == [(price, product)]


@pytest.mark.parametrize(
    "text",
    [
        "The Blue Mug costs $12.50.",
        "The blue mug costs 12.50 dollars.",
        "The Desk Lamp costs $1,499.99, or $1500 with the small change.",
        "Desk Lamps from $1,299",
        "Desk Lamp 1 499,99 USD",
        "The Desk Lamp is about $1,500.",
        "保温杯现价99元，原价129元。",
        "保温杯约100元。",
    ],
)
def test_a_price_of_the_catalogue_passes_however_it_is_written(text):
    assert wrong(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "The Blue Mug is $12.50, down from $15.",
        "Save $3 on the Blue Mug!",
        "Shipping is $5 for the Blue Mug.",
        "With your budget of $50 you can buy a Blue Mug.",
        "Blue Mug, 20% off, $5 shipping, $12.50",
        "买保温杯满200元减20元",
        "Your refund of $40 was sent.",
    ],
)
def test_other_sums_are_no_prices_of_a_product(text):
    assert wrong(text) == []


def test_each_product_is_held_against_the_price_beside_it():
    assert wrong("A $12.50 Blue Mug and a $1,299 Desk Lamp") == []
    assert wrong("The Mug is €8 and the Blue Mug $12.50") == []
    assert wrong("The Blue Mug is $12.50 and the Desk Lamp $12.50") == [("$12.50", "Desk Lamp")]


def test_without_products_nothing_is_compared():
    assert list(contradicting_prices("The lamp costs $3.", {})) == []
    assert list(contradicting_prices("The lamp costs $3.", {"lamp": set()})) == []


def test_a_tools_answer_that_is_nested_without_end_teaches_nothing_and_breaks_nothing():
    catalogue = Catalogue()
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    catalogue.learn("", {"items": deep})
    catalogue.learn("[" * 5_000 + "]" * 5_000, None)
    assert catalogue.prices == {}
    catalogue.learn('{"name": "Mug", "price": "$8"}', None)
    assert catalogue.prices == {"Mug": {Price(amount=Decimal(8))}}
