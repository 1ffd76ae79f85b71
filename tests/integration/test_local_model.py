"""The real local model, asked through its real server. Runs where the model has been pulled, or is asked for.

The cases come in two parts: the prompt's form was chosen on `TUNED`, and `KEPT` was never looked at while doing so.
"""

import json
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest
import pytest_asyncio

from proctor.models.local import LocalServer, constrain, default_folder, interpret, pull, shipped_lock

NAME = "qwen2.5-coder-1.5b-instruct-q4_k_m"
ASKED_FOR = os.environ.get("PROCTOR_LOCAL_MODEL") == "1"
PULLED = (default_folder() / shipped_lock().models[NAME].file).exists()

pytestmark = [
    pytest.mark.local_model,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        not (PULLED or ASKED_FOR), reason="not pulled; set PROCTOR_LOCAL_MODEL=1 to fetch 1.1 GB"
    ),
]

Message = dict[str, object]


def tool(name: str, about: str, *required: str, **parameters: str | dict) -> dict:
    """A function tool; a parameter is its description, or a whole schema."""
    properties = {
        key: {"type": "string", "description": value} if isinstance(value, str) else value
        for key, value in parameters.items()
    }
    schema = {"type": "object", "properties": properties, "required": list(required or properties)}
    return {"type": "function", "function": {"name": name, "description": about, "parameters": schema}}


ORDER = "Order number with its leading '#', e.g. '#W0000000'"
ITEMS = {"type": "array", "items": {"type": "string"}, "description": "Item ids, e.g. ['1008292230']"}

ORDERS = [
    tool("get_order_details", "Look up status, items and address of an order.", order_id=ORDER),
    tool(
        "cancel_pending_order",
        "Cancel an order that is still pending.",
        order_id=ORDER,
        reason={"type": "string", "enum": ["no longer needed", "ordered by mistake"]},
    ),
    tool(
        "return_delivered_order_items", "Return items of a delivered order.", order_id=ORDER, item_ids=ITEMS
    ),
    tool(
        "modify_pending_order_address",
        "Change where a pending order is shipped.",
        order_id=ORDER,
        address1="Street and number, e.g. '123 Main St'",
        city="City",
        zip="Zip code",
    ),
]
CUSTOMERS = [
    tool("find_user_id_by_email", "Find a customer's user id by email.", email="Email address"),
    tool(
        "find_user_id_by_name_zip",
        "Find a customer's user id by name and zip code, when the email is not known.",
        first_name="First name",
        last_name="Last name",
        zip="Zip code",
    ),
    tool(
        "get_user_details", "Look up a customer's address and orders.", user_id="User id, e.g. 'sara_doe_496'"
    ),
]
PRODUCTS = [
    tool("list_all_product_types", "List names and product ids of all product types."),
    tool("get_product_details", "Look up variants and stock of a product.", product_id="Product id"),
    tool("get_item_details", "Look up price and stock of one item.", item_id="Item id"),
    tool("calculate", "Compute an arithmetic expression.", expression="E.g. '2 * (3.5 + 1)'"),
]
HUMAN = tool(
    "transfer_to_human_agents", "Hand over to a person, when the user asks for one.", summary="The issue"
)
ANALYSIS = [
    tool("list_tables", "List the tables of the database."),
    tool(
        "run_query",
        "Run one read-only SQL query.",
        "sql",
        sql="The SELECT statement",
        limit={"type": "integer", "description": "Most rows to return"},
    ),
    tool(
        "get_weather",
        "Current weather of a city.",
        "city",
        city="City",
        unit={"enum": ["celsius", "fahrenheit"]},
    ),
]

TOOLS = {
    "orders": ("You look after orders of an online shop.", [*ORDERS, HUMAN]),
    "customers": (
        "You identify customers of an online shop and answer what they ask about their account.",
        CUSTOMERS,
    ),
    "products": ("You answer questions about products of an online shop.", PRODUCTS),
    "shop": ("You are the service desk of an online shop.", [*ORDERS[:2], *CUSTOMERS, *PRODUCTS, HUMAN]),
    "analysis": ("You answer questions from a database.", ANALYSIS),
}


@dataclass(frozen=True)
class Case:
    """One request, and either the call or the words that are right."""

    desk: str
    messages: tuple[Message, ...]
    call: tuple[str, dict] | None = None
    """Tool and arguments."""
    says: tuple[str, ...] = ()
    """A reply that holds one of these, or any reply."""

    @property
    def request(self) -> dict:
        task, tools = TOOLS[self.desk]
        system = {"role": "system", "content": task}
        return {"model": NAME, "temperature": 0, "tools": tools, "messages": [system, *self.messages]}


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def called(name: str, result: object, **arguments: object) -> tuple[Message, Message]:
    """A call in the history and what came of it."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"id": "call_1", "type": "function", "function": function}
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    return (
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": text},
    )


def ask(desk: str, text: str, name: str, **arguments: object) -> Case:
    return Case(desk, (user(text),), call=(name, arguments))


SHIPPED = {
    "order_id": "#W2378156",
    "status": "delivered",
    "items": [{"name": "Keyboard", "item_id": "1151293680"}],
}
PENDING = {"order_id": "#W7733111", "status": "pending", "items": [{"name": "Lamp", "item_id": "7453605304"}]}
ITEM = {"item_id": "7453605304", "name": "Desk Lamp", "color": "silver", "price": 150.01, "available": True}

TUNED = (
    ask("orders", "Where is my order #W2378156?", "get_order_details", order_id="#W2378156"),
    ask("orders", "帮我查一下订单 #W7733111 现在是什么状态。", "get_order_details", order_id="#W7733111"),
    ask(
        "orders",
        "Please cancel #W5918442, I ordered it by mistake. Yes, I am sure.",
        "cancel_pending_order",
        order_id="#W5918442",
        reason="ordered by mistake",
    ),
    ask(
        "orders",
        "请取消订单 #W5061109, 我不再需要了, 我确认。",
        "cancel_pending_order",
        order_id="#W5061109",
        reason="no longer needed",
    ),
    ask(
        "orders",
        "I want to send back items 1151293680 and 4983901480 from my delivered order #W2378156. I confirm.",
        "return_delivered_order_items",
        order_id="#W2378156",
        item_ids=["1151293680", "4983901480"],
    ),
    ask(
        "orders",
        "Ship my pending order #W7733111 to 88 Oak Ave, Denver, 80203 instead.",
        "modify_pending_order_address",
        order_id="#W7733111",
        address1="88 Oak Ave",
        city="Denver",
        zip="80203",
    ),
    Case(
        "orders",
        (user("I want to cancel my order."),),
        says=("order number", "order ID", "order id", "which order"),
    ),
    Case("orders", (user("Hello!"),), says=()),
    Case("orders", (user("谢谢你的帮助, 再见!"),), says=()),
    Case(
        "orders",
        (user("Where is my order #W2378156?"), *called("get_order_details", SHIPPED, order_id="#W2378156")),
        says=("delivered",),
    ),
    Case(
        "orders",
        (user("订单 #W2378156 到了吗?"), *called("get_order_details", SHIPPED, order_id="#W2378156")),
        says=("送达", "已送", "到达", "到了", "签收", "交付", "配送"),
    ),
    Case(
        "orders",
        (
            user("Cancel #W7733111, I no longer need it. I confirm."),
            *called("get_order_details", PENDING, order_id="#W7733111"),
        ),
        call=("cancel_pending_order", {"order_id": "#W7733111", "reason": "no longer needed"}),
    ),
    ask(
        "customers",
        "Hi, my email is mei.kim@example.com.",
        "find_user_id_by_email",
        email="mei.kim@example.com",
    ),
    ask(
        "customers",
        "I don't remember my email. I'm Yusuf Rossi, zip code 19122.",
        "find_user_id_by_name_zip",
        first_name="Yusuf",
        last_name="Rossi",
        zip="19122",
    ),
    ask(
        "customers",
        "我的邮箱是 wei.li@example.cn, 请查我的账户。",
        "find_user_id_by_email",
        email="wei.li@example.cn",
    ),
    Case(
        "customers",
        (
            user("What is my address? My email is mei.kim@example.com"),
            *called("find_user_id_by_email", "mei_kim_4552", email="mei.kim@example.com"),
        ),
        call=("get_user_details", {"user_id": "mei_kim_4552"}),
    ),
    Case(
        "customers",
        (
            user("My email is no@example.com"),
            *called("find_user_id_by_email", "Error: user not found", email="no@example.com"),
        ),
        says=(
            "not found",
            "couldn't find",
            "could not find",
            "unable to find",
            "not able to find",
            "find a",
            "name",
            "zip",
            "no user",
        ),
    ),
    ask("products", "What kinds of products do you sell?", "list_all_product_types"),
    ask("products", "How much is item 7453605304?", "get_item_details", item_id="7453605304"),
    ask("products", "产品 6086499569 有哪些款式?", "get_product_details", product_id="6086499569"),
    Case(
        "products",
        (user("How much is item 7453605304?"), *called("get_item_details", ITEM, item_id="7453605304")),
        says=("150.01",),
    ),
    ask("shop", "I'd like to talk to a real person about a broken lamp.", "transfer_to_human_agents"),
)

KEPT = (
    ask("orders", "Has #W9911714 been shipped yet?", "get_order_details", order_id="#W9911714"),
    ask(
        "orders",
        "我收到的订单 #W4817420 里, 商品 6777246137 要退货, 确认。",
        "return_delivered_order_items",
        order_id="#W4817420",
        item_ids=["6777246137"],
    ),
    ask(
        "orders",
        "Cancel my pending order #W3361211 please. I don't need it any more, go ahead.",
        "cancel_pending_order",
        order_id="#W3361211",
        reason="no longer needed",
    ),
    Case("orders", (user("我想退货。"),), says=("订单", "商品", "order")),
    Case("orders", (user("Good morning, who are you?"),), says=()),
    ask(
        "customers",
        "My name is Olivia Lopez and my zip is 76171; the email is long gone.",
        "find_user_id_by_name_zip",
        first_name="Olivia",
        last_name="Lopez",
        zip="76171",
    ),
    Case(
        "customers",
        (
            user("我的邮箱是 wei.li@example.cn, 我有哪些订单?"),
            *called("find_user_id_by_email", "wei_li_2210", email="wei.li@example.cn"),
        ),
        call=("get_user_details", {"user_id": "wei_li_2210"}),
    ),
    ask("products", "Is product 9523456873 in stock?", "get_product_details", product_id="9523456873"),
    Case(
        "products",
        (user("商品 7453605304 多少钱?"), *called("get_item_details", ITEM, item_id="7453605304")),
        says=("150.01",),
    ),
    ask("shop", "Can you check order #W1092119 for me?", "get_order_details", order_id="#W1092119"),
    ask("shop", "我要找人工客服, 你解决不了我的问题。", "transfer_to_human_agents"),
    Case(
        "shop",
        (
            user("What's the price of item 7453605304, and is it available?"),
            *called("get_item_details", ITEM, item_id="7453605304"),
        ),
        says=("150.01",),
    ),
    ask("analysis", "Which tables are there?", "list_tables"),
    ask("analysis", "What's the weather in Lisbon in celsius?", "get_weather", city="Lisbon", unit="celsius"),
)


def is_right(case: Case, choice: dict) -> bool:
    """Whether the answer is what the case wants; free text arguments, as a summary, may be any."""
    calls = choice["message"].get("tool_calls")
    if case.call is None:
        reply = choice["message"].get("content") or ""
        return (
            not calls and bool(reply.strip()) and (not case.says or any(word in reply for word in case.says))
        )
    if not calls or calls[0]["function"]["name"] != case.call[0]:
        return False
    arguments = json.loads(calls[0]["function"]["arguments"])
    return all(arguments.get(key) == value for key, value in case.call[1].items())
