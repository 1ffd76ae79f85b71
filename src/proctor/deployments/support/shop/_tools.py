"""The shop's tools as a model sees them: names, descriptions, arguments and what each does."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection

from proctor.deployments.support.shop import _lookup, _orders
from proctor.deployments.support.shop._calculator import calculate
from proctor.deployments.support.shop._errors import InvalidArguments

ToolEffect = Literal["reads", "writes"]

_CONFIRM = "Tell the customer exactly what will change and wait for a clear yes before calling this."


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_OrderId = Annotated[str, Field(description="Order id with its leading '#', such as '#W0000000'.")]
_UserId = Annotated[str, Field(description="User id, such as 'mara_lind_4821'.")]
_OldItems = Annotated[
    list[str],
    Field(
        min_length=1,
        description="Item ids as they stand in the order; an id that is meant twice is named twice.",
    ),
]
_NewItems = Annotated[
    list[str],
    Field(
        min_length=1,
        description="Item ids wanted instead: one for each old item, in the same order, of the same "
        "product each.",
    ),
]
_SettleWith = Annotated[
    str,
    Field(
        description="Payment method id from the customer's profile, such as 'gift_card_0000000', "
        "that pays the price difference or receives it."
    ),
]


class _Nothing(_Arguments):
    pass


class _Expression(_Arguments):
    expression: Annotated[
        str,
        Field(description="Plain arithmetic such as '12.50 * 2 - 3': numbers, + - * /, parentheses, spaces."),
    ]


class _Thought(_Arguments):
    thought: Annotated[str, Field(description="What to think through.")]


class _Summary(_Arguments):
    summary: Annotated[str, Field(description="What the customer wants and what was done so far.")]


class _Email(_Arguments):
    email: Annotated[str, Field(description="The customer's e-mail address, such as 'name@example.com'.")]


class _NameZip(_Arguments):
    first_name: Annotated[str, Field(description="The customer's first name, such as 'Mara'.")]
    last_name: Annotated[str, Field(description="The customer's last name, such as 'Lind'.")]
    zip: Annotated[str, Field(description="The zip code of the customer's default address, such as '04109'.")]


class _User(_Arguments):
    user_id: _UserId


class _Order(_Arguments):
    order_id: _OrderId


class _Product(_Arguments):
    product_id: Annotated[str, Field(description="Product id of ten digits. It is not an item id.")]


class _Item(_Arguments):
    item_id: Annotated[str, Field(description="Item id of ten digits. It is not a product id.")]


class _Cancellation(_Arguments):
    order_id: _OrderId
    reason: Annotated[
        str,
        Field(
            description="The customer's reason, which is 'no longer needed' or 'ordered by mistake'.",
            json_schema_extra={"enum": list(_orders.CANCEL_REASONS)},
        ),
    ]


class _PaymentChange(_Arguments):
    order_id: _OrderId
    payment_method_id: Annotated[
        str,
        Field(
            description="Id of the payment method of the customer's profile that shall pay the whole order."
        ),
    ]


class _Return(_Arguments):
    order_id: _OrderId
    item_ids: _OldItems
    payment_method_id: Annotated[
        str, Field(description="Where the refund goes: the order's original payment method, or a gift card.")
    ]


class _Swap(_Arguments):
    order_id: _OrderId
    item_ids: _OldItems
    new_item_ids: _NewItems
    payment_method_id: _SettleWith


class _Place(_Arguments):
    address1: Annotated[str, Field(description="Street and number.")]
    address2: Annotated[str, Field(description="Flat, floor or suite; '' where there is none.")]
    city: Annotated[str, Field(description="City.")]
    state: Annotated[str, Field(description="State, by its two letters, such as 'ME'.")]
    country: Annotated[str, Field(description="Country, such as 'USA'.")]
    zip: Annotated[str, Field(description="Zip code, such as '04109'.")]


# pydantic lists the fields of the last parent first, so the id comes before the address.
class _OrderAddress(_Place, _Order):
    pass


class _UserAddress(_Place, _User):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool of the shop."""

    name: str
    description: str
    effect: ToolEffect
    arguments: type[BaseModel]
    function: Callable[..., object]
    """Called with the database connection and the arguments by name; its value is a document or a text."""

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the arguments."""
        schema = self.arguments.model_json_schema()
        schema.pop("title", None)
        schema.pop("description", None)
        for parameter in schema.get("properties", {}).values():
            parameter.pop("title", None)
        schema.setdefault("required", [])
        return schema

    def check(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """The arguments, which fit the schema.

        Raises:
            InvalidArguments: They don't.
        """
        try:
            return dict(self.arguments.model_validate(dict(arguments)))
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(str(part) for part in fault['loc']) or 'arguments'}: {fault['msg']}"
                for fault in error.errors(include_url=False)
            )
            raise InvalidArguments(
                f"The arguments of {self.name} are wrong. Correct them: {faults}."
            ) from error

    def run(self, connection: Connection, arguments: Mapping[str, object]) -> str:
        """The answer as text: JSON for a document, and a plain text as it is."""
        answer = self.function(connection, **arguments)
        return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)


def _calculate(_: Connection, expression: str) -> str:
    return calculate(expression)


def _think(_: Connection, thought: str) -> str:  # noqa: ARG001 - the thought is for the log of its caller
    return ""


def _transfer(_: Connection, summary: str) -> str:  # noqa: ARG001 - a queue of people is not part of the shop
    return "Transfer successful"


def _table(*tools: Tool) -> dict[str, Tool]:
    return {tool.name: tool for tool in sorted(tools, key=lambda tool: tool.name)}


TOOLS = _table(
    Tool(
        name="calculate",
        description="Work out an amount of money or another sum exactly. The result is rounded to two "
        "decimals.",
        effect="reads",
        arguments=_Expression,
        function=_calculate,
    ),
    Tool(
        name="think",
        description="Think something through before acting. It looks nothing up and changes nothing.",
        effect="reads",
        arguments=_Thought,
        function=_think,
    ),
    Tool(
        name="transfer_to_human_agents",
        description="Hand the customer over to a person. Use it when the customer asks for one, or when "
        "neither the policy nor any other tool covers the request; not when the policy says no.",
        effect="reads",
        arguments=_Summary,
        function=_transfer,
    ),
    Tool(
        name="find_user_id_by_email",
        description="Find a customer's user id by e-mail address. Try this first to identify a customer.",
        effect="reads",
        arguments=_Email,
        function=_lookup.find_user_id_by_email,
    ),
    Tool(
        name="find_user_id_by_name_zip",
        description="Find a customer's user id by first name, last name and zip code. Use it when the "
        "e-mail address is unknown or leads to nobody.",
        effect="reads",
        arguments=_NameZip,
        function=_lookup.find_user_id_by_name_zip,
    ),
    Tool(
        name="get_user_details",
        description="Look up a customer's profile: name, default address, e-mail, payment methods with "
        "gift card balances, and order ids.",
        effect="reads",
        arguments=_User,
        function=_lookup.get_user_details,
    ),
    Tool(
        name="get_order_details",
        description="Look up an order: its status, items with prices, address, parcels and payments.",
        effect="reads",
        arguments=_Order,
        function=_lookup.get_order_details,
    ),
    Tool(
        name="get_product_details",
        description="Look up a product type with all of its variants: options, price and whether each is "
        "available.",
        effect="reads",
        arguments=_Product,
        function=_lookup.get_product_details,
    ),
    Tool(
        name="get_item_details",
        description="Look up one item by its item id: options, price and whether it is available.",
        effect="reads",
        arguments=_Item,
        function=_lookup.get_item_details,
    ),
    Tool(
        name="list_all_product_types",
        description="List every product type of the shop by name with its product id.",
        effect="reads",
        arguments=_Nothing,
        function=_lookup.list_all_product_types,
    ),
    Tool(
        name="cancel_pending_order",
        description="Cancel a whole order that is still 'pending' and refund it. A gift card has its "
        "money back at once, other methods in 5 to 7 business days. An order with changed items can't be "
        f"cancelled. {_CONFIRM}",
        effect="writes",
        arguments=_Cancellation,
        function=_orders.cancel_pending_order,
    ),
    Tool(
        name="modify_pending_order_address",
        description=f"Send an order that is still 'pending' to another address. {_CONFIRM}",
        effect="writes",
        arguments=_OrderAddress,
        function=_orders.modify_pending_order_address,
    ),
    Tool(
        name="modify_pending_order_items",
        description="Replace items of an order that is still 'pending' by other available variants of "
        "the same products, and settle the price difference. It works once an order, and the order can't "
        f"be changed or cancelled afterwards, so collect every wanted change first. {_CONFIRM}",
        effect="writes",
        arguments=_Swap,
        function=_orders.modify_pending_order_items,
    ),
    Tool(
        name="modify_pending_order_payment",
        description="Let another payment method of the customer pay an order that is still 'pending'; "
        "the former one is refunded. A gift card must cover the whole amount. It works once an order. "
        f"{_CONFIRM}",
        effect="writes",
        arguments=_PaymentChange,
        function=_orders.modify_pending_order_payment,
    ),
    Tool(
        name="modify_user_address",
        description=f"Change a customer's default address. Orders already placed keep their address. "
        f"{_CONFIRM}",
        effect="writes",
        arguments=_UserAddress,
        function=_orders.modify_user_address,
    ),
    Tool(
        name="return_delivered_order_items",
        description="Request the return of items of a 'delivered' order. It works once an order, and not "
        "together with an exchange, so collect every item first. The customer gets an e-mail that says "
        f"how to send them back. {_CONFIRM}",
        effect="writes",
        arguments=_Return,
        function=_orders.return_delivered_order_items,
    ),
    Tool(
        name="exchange_delivered_order_items",
        description="Request the exchange of items of a 'delivered' order for other available variants "
        "of the same products. It works once an order, and not together with a return, so collect every "
        f"item first. The customer gets an e-mail that says how to send them back. {_CONFIRM}",
        effect="writes",
        arguments=_Swap,
        function=_orders.exchange_delivered_order_items,
    ),
)
"""All tools of the shop by name."""
