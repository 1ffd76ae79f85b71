from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.core import DeploymentSettings, PriceSettings, PriceUnknown, Usage, to_micros
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


def test_each_kind_of_token_has_its_price_and_what_has_none_costs_as_what_holds_it():
    full = {"input": 1, "output": 10, "cached_input": "0.1", "cache_write": "1.25", "reasoning": 20}
    usage = Usage(input=1000, cached_input=500, cache_write=400, output=10, reasoning=4)
    assert cost(usage, price=full) == 100 + 50 + 500 + 60 + 80
    assert cost(usage, price={"input": 1, "output": 10}) == 1000 + 100


def test_a_long_prompt_costs_the_rates_of_its_tier_from_its_first_token_on():
    tiers = [{"above": 200, "input": 4, "output": 40}, {"above": 100, "input": 2, "output": 20}]
    price = {"input": 1, "output": 10, "long": tiers}
    costs = [cost(Usage(input=size, output=1), price=price) for size in (100, 101, 200, 201)]
    assert costs == [110, 222, 420, 844]


def test_what_comes_by_a_batch_costs_its_share():
    usage = Usage(input=100)
    price = {"input": 1, "output": 10, "batch": 0.25}
    small = prices(price=price)
    assert small.price_of(usage, "small", at=AT, way="batch") == 25
    assert small.price_of(usage, "small", at=AT) == 100


def test_the_newest_price_holds_that_is_not_of_the_future():
    dated = [
        {"since": "2026-07-01", "input": 9, "output": 9},
        {"since": "2026-05-01", "input": 3, "output": 9},
        {"input": 1, "output": 9},
    ]
    usage, small = Usage(input=1), prices(price=dated)
    days = [datetime(2026, 4, 30, 23, tzinfo=UTC), AT, datetime(2026, 7, 1, tzinfo=UTC)]
    assert [small.price_of(usage, "small", at=day) for day in days] == [1, 3, 9]


def test_a_price_that_does_not_hold_yet_is_none():
    later = prices(price=[{"since": "2999-01-01", "input": 1, "output": 1}])
    assert not later.has_price("small")
    with pytest.raises(PriceUnknown):
        later.price_of(Usage(input=1), "small", at=AT)


@pytest.mark.parametrize(
    ("address", "model"),
    [
        ("https://api.openai.com/v1", "gpt-5.4"),
        ("https://api.openai.com/v1", "gpt-5.4-mini"),
        ("https://api.openai.com/v1", "gpt-4o"),
        ("https://api.openai.com/v1", "o3"),
        ("https://api.anthropic.com", "claude-opus-4-7"),
        ("https://api.anthropic.com", "claude-sonnet-4-5"),
        ("https://api.deepseek.com", "deepseek-chat"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "gemini-2.5-pro"),
        ("https://api.mistral.ai/v1", "mistral-large-latest"),
    ],
)
@pytest.mark.parametrize("input", [10_000, 300_000])
def test_published_prices_are_what_their_list_says(address, model, input):
    usage = Usage(input=input, output=2_000, cached_input=3_000, cache_write=2_000, reasoning=500)
    told = genai_prices.Usage(
        input_tokens=usage.input,
        cache_read_tokens=usage.cached_input,
        cache_write_tokens=usage.cache_write,
        output_tokens=usage.output,
        output_reasoning_tokens=usage.reasoning,
    )
    listed = genai_prices.calc_price(told, model, provider_api_url=address, genai_request_timestamp=AT)
    assert cost(usage, model=model, base_url=address) == to_micros(listed.total_price)


def test_a_published_price_of_batches_is_taken_where_there_is_one():
    at = datetime(2026, 12, 1, tzinfo=UTC)
    claude = Prices({"small": DeploymentSettings(provider="anthropic", model="claude-opus-4-7")})
    usage = Usage(input=1_000_000)
    assert claude.price_of(usage, "small", at=at) == 2 * claude.price_of(usage, "small", at=at, way="batch")
