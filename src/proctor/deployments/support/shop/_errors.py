"""Every way in which the shop says no, each with a stable code and a text that says what to do.

ShopError
├── Refused                    the request is well formed, and the rules forbid it
│   ├── OrderNotPending · OrderNotDelivered · ReasonNotAllowed
│   ├── ItemNotInOrder · ItemUnavailable · ItemCountMismatch
│   ├── PaymentUnchanged · PaymentAlreadyChanged · InsufficientBalance · RefundMethodNotAllowed
├── NotFound
│   ├── UserNotFound · OrderNotFound · ProductNotFound · ItemNotFound · PaymentMethodNotFound
├── InvalidCall                the request itself is wrong
│   ├── UnknownTool · InvalidArguments · InvalidExpression · InvalidTenant · InvalidKey · KeyReused
└── StoreError                 the database behind the shop
    ├── TenantMissing · TenantExists · InvalidDatabase · StoreBusy
"""

from typing import ClassVar


class ShopError(Exception):
    """The shop could not do what was asked; nothing was changed."""

    code: ClassVar[str] = "shop_error"


class Refused(ShopError):
    """The shop's rules forbid this."""

    code = "refused"


class OrderNotPending(Refused):
    """Only a pending order can be changed or cancelled."""

    code = "order_not_pending"

    def __init__(self, order_id: str, status: str) -> None:
        super().__init__(
            f"Order {order_id} is '{status}'. Only a 'pending' order can be changed or cancelled; "
            "tell the customer its status and offer what that status allows."
        )
        self.order_id = order_id
        self.status = status


class OrderNotDelivered(Refused):
    """Only a delivered order can be returned or exchanged, and only once."""

    code = "order_not_delivered"

    def __init__(self, order_id: str, status: str) -> None:
        super().__init__(
            f"Order {order_id} is '{status}'. Only a 'delivered' order can be returned or exchanged, once; "
            "tell the customer its status and offer what that status allows."
        )
        self.order_id = order_id
        self.status = status


class ReasonNotAllowed(Refused):
    """The reason given doesn't entitle to a cancellation."""

    code = "reason_not_allowed"

    def __init__(self, reason: str, allowed: tuple[str, ...]) -> None:
        choices = " or ".join(f"'{one}'" for one in allowed)
        super().__init__(
            f"'{reason}' is no reason for a cancellation. Ask the customer; it must be {choices}."
        )
        self.reason = reason


class ItemNotInOrder(Refused):
    """The order doesn't hold the item, or not that often."""

    code = "item_not_in_order"

    def __init__(self, order_id: str, item_id: str) -> None:
        super().__init__(
            f"Order {order_id} holds no item {item_id}, or fewer of it than named. "
            "Look the order up and name each item as often as it is in the order."
        )
        self.order_id = order_id
        self.item_id = item_id


class ItemUnavailable(Refused):
    """The wanted item isn't an available variant of the same product."""

    code = "item_unavailable"

    def __init__(self, item_id: str, product_id: str) -> None:
        super().__init__(
            f"Item {item_id} is not an available variant of product {product_id}. "
            f"Look product {product_id} up and choose a variant whose 'available' is true."
        )
        self.item_id = item_id
        self.product_id = product_id


class ItemCountMismatch(Refused):
    """Old and new items don't pair up."""

    code = "item_count_mismatch"

    def __init__(self, old: int, new: int) -> None:
        super().__init__(
            f"{old} items were to be replaced by {new}. Give one new item for each old one, in the same "
            f"order."
        )
        self.old = old
        self.new = new


class PaymentUnchanged(Refused):
    """The order is already paid by this method."""

    code = "payment_unchanged"

    def __init__(self, payment_method_id: str) -> None:
        super().__init__(
            f"The order is already paid with {payment_method_id}. Ask for a different payment method."
        )
        self.payment_method_id = payment_method_id


class PaymentAlreadyChanged(Refused):
    """The payment method of an order changes at most once."""

    code = "payment_already_changed"

    def __init__(self, order_id: str) -> None:
        super().__init__(
            f"The payment of order {order_id} was changed before, and can be changed only once. "
            "Tell the customer that it stays as it is."
        )
        self.order_id = order_id


class InsufficientBalance(Refused):
    """The gift card holds less than is to be paid."""

    code = "insufficient_balance"

    def __init__(self, payment_method_id: str, balance: float, amount: float) -> None:
        super().__init__(
            f"Gift card {payment_method_id} holds {balance:.2f}, and {amount:.2f} is to be paid. "
            "Ask the customer for another payment method."
        )
        self.payment_method_id = payment_method_id


class RefundMethodNotAllowed(Refused):
    """A refund goes to the original payment method or to a gift card."""

    code = "refund_method_not_allowed"

    def __init__(self, payment_method_id: str, original: str) -> None:
        super().__init__(
            f"A refund can't go to {payment_method_id}. "
            f"Offer the original payment method {original} or one of the customer's gift cards."
        )
        self.payment_method_id = payment_method_id


class NotFound(ShopError):
    """The shop holds nothing by that name."""

    code = "not_found"


class UserNotFound(NotFound):
    """No customer matches."""

    code = "user_not_found"

    def __init__(self) -> None:
        super().__init__(
            "No customer matches. Check the spelling with the customer; "
            "a customer not found by e-mail may be found by first name, last name and zip code."
        )


class OrderNotFound(NotFound):
    """No such order."""

    code = "order_not_found"

    def __init__(self, order_id: str) -> None:
        super().__init__(f"There is no order {order_id}. An order id looks like '#W0000000', with the '#'.")
        self.order_id = order_id


class ProductNotFound(NotFound):
    """No such product type."""

    code = "product_not_found"

    def __init__(self, product_id: str) -> None:
        super().__init__(
            f"There is no product {product_id}. An item id is not a product id: "
            "take it from the order or from the list of product types."
        )
        self.product_id = product_id


class ItemNotFound(NotFound):
    """No such item."""

    code = "item_not_found"

    def __init__(self, item_id: str) -> None:
        super().__init__(
            f"There is no item {item_id}. A product id is not an item id: take it from the order or the "
            f"product."
        )
        self.item_id = item_id


class PaymentMethodNotFound(NotFound):
    """The customer has no such payment method."""

    code = "payment_method_not_found"

    def __init__(self, payment_method_id: str) -> None:
        super().__init__(
            f"The customer has no payment method {payment_method_id}. "
            "Look the customer up and offer the payment methods of the profile."
        )
        self.payment_method_id = payment_method_id


class InvalidCall(ShopError):
    """The call itself is wrong."""

    code = "invalid_call"


class UnknownTool(InvalidCall):
    """The shop has no such tool."""

    code = "unknown_tool"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no tool '{name}'. List the tools and call one of them.")
        self.name = name


class InvalidArguments(InvalidCall):
    """The arguments don't fit the tool's schema."""

    code = "invalid_arguments"


class InvalidExpression(InvalidCall):
    """The expression isn't plain arithmetic."""

    code = "invalid_expression"


class InvalidTenant(InvalidCall):
    """The tenant's name isn't allowed."""

    code = "invalid_tenant"

    def __init__(self, tenant: object) -> None:
        super().__init__(
            f"{tenant!r} is no tenant name. Use 1 to 64 of the characters a-z, 0-9, '_' and '-'."
        )


class InvalidKey(InvalidCall):
    """The idempotency key isn't allowed."""

    code = "invalid_key"

    def __init__(self) -> None:
        super().__init__("An idempotency key is a text of 1 to 200 characters. Send another one, or none.")


class KeyReused(InvalidCall):
    """The idempotency key belongs to another call."""

    code = "key_reused"

    def __init__(self, key: str, tool: str) -> None:
        super().__init__(
            f"Idempotency key '{key}' belongs to an earlier call of {tool} with other arguments. "
            "Send a new key for a new call."
        )
        self.key = key
        self.tool = tool


class StoreError(ShopError):
    """The database behind the shop isn't as it should be."""

    code = "store_error"


class TenantMissing(StoreError):
    """The tenant has no database."""

    code = "tenant_missing"

    def __init__(self, tenant: str) -> None:
        super().__init__(
            f"Tenant '{tenant}' has no database. Make one with `proctor-store-mcp load` or "
            f"`proctor-store-mcp sample`."
        )
        self.tenant = tenant


class TenantExists(StoreError):
    """The tenant has a database already."""

    code = "tenant_exists"

    def __init__(self, tenant: str) -> None:
        super().__init__(f"Tenant '{tenant}' has a database already. Choose another name or remove its file.")
        self.tenant = tenant


class InvalidDatabase(StoreError):
    """The documents given aren't a shop's."""

    code = "invalid_database"


class StoreBusy(StoreError):
    """Another writer held the tenant's database for too long."""

    code = "store_busy"

    def __init__(self, tenant: str) -> None:
        super().__init__(f"The database of tenant '{tenant}' is busy; nothing was changed. Try again.")
        self.tenant = tenant
