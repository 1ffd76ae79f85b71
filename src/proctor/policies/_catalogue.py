"""The prices that a run has read in its catalogue."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation

from proctor.core import JsonValue
from proctor.policies._prices import Price

MOST = 2_000
"""Products that are remembered; further ones aren't compared."""

_NAMES = ("name", "title", "product", "product_name", "item", "item_name", "名称", "商品", "商品名称")
_PRICES = (
    "price",
    "unit_price",
    "list_price",
    "sale_price",
    "current_price",
    "价格",
    "单价",
    "售价",
)
_CURRENCIES = ("currency", "currency_code", "币种")


class Catalogue:
    """By a product's name: all prices that it, or one of its variants, was seen with."""

    def __init__(self) -> None:
        self.prices: dict[str, set[Price]] = {}

    def learn(self, text: str, structured: JsonValue) -> None:
        """Takes the prices from a tool's answer: from its structured content, else from JSON in its text."""
        try:
            told = json.loads(text) if structured is None else structured
            priced = list(_priced(told, "", None))
        except (ValueError, RecursionError):  # no JSON, or a nest that no shop builds
            return
        for name, price in priced:
            if name in self.prices or len(self.prices) < MOST:
                self.prices.setdefault(name, set()).add(price)


def _priced(value: JsonValue, name: str, currency: str | None) -> Iterator[tuple[str, Price]]:
    """Each price with the nearest name above or beside it."""
    match value:
        case Mapping():
            name = next((said for key in _NAMES if isinstance(said := value.get(key), str) and said), name)
            told = next((said for key in _CURRENCIES if isinstance(said := value.get(key), str)), None)
            currency = told.upper() if told else currency
            for key in _PRICES:
                amount = _amount(value.get(key))
                if name and amount is not None:
                    yield name, Price(amount=amount, currency=currency)
            for inner in value.values():
                yield from _priced(inner, name, currency)
        case list() | tuple():
            for inner in value:
                yield from _priced(inner, name, currency)
        case _:
            pass


def _amount(value: JsonValue) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value).strip().lstrip("$€£¥").replace(",", ""))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None
