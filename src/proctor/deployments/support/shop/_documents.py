"""The documents that the shop keeps, as they stand in its JSON.

They are typed dictionaries and not dataclasses because a document must come back exactly as it was loaded:
fields we don't know, absent against null, 10 against 10.0, and the order of fields.
"""

from typing import Literal, NotRequired

from typing_extensions import TypedDict


class Address(TypedDict):
    """Where a customer lives or an order goes."""

    address1: str
    address2: str
    city: str
    country: str
    state: str
    zip: str


class PersonName(TypedDict):
    """A customer's name."""

    first_name: str
    last_name: str


class PaymentMethod(TypedDict):
    """A way to pay; only a gift card has a balance, in dollars."""

    source: Literal["credit_card", "gift_card", "paypal"]
    id: str
    balance: NotRequired[float]
    brand: NotRequired[str]
    last_four: NotRequired[str]


class User(TypedDict):
    """A customer."""

    user_id: NotRequired[str]
    name: PersonName
    address: Address
    email: str
    payment_methods: dict[str, PaymentMethod]
    orders: list[str]


class Variant(TypedDict):
    """One item that can be bought; the price is in dollars."""

    item_id: str
    options: dict[str, str]
    available: bool
    price: float


class Product(TypedDict):
    """A product type with all of its variants by item id."""

    name: str
    product_id: str
    variants: dict[str, Variant]


class OrderLine(TypedDict):
    """One item of an order, at the price it was bought for."""

    name: str
    product_id: str
    item_id: str
    price: float
    options: dict[str, str]


class Payment(TypedDict):
    """Money that went from the customer (payment) or back (refund), in dollars."""

    transaction_type: Literal["payment", "refund"]
    amount: float
    payment_method_id: str


class Fulfillment(TypedDict):
    """A parcel."""

    tracking_id: list[str]
    item_ids: list[str]


class Order(TypedDict):
    """An order. What is optional is set by what was done with it."""

    order_id: str
    user_id: str
    address: Address
    items: list[OrderLine]
    status: str
    fulfillments: list[Fulfillment]
    payment_history: list[Payment]
    cancel_reason: NotRequired[str | None]
    exchange_items: NotRequired[list[str] | None]
    exchange_new_items: NotRequired[list[str] | None]
    exchange_payment_method_id: NotRequired[str | None]
    exchange_price_difference: NotRequired[float | None]
    return_items: NotRequired[list[str] | None]
    return_payment_method_id: NotRequired[str | None]


class Database(TypedDict):
    """A whole shop."""

    products: dict[str, Product]
    users: dict[str, User]
    orders: dict[str, Order]
