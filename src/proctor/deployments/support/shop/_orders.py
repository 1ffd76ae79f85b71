"""What can be done to orders and customers, with all the rules of the shop.

Each function reads, checks everything, and only then writes, inside the transaction of its caller. Prices
and amounts are dollars as they stand in the documents: balances are rounded to cents, differences of changed
pending orders are recorded unrounded.
"""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection

from proctor.deployments.support.shop import _sql
from proctor.deployments.support.shop._documents import (
    Address,
    Order,
    OrderLine,
    Payment,
    PaymentMethod,
    User,
    Variant,
)
from proctor.deployments.support.shop._errors import (
    InsufficientBalance,
    ItemCountMismatch,
    ItemNotInOrder,
    ItemUnavailable,
    OrderNotDelivered,
    OrderNotPending,
    PaymentAlreadyChanged,
    PaymentMethodNotFound,
    PaymentUnchanged,
    ReasonNotAllowed,
    RefundMethodNotAllowed,
)
from proctor.deployments.support.shop._lookup import get_order_details, get_user_details

CANCEL_REASONS = ("no longer needed", "ordered by mistake")


def cancel_pending_order(connection: Connection, order_id: str, reason: str) -> Order:
    """The order, cancelled and refunded; gift cards have their money back at once.

    Raises:
        OrderNotFound: There is no such order.
        OrderNotPending: It is too late.
        ReasonNotAllowed: The reason is none of the two.
    """
    order = _pending(connection, order_id)
    if reason not in CANCEL_REASONS:
        raise ReasonNotAllowed(reason, CANCEL_REASONS)
    user = get_user_details(connection, order["user_id"])
    for refund in _outstanding(order["payment_history"]):
        order["payment_history"].append(refund)
        method = user["payment_methods"].get(refund["payment_method_id"])
        if method is not None:
            _take(method, -refund["amount"])
    order["status"] = "cancelled"
    order["cancel_reason"] = reason
    _sql.put_user(connection, order["user_id"], user)
    _sql.put_order(connection, order_id, order)
    return order


def modify_pending_order_address(
    connection: Connection,
    *,
    order_id: str,
    address1: str,
    address2: str,
    city: str,
    state: str,
    country: str,
    zip: str,
) -> Order:
    """The order, going to another address.

    Raises:
        OrderNotFound: There is no such order.
        OrderNotPending: It is too late.
    """
    order = _pending(connection, order_id)
    order["address"] = Address(
        address1=address1, address2=address2, city=city, country=country, state=state, zip=zip
    )
    _sql.put_order(connection, order_id, order)
    return order


def modify_pending_order_items(
    connection: Connection,
    order_id: str,
    item_ids: Sequence[str],
    new_item_ids: Sequence[str],
    payment_method_id: str,
) -> Order:
    """The order with other variants of the same products, the difference settled; nothing more can change.

    Raises:
        OrderNotFound: There is no such order.
        OrderNotPending: It is too late, or its items were changed before.
        ItemNotInOrder, ItemCountMismatch, ItemUnavailable: The items can't be replaced so.
        PaymentMethodNotFound, InsufficientBalance: The difference can't be paid so.
    """
    order = _pending(connection, order_id)
    variants = _replacements(connection, order, item_ids, new_item_ids)
    difference = _difference(order, item_ids, variants)
    user = get_user_details(connection, order["user_id"])
    method = _method(user, payment_method_id)
    _afford(method, difference)
    order["payment_history"].append(
        Payment(
            transaction_type="payment" if difference > 0 else "refund",
            amount=abs(difference),
            payment_method_id=payment_method_id,
        )
    )
    _take(method, difference)
    rule = _sql.read_price_rule(connection)
    for item_id, variant in zip(item_ids, variants, strict=True):
        line = _line(order, item_id)
        line["item_id"] = variant["item_id"]
        taken_over = variants[-1] if rule == "last_variant" else variant
        line["price"] = taken_over["price"]
        line["options"] = taken_over["options"]
    order["status"] = "pending (item modified)"
    _sql.put_user(connection, order["user_id"], user)
    _sql.put_order(connection, order_id, order)
    return order


def modify_pending_order_payment(connection: Connection, order_id: str, payment_method_id: str) -> Order:
    """The order, paid by another method, and the first payment refunded.

    Raises:
        OrderNotFound: There is no such order.
        OrderNotPending: It is too late.
        PaymentMethodNotFound, PaymentUnchanged, PaymentAlreadyChanged, InsufficientBalance: It can't be paid
        so.
    """
    order = _pending(connection, order_id)
    user = get_user_details(connection, order["user_id"])
    method = _method(user, payment_method_id)
    history = order["payment_history"]
    if len(history) != 1 or history[0]["transaction_type"] != "payment":
        raise PaymentAlreadyChanged(order_id)
    amount, former_id = history[0]["amount"], history[0]["payment_method_id"]
    if former_id == payment_method_id:
        raise PaymentUnchanged(payment_method_id)
    _afford(method, amount)
    history.append(Payment(transaction_type="payment", amount=amount, payment_method_id=payment_method_id))
    history.append(Payment(transaction_type="refund", amount=amount, payment_method_id=former_id))
    _take(method, amount)
    former = user["payment_methods"].get(former_id)
    if former is not None:
        _take(former, -amount)
    _sql.put_user(connection, order["user_id"], user)
    _sql.put_order(connection, order_id, order)
    return order


def modify_user_address(
    connection: Connection,
    *,
    user_id: str,
    address1: str,
    address2: str,
    city: str,
    state: str,
    country: str,
    zip: str,
) -> User:
    """The customer with another default address; orders already placed keep theirs.

    Raises:
        UserNotFound: There is no such customer.
    """
    user = get_user_details(connection, user_id)
    user["address"] = Address(
        address1=address1, address2=address2, city=city, country=country, state=state, zip=zip
    )
    _sql.put_user(connection, user_id, user)
    return user


def return_delivered_order_items(
    connection: Connection, order_id: str, item_ids: Sequence[str], payment_method_id: str
) -> Order:
    """The order with a return requested; money moves when the items are back.

    Raises:
        OrderNotFound: There is no such order.
        OrderNotDelivered: It isn't delivered, or a return or an exchange was requested before.
        PaymentMethodNotFound, RefundMethodNotAllowed: The refund can't go there.
        ItemNotInOrder: The order doesn't hold these items.
    """
    order = _delivered(connection, order_id)
    method = _method(get_user_details(connection, order["user_id"]), payment_method_id)
    original = order["payment_history"][0]["payment_method_id"]
    if method["source"] != "gift_card" and payment_method_id != original:
        raise RefundMethodNotAllowed(payment_method_id, original)
    _check_held(order, item_ids)
    order["status"] = "return requested"
    order["return_items"] = sorted(item_ids)
    order["return_payment_method_id"] = payment_method_id
    _sql.put_order(connection, order_id, order)
    return order


def exchange_delivered_order_items(
    connection: Connection,
    order_id: str,
    item_ids: Sequence[str],
    new_item_ids: Sequence[str],
    payment_method_id: str,
) -> Order:
    """The order with an exchange requested; items and money move when the old items are back.

    Raises:
        OrderNotFound: There is no such order.
        OrderNotDelivered: It isn't delivered, or a return or an exchange was requested before.
        ItemNotInOrder, ItemCountMismatch, ItemUnavailable: The items can't be replaced so.
        PaymentMethodNotFound, InsufficientBalance: The difference can't be paid so.
    """
    order = _delivered(connection, order_id)
    variants = _replacements(connection, order, item_ids, new_item_ids)
    difference = round(_difference(order, item_ids, variants), 2)
    _afford(_method(get_user_details(connection, order["user_id"]), payment_method_id), difference)
    order["status"] = "exchange requested"
    order["exchange_items"] = sorted(item_ids)
    order["exchange_new_items"] = sorted(new_item_ids)
    order["exchange_payment_method_id"] = payment_method_id
    order["exchange_price_difference"] = difference
    _sql.put_order(connection, order_id, order)
    return order


def _pending(connection: Connection, order_id: str) -> Order:
    order = get_order_details(connection, order_id)
    if order["status"] != "pending":
        raise OrderNotPending(order_id, order["status"])
    return order


def _delivered(connection: Connection, order_id: str) -> Order:
    order = get_order_details(connection, order_id)
    if order["status"] != "delivered":
        raise OrderNotDelivered(order_id, order["status"])
    return order


def _method(user: User, payment_method_id: str) -> PaymentMethod:
    method = user["payment_methods"].get(payment_method_id)
    if method is None:
        raise PaymentMethodNotFound(payment_method_id)
    return method


def _afford(method: PaymentMethod, amount: float) -> None:
    # Rounded, so that the noise of adding floats never refuses a card that holds exactly the amount.
    if method["source"] == "gift_card" and method["balance"] < round(amount, 2):
        raise InsufficientBalance(method["id"], method["balance"], amount)


def _take(method: PaymentMethod, amount: float) -> None:
    """Only a gift card is charged and credited here; other methods settle outside of the shop."""
    if method["source"] == "gift_card":
        method["balance"] = round(method["balance"] - amount, 2)


def _outstanding(history: Sequence[Payment]) -> list[Payment]:
    """A refund for what each payment method has paid and not got back, in the order of paying."""
    paid: dict[str, float] = {}
    for entry in history:
        method_id, amount = entry["payment_method_id"], entry["amount"]
        if entry["transaction_type"] == "refund":
            amount = -amount
        paid[method_id] = round(paid[method_id] + amount, 2) if method_id in paid else amount
    return [
        Payment(transaction_type="refund", amount=amount, payment_method_id=method_id)
        for method_id, amount in paid.items()
        if amount > 0
    ]


def _check_held(order: Order, item_ids: Sequence[str]) -> None:
    missing = Counter(item_ids) - Counter(line["item_id"] for line in order["items"])
    if missing:
        raise ItemNotInOrder(order["order_id"], min(missing))


def _line(order: Order, item_id: str) -> OrderLine:
    return next(line for line in order["items"] if line["item_id"] == item_id)


def _replacements(
    connection: Connection, order: Order, item_ids: Sequence[str], new_item_ids: Sequence[str]
) -> list[Variant]:
    """The new variants, one for each old item, all available and of the same product."""
    _check_held(order, item_ids)
    if len(item_ids) != len(new_item_ids):
        raise ItemCountMismatch(len(item_ids), len(new_item_ids))
    variants: list[Variant] = []
    for item_id, new_item_id in zip(item_ids, new_item_ids, strict=True):
        product_id = _line(order, item_id)["product_id"]
        product = _sql.read_product(connection, product_id)
        variant = None if product is None else product["variants"].get(new_item_id)
        if variant is None or not variant["available"]:
            raise ItemUnavailable(new_item_id, product_id)
        variants.append(variant)
    return variants


def _difference(order: Order, item_ids: Sequence[str], variants: Sequence[Variant]) -> float:
    difference = 0.0
    for item_id, variant in zip(item_ids, variants, strict=True):
        difference += variant["price"] - _line(order, item_id)["price"]
    return difference
