"""Published prices, as `genai-prices` ships them. Nothing is ever downloaded.

Importing this module takes half a second with its data: only a deployment without a price of its own does.
"""

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias

import genai_prices
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

from proctor.ledger._rates import Rates, Tariff, Way, make_rates

Price: TypeAlias = "Decimal | TieredPrices | None"

_KINDS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "reasoning": "output_reasoning_mtok",
}

_converted: dict[int, tuple[ModelPrice, Tariff]] = {}
"""By the identity of the list's own objects, which are few and live as long as the list."""


def published_tariff(address: str, model: str, *, at: datetime, way: Way) -> Tariff | None:
    """What a model costs at an endpoint at that time, where the list holds it."""
    found = _find(address, model)
    if found is None:
        return None
    if way == "batch":  # where no price is published for it, what comes that way costs as all else
        return _tariff(found.get_prices(at, {"processing": "batch"}))
    price = found.get_prices(at)
    known = _converted.get(id(price))
    if known is None:
        known = _converted[id(price)] = (price, _tariff(price))
    return known[1]


@lru_cache(maxsize=1024)
def _find(address: str, model: str) -> ModelInfo | None:
    """The list's entry. Remembered, because a miss searches the whole list."""
    some = genai_prices.Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    try:
        found = genai_prices.calc_price(some, model, provider_api_url=address)
    except LookupError:
        return None
    return found.model if found.total_price > 0 else None


def _tariff(price: ModelPrice) -> Tariff:
    prices: dict[str, Price] = {kind: getattr(price, name) for kind, name in _KINDS.items()}
    starts = sorted(
        {tier.start for each in prices.values() if isinstance(each, TieredPrices) for tier in each.tiers}
    )
    fee: Price = price.requests_kcount
    request = fee / 1000 if isinstance(fee, Decimal) else Decimal(0)
    return Tariff(
        base=_rates(prices, 0, request),
        long=tuple((start, _rates(prices, start + 1, request)) for start in starts),
    )


def _rates(prices: dict[str, Price], length: int, request: Decimal) -> Rates:
    def at(kind: str) -> Decimal | None:
        price = prices[kind]
        if not isinstance(price, TieredPrices):
            return price
        return next((tier.price for tier in reversed(price.tiers) if length > tier.start), price.base)

    return make_rates(
        input=at("input") or Decimal(0),
        output=at("output") or Decimal(0),
        cached_input=at("cached_input"),
        cache_write=at("cache_write"),
        reasoning=at("reasoning"),
        request=request,
    )
