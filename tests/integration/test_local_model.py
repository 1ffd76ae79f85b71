"""The real local model, asked through its real server. Runs where the model has been pulled, or is asked for.

The cases come in two parts: the prompt was worded on `TUNED`; `KEPT` was never looked at while doing so.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import psutil
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


@dataclass(frozen=True)
class Desk:
    """The model behind its server."""

    server: LocalServer
    client: httpx2.AsyncClient

    async def answer(self, request: dict) -> dict:
        response = await self.client.post("/chat/completions", json={"max_tokens": 200, **constrain(request)})
        assert response.status_code == 200, response.text
        return interpret(response.json(), request)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk() -> AsyncIterator[Desk]:
    if ASKED_FOR:
        await pull(NAME, folder=default_folder())
    async with LocalServer(NAME, folder=default_folder()) as server:
        headers = {"Authorization": f"Bearer {server.api_key}"}
        async with httpx2.AsyncClient(base_url=server.base_url, headers=headers, timeout=300) as client:
            yield Desk(server, client)


@pytest.mark.slow
@pytest.mark.parametrize(("cases", "floor"), [(TUNED, 18), (KEPT, 10)], ids=["tuned", "kept"])
async def test_most_answers_are_the_right_call_or_the_right_words(
    desk: Desk, cases: tuple[Case, ...], floor: int
) -> None:
    choices = [(await desk.answer(case.request))["choices"][0] for case in cases]
    wrong = [case for case, choice in zip(cases, choices, strict=True) if not is_right(case, choice)]
    assert len(cases) - len(wrong) >= floor, wrong


async def test_a_question_is_looked_up_and_then_answered(desk: Desk) -> None:
    question = Case("products", (user("How much is item 7453605304?"),)).request
    asked = (await desk.answer(question))["choices"][0]
    assert asked["finish_reason"] == "tool_calls"
    (call,) = asked["message"]["tool_calls"]
    result = {"role": "tool", "tool_call_id": call["id"], "content": json.dumps(ITEM)}
    followed = {**question, "messages": [*question["messages"], asked["message"], result]}
    told = await desk.answer(followed)
    assert told["choices"][0]["finish_reason"] == "stop"
    assert "150.01" in told["choices"][0]["message"]["content"]
    assert told["usage"]["prompt_tokens_details"]["cached_tokens"] > 200


async def test_a_required_tool_is_called_and_a_forbidden_one_is_not(desk: Desk) -> None:
    request = Case("products", (user("How much is item 7453605304?"),)).request
    free = (await desk.answer({**request, "tool_choice": "none"}))["choices"][0]
    named = {"type": "function", "function": {"name": "calculate"}}
    forced = (await desk.answer({**request, "tool_choice": named}))["choices"][0]
    assert (free["finish_reason"], "tool_calls" in free["message"]) == ("stop", False)
    assert forced["message"]["tool_calls"][0]["function"]["name"] == "calculate"


async def test_an_answer_without_room_is_reported_as_cut_off(desk: Desk) -> None:
    request = Case("orders", (user("Where is my order #W2378156?"),)).request
    choice = (await desk.answer({**request, "max_tokens": 8}))["choices"][0]
    assert choice["finish_reason"] == "length"
    assert "tool_calls" not in choice["message"]


async def test_ugly_schemas_and_histories_are_accepted_by_the_server(desk: Desk) -> None:
    node = {
        "type": "object",
        "properties": {"child": {"$ref": "#/$defs/Node"}, "at": {"format": "date-time"}},
    }
    ugly = {
        "type": "object",
        "$defs": {"Node": node},
        "properties": {
            "tree": {"$ref": "#/$defs/Node"},
            "code": {"type": ["string", "null"], "pattern": "^(?!x)[a-z]+$", "maxLength": 100000},
            "rows": {"type": "array", "items": {"not": {}}, "maxItems": 100000},
            "any": {},
        },
        "required": ["code"],
        "patternProperties": {"^x": {}},
        "if": {"required": ["any"]},
    }
    odd = {"type": "function", "function": {"name": "store", "parameters": ugly}}
    broken = {"id": "c", "type": "function", "function": {"name": "store", "arguments": "{oops"}}
    history = [user("Store the code abc."), {"role": "assistant", "content": None, "tool_calls": [broken]}]
    answer = await desk.answer({"model": NAME, "temperature": 0, "tools": [odd], "messages": history})
    assert answer["choices"][0]["finish_reason"] in ("stop", "tool_calls", "length")


async def test_a_server_that_dies_comes_back_at_the_same_address(desk: Desk) -> None:
    address, pid = desk.server.base_url, desk.server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(120):
        while desk.server.pid in (pid, None):
            await asyncio.sleep(0.05)
    await desk.server.ready(within_seconds=120)
    response = await desk.client.get("/models")
    assert (response.status_code, desk.server.base_url, desk.server.restarts) == (200, address, 1)


async def test_the_server_ends_with_a_parent_that_was_killed() -> None:
    program = (
        "import asyncio\n"
        "from proctor.models.local import LocalServer, default_folder\n"
        "async def main():\n"
        f"    async with LocalServer({NAME!r}, folder=default_folder()) as server:\n"
        "        print(server.pid, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    async with asyncio.timeout(120):
        pid = int(await parent.stdout.readline())
        parent.kill()
        await parent.wait()
    await has_ended(pid)


async def has_ended(pid: int) -> None:
    """Returns when the process is gone or only its exit code is left."""
    try:
        process = psutil.Process(pid)
        await asyncio.to_thread(process.wait, 20)
    except psutil.NoSuchProcess:
        return
