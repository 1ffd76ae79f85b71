"""Prices that an answer names although the catalogue says otherwise.

Only a price beside a product's name is compared with that product's prices: an answer may speak of fees
and budgets, too. Where the catalogue gives no currency, the currency of the answer isn't looked at.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal

from proctor.policies._reading import Finding

NEAREST = 160
"""Characters between a product's name and its price, at most."""
ROUGHLY = Decimal("0.05")
"""The share by which `about` may differ."""
FEW_CENTS = Decimal("0.05")
LEAD = 30
"""Characters between a price and the name that it leads, at most."""
_CURRENCIES = {
    "$": "USD",
    "us$": "USD",
    "usd": "USD",
    "dollar": "USD",
    "dollars": "USD",
    "美元": "USD",
    "€": "EUR",
    "eur": "EUR",
    "euro": "EUR",
    "euros": "EUR",
    "欧元": "EUR",
    "£": "GBP",
    "gbp": "GBP",
    "pounds": "GBP",
    "英镑": "GBP",
    "¥": "CNY",
    "rmb": "CNY",
    "cny": "CNY",
    "元": "CNY",
    "块": "CNY",
    "块钱": "CNY",
    "人民币": "CNY",
    "yuan": "CNY",
    "jpy": "JPY",
    "yen": "JPY",
    "日元": "JPY",
}
_AMOUNT = (
    r"\d{1,3}(?:\.\d{3})++,\d{2}(?!\d)|\d{1,3}(?:[, ']\d{3})++(?:[.,]\d{1,2})?(?!\d)"
    r"|\d{1,9}(?:[.,]\d{1,2})?(?!\d)"
)
_PRICE = re.compile(
    rf"(?P<before>us\$|[$€£¥]|\b(?:usd|eur|gbp|rmb|cny|jpy)\b|人民币)\s?(?P<first>{_AMOUNT})(?P<ten>万)?"
    rf"|(?<![\d.,$€£¥])(?P<second>{_AMOUNT})(?P<more>万)?\s?(?P<after>[€£]|\b(?:usd|eur|gbp|rmb|cny"
    rf"|jpy|dollars?|euros?|pounds|yuan|yen)\b"
    r"|美元|欧元|英镑|日元|块钱|元|块)",
    re.IGNORECASE,
)
_NO_PRICE_BEFORE = re.compile(
    r"(?:\b(?:was|were|used to (?:cost|be)|formerly|previously|originally"
    r"|original(?:ly)? priced? (?:at|of)?|regular(?:ly)?(?: price)?(?: of)?"
    r"|list price(?: of)?|rrp|msrp|old price(?: of)?|instead of|down from|reduced from"
    r"|marked down from|crossed out|competitors?.{0,20}"
    r"|save|saves|saving|savings of|discount of|off by|cheaper by|off|coupon(?: for)?"
    r"|voucher(?: for)?|rebate of|cash ?back of|refund(?: of)?"
    r"|shipping(?: is| costs| for)?|delivery(?: is| costs| for)?|postage(?: of)?|tax(?: of)?"
    r"|fee(?: of)?|deposit(?: of)?|budget(?: of| is)?"
    r"|under|below|over|above|less than|more than|up to|at least|at most|between|orders? (?:over"
    r"|above|of)|total(?: is| of| comes to)?"
    r"|per month|instal?lments? of|you paid|gift card(?: of| worth)?)"
    r"|原价|市场价|划线价|吊牌价|曾经|之前(?:是|卖)?|优惠了?|立减|减|省了?|节省|便宜了?|返现|返|抵扣?|券|运费|邮费|押金|定金|预算|低于|高于|超过|不到|以内"
    r"|满|合计|总共|总价|共计|每月|月供|退款|退还)\W{0,3}(?:is|of|at|为|是|约)?\W{0,3}$",
    re.IGNORECASE,
)
_NO_PRICE_AFTER = re.compile(
    r"\W{0,2}(?:off\b|discount|less\b|cheaper|shipping|delivery|postage|in (?:savings|tax)|gift card"
    r"|coupon|voucher|credit\b|refund|fee\b"
    r"|(?:a|per|each|/) ?(?:month|week|year|kg|lb|100|litre|liter|metre|meter|oz|mo\b)|deposit|以内"
    r"|以下|以上|左右的?预算|优惠|折扣|运费|的?券|红包|起送|/月|每月)",
    re.IGNORECASE,
)
_FROM = re.compile(r"\b(?:from|starting (?:at|from)|starts at|as low as)\W{0,3}$", re.IGNORECASE)
_ROUGHLY = re.compile(
    r"(?:\b(?:about|around|roughly|approximately|circa|some|nearly|almost)|约|大概|差不多|近)\W{0,3}$",
    re.IGNORECASE,
)
_ROUGHLY_AFTER = re.compile(r"\W?(?:左右|上下|出头)")
_LEADS = re.compile(r"\s?(?:(?!and\b|or\b|but\b|with\b)[\w'-]+ ){0,3}|\s?的?\s?", re.IGNORECASE)
"""What may stand between a price and the name that it leads: `$12.50 for the mug`."""
_FROM_AFTER = re.compile(r"\W?(?:起(?!送)|and up|or more|onwards)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A sum in a currency."""

    amount: Decimal
    currency: str | None = None
    """The three letters of ISO 4217; None where it isn't told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    start: int
    end: int
    price: Price
    least: bool
    """It is told as the lowest of several."""
    roughly: bool
    """It is told as about so much."""


def contradicting_prices(text: str, catalogue: Mapping[str, AbstractSet[Price]]) -> Iterable[Finding]:
    """Prices in an answer that the product beside them doesn't have, by the catalogue's names and prices.

    The price of a product is the one that leads its name, or the first after it and before another product is
    named, or the last before it in the same sentence. Old prices, savings, shipping and budgets are none.
    """
    names = _names(text, catalogue)
    prices = list(_prices(text)) if names else []
    for start, end, product, told in _assigned(text, names, prices):
        if catalogue[product] and not _agrees(told, catalogue[product]):
            yield Finding(kind="price_mismatch", start=start, end=end, confidence=0.9, detail=product)


def _assigned(
    text: str, names: Sequence[tuple[int, int, str]], prices: Sequence[_Named]
) -> Iterator[tuple[int, int, str, _Named]]:
    """Each product with the price that is told of it."""
    ahead = {
        start: told
        for start, _, _ in names
        for told in prices
        if told.end <= start <= told.end + LEAD and _LEADS.fullmatch(text[told.end : start])
    }
    taken = {told.start for told in ahead.values()}
    left = [told for told in prices if told.start not in taken]
    for place, (start, end, product) in enumerate(names):
        last = min(names[place + 1][0] if place + 1 < len(names) else len(text), end + NEAREST)
        first = max(names[place - 1][1] if place else 0, start - NEAREST, _sentence_start(text, start))
        told = (
            ahead.get(start)
            or next((one for one in left if end <= one.start < last), None)
            or next((one for one in reversed(left) if first <= one.start < start), None)
        )
        if told is not None:
            taken.add(told.start)
            left = [one for one in left if one.start not in taken]
            yield told.start, told.end, product, told


def _sentence_start(text: str, place: int) -> int:
    return max(text.rfind(mark, 0, place) + 1 for mark in ("\n", ". ", "。", "!", "?"))


def _names(text: str, catalogue: Mapping[str, AbstractSet[Price]]) -> list[tuple[int, int, str]]:
    """Where products are named, in order; of two that overlap, the longer name."""
    if not catalogue:
        return []
    by_name = {name.casefold(): name for name in catalogue if name.strip()}
    longest_first = sorted(by_name, key=len, reverse=True)
    pattern = re.compile(
        "|".join(rf"(?<![a-z0-9]){re.escape(name)}(?:s|es)?(?![a-z0-9])" for name in longest_first),
        re.IGNORECASE,
    )
    found = []
    for match in pattern.finditer(text):
        name = match[0].casefold()
        product = (
            by_name.get(name) or by_name.get(name.removesuffix("s")) or by_name.get(name.removesuffix("es"))
        )
        if product is not None:
            found.append((match.start(), match.end(), product))
    return found


def _prices(text: str) -> Iterator[_Named]:
    """The prices in a text, in order, without the sums that are no product's price."""
    for match in _PRICE.finditer(text):
        before = text[max(0, match.start() - 40) : match.start()]
        after = text[match.end() : match.end() + 20]
        if _NO_PRICE_BEFORE.search(before) or _NO_PRICE_AFTER.match(after):
            continue
        amount = _amount(match["first"] or match["second"])
        if match["ten"] or match["more"]:
            amount *= 10_000
        currency = _CURRENCIES[(match["before"] or match["after"]).lower()]
        least = bool(_FROM.search(before) or _FROM_AFTER.match(after))
        yield _Named(
            start=match.start(),
            end=match.end(),
            price=Price(amount=amount, currency=currency),
            least=least,
            roughly=bool(_ROUGHLY.search(before) or _ROUGHLY_AFTER.match(after)),
        )


def _amount(written: str) -> Decimal:
    """The number that is written with any separators."""
    plain = written.replace(" ", "").replace("'", "")
    if re.search(r"[.,]\d{1,2}$", plain):
        whole, cents = re.split(r"[.,](?=\d{1,2}$)", plain)
        return Decimal(f"{whole.replace(',', '').replace('.', '')}.{cents}")
    return Decimal(plain.replace(",", ""))


def _agrees(told: _Named, known: AbstractSet[Price]) -> bool:
    """Whether the catalogue has such a price."""
    same = [price.amount for price in known if price.currency in (None, told.price.currency)]
    if not same:
        return _only_ambiguous(told, known)
    return any(_equal(told, amount) for amount in ([min(same)] if told.least else same))


def _equal(told: _Named, known: Decimal) -> bool:
    """Whether it is the same sum; one in whole units also stands for one that is a few cents away."""
    away = abs(told.price.amount - known)
    whole = told.price.amount == told.price.amount.to_integral_value()
    return away <= known * ROUGHLY if told.roughly else away <= (FEW_CENTS if whole else 0)


def _only_ambiguous(told: _Named, known: AbstractSet[Price]) -> bool:
    """Whether only the sign speaks against it: ¥ is yuan and yen, $ is the dollar of many countries."""
    shared = {"CNY": {"JPY"}, "USD": {"CAD", "AUD", "SGD", "HKD", "NZD"}}.get(
        told.price.currency or "", set()
    )
    return any(price.currency in shared and _equal(told, price.amount) for price in known)
