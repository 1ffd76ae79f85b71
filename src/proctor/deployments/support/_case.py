"""A customer's case as the shop's database shows it, in words, and which desk it belongs to.

What follows from data is decided here and not by a model: whose order it is, and what its status allows.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from proctor.deployments.support.shop import Order, User

Wish = Literal["question", "product", "order", "cancel", "change", "return", "profile", "person"]
"""What a customer wants. `question` is one that the articles answer."""

DeskName = Literal["adviser", "products", "cancellations", "changes", "returns", "profiles", "handovers"]

CATALOGUE = "catalogue/"
"""What the names of catalogue entries begin with."""

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_ORDER = re.compile(r"(?<![A-Za-z0-9])#?(W\d{5,10})(?!\d)", re.ASCII)

_FIGURES = re.compile(r"#?\b\d[\d.]*\b", re.ASCII)

_ALLOWS = {
    "pending": "It can still be cancelled or changed.",
    "pending (item modified)": "It can't be cancelled or changed any more.",
    "processed": "It is packed and on its way. It can't be cancelled, changed or returned before it arrives.",
    "delivered": "It can't be cancelled or changed. Its items can be returned or exchanged.",
    "return requested": "Nothing more can be requested for it.",
    "exchange requested": "Nothing more can be requested for it.",
    "cancelled": "It is cancelled already and can't be restored.",
}
"""What a customer can do with an order of each status."""

_DESKS: dict[Wish, tuple[DeskName, str | None]] = {
    "product": ("products", None),
    "profile": ("profiles", None),
    "person": ("handovers", None),
    "cancel": ("cancellations", "pending"),
    "change": ("changes", "pending"),
    "return": ("returns", "delivered"),
}
"""Who can do what is wished for, and the status that an order of the customer must have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of an article or of the catalogue that was found."""

    source: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known of a message: the customer, the orders that it names, and what was found for it."""

    customer: User | None
    orders: tuple[Order, ...]
    """The customer's own."""
    unknown: tuple[str, ...]
    """Order numbers that are nobody's, or somebody else's: no difference is made."""
    passages: tuple[Passage, ...]
    """The best first."""

    def statuses(self) -> set[str]:
        """The statuses of the customer's orders."""
        return {order["status"] for order in self.orders}


def email_in(text: str) -> str | None:
    """The first e-mail address in a text."""
    found = _EMAIL.search(text)
    return found[0] if found else None


def topic_of(text: str) -> str:
    """A message without what says nothing of its topic: addresses, order numbers and other figures."""
    return _FIGURES.sub(" ", _ORDER.sub(" ", _EMAIL.sub(" ", text)))


def orders_in(text: str) -> tuple[str, ...]:
    """The order numbers in a text, as the shop writes them."""
    return tuple(dict.fromkeys(f"#{number}" for number in _ORDER.findall(text)))


def desk_for(wish: Wish, case: Case) -> DeskName:
    """The desk with the tools that the wish needs and the data allow; without either, the adviser."""
    desk, status = _DESKS.get(wish, ("adviser", None))
    fits = {
        "profiles": case.customer is not None,
        "products": any(passage.source.startswith(CATALOGUE) for passage in case.passages),
    }
    return desk if fits.get(desk, status is None or status in case.statuses()) else "adviser"


def describe(case: Case, desk: DeskName) -> Iterator[str]:
    """The case in sentences; the details that only some desks need stand where they do."""
    if case.customer is None:
        if case.orders or case.unknown:
            yield "The customer is not identified: ask for the account's e-mail address first."
        return
    name = case.customer["name"]
    yield f"The customer is {name['first_name']} {name['last_name']}, identified by e-mail."
    if desk == "profiles":
        yield f"Their user id is {case.customer.get('user_id', '')}."
    if desk in ("changes", "returns"):
        methods = case.customer["payment_methods"].values()
        yield f"Their payment methods: {', '.join(method['id'] for method in methods)}."
    for order in case.orders:
        yield _order(order)
        if desk in ("changes", "returns"):
            yield from (
                f"- item {line['item_id']} of product {line['product_id']}: {line['name']}, "
                f"{_options(line['options'])}"
                for line in order["items"]
            )
    for order_id in case.unknown:
        yield f"The customer has no order {order_id}. Nothing can be told about it or done with it."


def _order(order: Order) -> str:
    items = ", ".join(f"{line['name']} (${line['price']:.2f})" for line in order["items"])
    paid = order["payment_history"][0]
    tracking = [number for parcel in order["fulfillments"] for number in parcel["tracking_id"]]
    parts = [
        f'The status of their order {order["order_id"]} is "{order["status"]}".',
        _ALLOWS.get(order["status"], ""),
        f"Tracking number: {', '.join(tracking)}." if tracking else "It has no tracking number yet.",
        f"Items: {items}. Paid: ${paid['amount']:.2f} by {_method(paid['payment_method_id'])}.",
    ]
    return " ".join(filter(None, parts))


def _method(id: str) -> str:
    return id.rpartition("_")[0].replace("_", " ")


def _options(options: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items())


def hindrance(wish: Wish, case: Case) -> str:
    """Why the data forbid what is wished for an order; empty where they don't, or where no order is named."""
    _, status = _DESKS.get(wish, ("adviser", None))
    if status is None or status in case.statuses() or not (case.orders or case.unknown):
        return ""
    if case.customer is None:
        return "it isn't known who the customer is: ask for the account's e-mail address"
    statuses = [f'the status of {order["order_id"]} is "{order["status"]}"' for order in case.orders]
    missing = [f"the customer has no order {order_id}" for order_id in case.unknown]
    return " and ".join([*statuses, *missing])


def passages_text(passages: Sequence[Passage]) -> str:
    """Passages as a model reads them."""
    return "\n\n".join(f"## {each.title}\n{each.text}" for each in passages)
