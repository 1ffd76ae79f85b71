from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.core import DeploymentSettings, PriceSettings, PriceUnknown, Usage
from proctor.ledger import Prices

AT = datetime(2026, 6, 1, tzinfo=UTC)


def prices(**settings) -> Prices:
    return Prices({"small": DeploymentSettings.model_validate({"model": "gpt-4o-mini"} | settings)})


def cost(usage: Usage, *, by: str = "", **settings) -> int:
    return prices(**settings).price_of(usage, "small", model=by, at=AT)


def test_a_published_price_is_found_and_cached_input_is_priced_apart():
    usage = Usage(input=1_000_000, cached_input=400_000, output=100_000)
    # gpt-4o-mini: 0.15 for input, 0.075 for cached input, 0.60 for output
    assert cost(usage) == 90_000 + 30_000 + 60_000


def test_the_price_is_that_of_the_model_that_answered():
    usage = Usage(input=1_000_000)
    assert cost(usage, by="gpt-4o-2024-08-06") == 2_500_000
    assert cost(usage, by="a-name-that-no-list-has") == 150_000


def test_long_input_costs_what_its_tier_costs():
    short, long = Usage(input=200_000), Usage(input=400_000)
    assert cost(short, by="gpt-5.4") == 500_000
    assert cost(long, by="gpt-5.4") == 2_000_000


def test_a_price_of_ones_own_comes_before_the_published_one():
    own = {"input": "3", "output": "15", "cached_input": "0.3"}
    usage = Usage(input=1000, cached_input=500, output=10)
    assert cost(usage, price=own) == 1500 + 150 + 150


def test_cached_input_costs_as_input_where_no_price_is_given_for_it():
    usage = Usage(input=1000, cached_input=1000)
    assert cost(usage, price={"input": "3", "output": "15"}) == 3000


@pytest.mark.parametrize(("tokens", "micros"), [(1, 1), (2, 1), (3, 2), (4, 2)])
def test_halves_are_rounded_up(tokens, micros):
    assert cost(Usage(input=tokens), price={"input": "0.5", "output": "0"}) == micros


@given(
    input=st.integers(0, 10**9),
    cached=st.integers(0, 10**9),
    output=st.integers(0, 10**9),
    dollars=st.decimals(0, 1000, places=6),
)
def test_own_prices_are_exact(input, cached, output, dollars):
    price = PriceSettings(input=dollars, output=dollars * 3, cached_input=dollars / 8)
    usage = Usage(input=input, cached_input=cached, output=output)
    held = min(cached, input)
    exact = (input - held) * dollars + held * (dollars / 8) + output * dollars * 3
    assert abs(Decimal(cost(usage, price=price)) - exact) <= Decimal("0.5")


@pytest.mark.parametrize(
    "settings",
    [
        {"price": "free"},
        {"provider": "local", "model": "qwen2.5-coder-1.5b"},
    ],
)
def test_what_is_free_costs_nothing(settings):
    assert cost(Usage(input=10**9, output=10**9), **settings) == 0
    assert prices(**settings).is_free("small")


@pytest.mark.parametrize(
    "settings",
    [
        {"model": "a-model-that-nobody-sells"},
        {"base_url": "http://127.0.0.1:8000/v1"},
    ],
)
def test_an_unknown_price_is_refused_with_what_to_set(settings):
    assert not prices(**settings).has_price("small")
    with pytest.raises(PriceUnknown) as caught:
        cost(Usage(input=1), **settings)
    assert "[models.small]" in caught.value.hint


def test_a_known_price_can_be_told_at_configuration():
    assert prices().has_price("small")
    assert prices(base_url="http://127.0.0.1:8000/v1", price={"input": 1, "output": 1}).has_price("small")
    assert not prices().has_price("large")
