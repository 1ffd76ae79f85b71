"""A made-up shop for trying things out. The same seed gives the same shop, byte for byte."""

from collections.abc import Iterator, Sequence
from itertools import product as combinations
from random import Random

from proctor.deployments.support.shop._documents import (
    Address,
    Database,
    Fulfillment,
    Order,
    OrderLine,
    Payment,
    PaymentMethod,
    PersonName,
    Product,
    User,
    Variant,
)
from proctor.deployments.support.shop._orders import CANCEL_REASONS
from proctor.deployments.support.shop._sample_words import CATALOGUE, CITIES, FIRST_NAMES, LAST_NAMES, STREETS

_USERS = 200
_ORDERS = 500
_VARIANTS = 8
_AVAILABLE = 0.75
_SENT_HOME = 0.7
_STATUSES = ("pending", "processed", "delivered", "cancelled")
_STATUS_WEIGHTS = (40, 12, 38, 10)


def make_sample(seed: int = 7) -> Database:
    """A shop of 42 product types, 200 customers and 500 orders of every status, paid in all three ways."""
    rng = Random(seed)  # noqa: S311 - made-up data, not secrets
    ids = _fresh_ids(rng)
    products = dict(_product(rng, ids, name, price, options) for name, (price, options) in CATALOGUE.items())
    users = dict(_user(rng, ids) for _ in range(_USERS))
    database = Database(products=products, users=users, orders={})
    user_ids = list(users)
    for n in range(_ORDERS):
        # Everybody has one order before anybody has two.
        user_id = user_ids[n] if n < len(user_ids) else rng.choice(user_ids)
        order = _order(rng, ids, user_id, database)
        database["orders"][order["order_id"]] = order
        users[user_id]["orders"].append(order["order_id"])
    return database


def _fresh_ids(rng: Random) -> Iterator[int]:
    """Numbers of ten digits whose last seven digits differ too, for they serve alone as well."""
    given: set[int] = set()
    while True:
        number = rng.randrange(1_000_000, 10_000_000)
        if number not in given:
            given.add(number)
            yield rng.randrange(100, 1000) * 10_000_000 + number


def _product(
    rng: Random, ids: Iterator[int], name: str, price: float, options: dict[str, Sequence[str]]
) -> tuple[str, Product]:
    product_id = str(next(ids))
    choices = list(combinations(*options.values()))
    variants: dict[str, Variant] = {}
    for chosen in rng.sample(choices, k=min(_VARIANTS, len(choices))):
        item_id = str(next(ids))
        variants[item_id] = Variant(
            item_id=item_id,
            options=dict(zip(options, chosen, strict=True)),
            available=rng.random() < _AVAILABLE,
            price=round(price * rng.uniform(0.85, 1.2), 2),
        )
    return product_id, Product(name=name, product_id=product_id, variants=variants)


def _user(rng: Random, ids: Iterator[int]) -> tuple[str, User]:
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    number = _seven(ids)
    user_id = f"{first}_{last}_{number}".lower()
    methods = [_payment_method(rng, ids, source) for source in _sources(rng)]
    user = User(
        user_id=user_id,
        name=PersonName(first_name=first, last_name=last),
        address=_address(rng),
        email=f"{first}.{last}{number}@example.com".lower(),
        payment_methods={method["id"]: method for method in methods},
        orders=[],
    )
    return user_id, user


def _sources(rng: Random) -> Sequence[str]:
    """One to three ways to pay, half of the time with a gift card among them."""
    return rng.sample(("credit_card", "paypal", "gift_card"), k=rng.choice((1, 2, 2, 3)))


def _payment_method(rng: Random, ids: Iterator[int], source: str) -> PaymentMethod:
    method_id = f"{source}_{_seven(ids)}"
    if source == "credit_card":
        brand, last_four = rng.choice(("visa", "mastercard")), f"{rng.randrange(10_000):04}"
        return PaymentMethod(source="credit_card", id=method_id, brand=brand, last_four=last_four)
    if source == "gift_card":
        return PaymentMethod(source="gift_card", id=method_id, balance=round(rng.uniform(5, 400), 2))
    return PaymentMethod(source="paypal", id=method_id)


def _address(rng: Random) -> Address:
    city, state, zip_start = rng.choice(CITIES)
    return Address(
        address1=f"{rng.randrange(1, 980)} {rng.choice(STREETS)}",
        address2=rng.choice(("", f"Apt {rng.randrange(1, 90)}", f"Floor {rng.randrange(2, 20)}")),
        city=city,
        country="USA",
        state=state,
        zip=f"{zip_start}{rng.randrange(100):02}",
    )


def _order(rng: Random, ids: Iterator[int], user_id: str, database: Database) -> Order:
    user = database["users"][user_id]
    lines = [
        _line(rng, product)
        for product in rng.sample(list(database["products"].values()), k=rng.randrange(1, 6))
    ]
    status = rng.choices(_STATUSES, _STATUS_WEIGHTS)[0]
    payment = Payment(
        transaction_type="payment",
        amount=round(sum(line["price"] for line in lines), 2),
        payment_method_id=rng.choice(list(user["payment_methods"])),
    )
    order = Order(
        order_id=f"#W{_seven(ids)}",
        user_id=user_id,
        address=user["address"] if rng.random() < _SENT_HOME else _address(rng),
        items=lines,
        status=status,
        fulfillments=[],
        payment_history=[payment],
    )
    if status in {"processed", "delivered"}:
        order["fulfillments"].append(
            Fulfillment(
                tracking_id=[f"{rng.randrange(10**11, 10**12)}"], item_ids=[line["item_id"] for line in lines]
            )
        )
    if status == "cancelled":
        order["payment_history"].append(Payment(**{**payment, "transaction_type": "refund"}))
        order["cancel_reason"] = rng.choice(CANCEL_REASONS)
    return order


def _line(rng: Random, product: Product) -> OrderLine:
    variant = rng.choice(list(product["variants"].values()))
    return OrderLine(
        name=product["name"],
        product_id=product["product_id"],
        item_id=variant["item_id"],
        price=variant["price"],
        options=variant["options"],
    )


def _seven(ids: Iterator[int]) -> int:
    return next(ids) % 10_000_000
