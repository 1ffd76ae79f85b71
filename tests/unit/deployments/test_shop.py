"""The rules of the shop, on the sample store with one customer of known orders put into it."""

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from proctor.deployments.support.shop import (
    TOOLS,
    InsufficientBalance,
    InvalidArguments,
    ItemCountMismatch,
    ItemNotFound,
    ItemNotInOrder,
    ItemUnavailable,
    OrderNotDelivered,
    OrderNotFound,
    OrderNotPending,
    PaymentAlreadyChanged,
    PaymentMethodNotFound,
    PaymentUnchanged,
    ProductNotFound,
    ReasonNotAllowed,
    RefundMethodNotAllowed,
    Shop,
    UnknownTool,
    UserNotFound,
    apply_patch,
    copy_tenant,
    create_tenant,
    export_database,
    make_sample,
    read_effects,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MARA = "mara_lind_4821"
PENDING, DELIVERED, PROCESSED = "#W1000001", "#W1000002", "#W1000003"
CARD, GIFT, PAYPAL = "credit_card_1", "gift_card_1", "paypal_1"
HOME = {
    "address1": "4 Kiln Street",
    "address2": "",
    "city": "Windle",
    "country": "USA",
    "state": "MN",
    "zip": "55301",
}


def variant(item_id: str, colour: str, price: float, *, available: bool = True) -> dict[str, Any]:
    return {"item_id": item_id, "options": {"colour": colour}, "available": available, "price": price}


TEAPOT = {
    "name": "Teapot",
    "product_id": "7000000001",
    "variants": {
        "8000000001": variant("8000000001", "white", 30.1),
        "8000000002": variant("8000000002", "black", 42.25),
        "8000000003": variant("8000000003", "red", 20.0),
        "8000000004": variant("8000000004", "gold", 99.0, available=False),
    },
}
LADDER = {
    "name": "Ladder",
    "product_id": "7000000002",
    "variants": {
        "8000000011": variant("8000000011", "grey", 100.0),
        "8000000012": variant("8000000012", "blue", 110.5),
    },
}


def line(product: dict[str, Any], item_id: str) -> dict[str, Any]:
    chosen = product["variants"][item_id]
    return {
        "name": product["name"], "product_id": product["product_id"], "item_id": item_id,
        "price": chosen["price"], "options": chosen["options"],
    }  # fmt: skip


def order(order_id: str, status: str, paid_with: str) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "user_id": MARA,
        "address": HOME,
        "items": [line(TEAPOT, "8000000001"), line(TEAPOT, "8000000001"), line(LADDER, "8000000011")],
        "status": status,
        "fulfillments": [],
        "payment_history": [{"transaction_type": "payment", "amount": 160.2, "payment_method_id": paid_with}],
    }


PATCH: dict[str, Any] = {
    "agent/products/7000000001": TEAPOT,
    "agent/products/7000000002": LADDER,
    f"users/{MARA}": {
        "user_id": MARA,
        "name": {"first_name": "Mara", "last_name": "Lind"},
        "address": HOME,
        "email": "Mara.Lind@example.com",
        "payment_methods": {
            CARD: {"source": "credit_card", "id": CARD, "brand": "visa", "last_four": "0042"},
            GIFT: {"source": "gift_card", "id": GIFT, "balance": 25},
            PAYPAL: {"source": "paypal", "id": PAYPAL},
        },
        "orders": [PENDING, DELIVERED, PROCESSED],
    },
    f"orders/{PENDING}": order(PENDING, "pending", GIFT),
    f"orders/{DELIVERED}": order(DELIVERED, "delivered", CARD),
    f"orders/{PROCESSED}": order(PROCESSED, "processed", CARD),
}


@pytest.fixture(scope="session")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shops")
    create_tenant(root, "template", make_sample())
    apply_patch(root, "template", PATCH)
    return root


@pytest.fixture
def root(stocked: Path, tmp_path: Path) -> Path:
    (tmp_path / "default.sqlite").write_bytes((stocked / "template.sqlite").read_bytes())
    return tmp_path


@pytest.fixture
def shop(root: Path):
    opened = Shop(root, now=lambda: NOW)
    yield opened
    opened.close()


@pytest.fixture
def ask(shop: Shop) -> Callable[..., Any]:
    def call(tool: str, **arguments: Any) -> Any:
        return json.loads(shop.call(tool, arguments))

    return call


def unchanged(root: Path) -> bool:
    database = export_database(root, "default")
    return (
        read_effects(root, "default") == ()
        and all(database["orders"][one] == PATCH[f"orders/{one}"] for one in (PENDING, DELIVERED, PROCESSED))
        and database["users"][MARA] == PATCH[f"users/{MARA}"]
    )


def balance(root: Path) -> object:
    return export_database(root, "default")["users"][MARA]["payment_methods"][GIFT]["balance"]


SWAP = {"order_id": PENDING, "item_ids": ["8000000001"], "new_item_ids": ["8000000002"]}


class TestLookingUp:
    def test_a_customer_is_found_by_email_in_any_case(self, shop):
        assert shop.call("find_user_id_by_email", {"email": "MARA.lind@EXAMPLE.com"}) == MARA

    def test_a_customer_is_found_by_name_and_zip_in_any_case(self, shop):
        who = {"first_name": "mara", "last_name": "LIND", "zip": "55301"}
        assert shop.call("find_user_id_by_name_zip", who) == MARA

    def test_a_customer_who_moved_is_found_by_the_new_zip_only(self, shop):
        shop.call("modify_user_address", {"user_id": MARA, **HOME, "zip": "04109"})
        who = {"first_name": "Mara", "last_name": "Lind"}
        assert shop.call("find_user_id_by_name_zip", {**who, "zip": "04109"}) == MARA
        with pytest.raises(UserNotFound):
            shop.call("find_user_id_by_name_zip", {**who, "zip": "55301"})

    @pytest.mark.parametrize(
        ("tool", "arguments", "error"),
        [
            ("find_user_id_by_email", {"email": "nobody@example.com"}, UserNotFound),
            ("get_user_details", {"user_id": "nobody"}, UserNotFound),
            ("get_order_details", {"order_id": "1000001"}, OrderNotFound),
            ("get_product_details", {"product_id": "8000000001"}, ProductNotFound),
            ("get_item_details", {"item_id": "7000000001"}, ItemNotFound),
        ],
    )
    def test_what_is_not_there_is_said_to_be_missing(self, shop, tool, arguments, error):
        with pytest.raises(error):
            shop.call(tool, arguments)

    def test_documents_come_as_they_were_put_in(self, ask):
        assert ask("get_user_details", user_id=MARA) == PATCH[f"users/{MARA}"]
        assert ask("get_order_details", order_id=PENDING) == PATCH[f"orders/{PENDING}"]
        assert ask("get_product_details", product_id="7000000001") == TEAPOT
        assert ask("get_item_details", item_id="8000000002") == TEAPOT["variants"]["8000000002"]

    def test_product_types_are_listed_by_name(self, ask):
        listed = ask("list_all_product_types")
        assert list(listed) == sorted(listed)
        assert len(listed) == 44
        assert listed["Teapot"] == "7000000001"

    def test_looking_up_leaves_no_effect(self, ask, root):
        ask("get_user_details", user_id=MARA)
        assert unchanged(root)


class TestCancelling:
    def test_a_cancelled_order_is_refunded_to_its_gift_card_at_once(self, ask, root):
        done = ask("cancel_pending_order", order_id=PENDING, reason="no longer needed")
        expected = deepcopy(PATCH[f"orders/{PENDING}"])
        expected["status"] = "cancelled"
        expected["cancel_reason"] = "no longer needed"
        expected["payment_history"].append(
            {"transaction_type": "refund", "amount": 160.2, "payment_method_id": GIFT}
        )
        assert done == expected
        assert balance(root) == 185.2

    def test_an_order_paid_anew_is_refunded_once_and_to_the_new_method(self, ask, root):
        ask("modify_pending_order_payment", order_id=PENDING, payment_method_id=PAYPAL)
        done = ask("cancel_pending_order", order_id=PENDING, reason="ordered by mistake")
        refunds = [entry for entry in done["payment_history"] if entry["transaction_type"] == "refund"]
        assert [(entry["payment_method_id"], entry["amount"]) for entry in refunds] == [
            (GIFT, 160.2),
            (PAYPAL, 160.2),
        ]
        assert balance(root) == 185.2

    def test_only_the_two_reasons_are_good(self, shop, root):
        with pytest.raises(ReasonNotAllowed):
            shop.call("cancel_pending_order", {"order_id": PENDING, "reason": "found it cheaper"})
        assert unchanged(root)

    @pytest.mark.parametrize("order_id", [DELIVERED, PROCESSED])
    def test_an_order_on_its_way_is_not_cancelled(self, shop, root, order_id):
        with pytest.raises(OrderNotPending):
            shop.call("cancel_pending_order", {"order_id": order_id, "reason": "no longer needed"})
        assert unchanged(root)


class TestChangingItems:
    def test_a_dearer_item_is_paid_for_from_the_gift_card(self, ask, root):
        done = ask("modify_pending_order_items", **SWAP, payment_method_id=GIFT)
        assert done["items"] == [
            line(TEAPOT, "8000000002"),
            line(TEAPOT, "8000000001"),
            line(LADDER, "8000000011"),
        ]
        assert done["status"] == "pending (item modified)"
        assert done["payment_history"][-1] == {
            "transaction_type": "payment",
            "amount": 42.25 - 30.1,
            "payment_method_id": GIFT,
        }
        assert balance(root) == 12.85

    def test_a_cheaper_item_is_refunded(self, ask, root):
        swap = {**SWAP, "new_item_ids": ["8000000003"]}
        done = ask("modify_pending_order_items", **swap, payment_method_id=GIFT)
        assert done["payment_history"][-1]["transaction_type"] == "refund"
        assert balance(root) == 35.1

    def test_the_same_item_twice_is_replaced_twice(self, ask):
        swap = {"item_ids": ["8000000001"] * 2, "new_item_ids": ["8000000002", "8000000003"]}
        done = ask("modify_pending_order_items", order_id=PENDING, **swap, payment_method_id=CARD)
        assert [one["item_id"] for one in done["items"]] == ["8000000002", "8000000003", "8000000011"]

    def test_each_item_takes_over_its_own_price(self, ask):
        swap = {"item_ids": ["8000000001", "8000000011"], "new_item_ids": ["8000000002", "8000000012"]}
        done = ask("modify_pending_order_items", order_id=PENDING, **swap, payment_method_id=CARD)
        assert [one["price"] for one in done["items"]] == [42.25, 30.1, 110.5]

    def test_nothing_more_can_change_afterwards(self, shop, root):
        shop.call("modify_pending_order_items", {**SWAP, "payment_method_id": CARD})
        for tool, arguments in (
            ("modify_pending_order_items", {**SWAP, "payment_method_id": CARD}),
            ("modify_pending_order_payment", {"order_id": PENDING, "payment_method_id": CARD}),
            ("modify_pending_order_address", {"order_id": PENDING, **HOME}),
            ("cancel_pending_order", {"order_id": PENDING, "reason": "no longer needed"}),
        ):
            with pytest.raises(OrderNotPending):
                shop.call(tool, arguments)
        assert len(read_effects(root, "default")) == 1

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"item_ids": ["8000000009"]}, ItemNotInOrder),
            ({"item_ids": ["8000000001"] * 3, "new_item_ids": ["8000000002"] * 3}, ItemNotInOrder),
            ({"new_item_ids": ["8000000002", "8000000003"]}, ItemCountMismatch),
            ({"new_item_ids": ["8000000004"]}, ItemUnavailable),
            ({"new_item_ids": ["8000000012"]}, ItemUnavailable),
            ({"item_ids": ["8000000011"], "new_item_ids": ["8000000001"]}, ItemUnavailable),
            ({"payment_method_id": "gift_card_9"}, PaymentMethodNotFound),
            ({"item_ids": ["8000000001"] * 2, "new_item_ids": ["8000000002"] * 2, "payment_method_id": GIFT},
             None),
            ({"item_ids": ["8000000001"] * 2 + ["8000000011"],
              "new_item_ids": ["8000000002"] * 2 + ["8000000012"], "payment_method_id": GIFT},
             InsufficientBalance),
            ({"item_ids": [], "new_item_ids": []}, InvalidArguments),
            ({"order_id": DELIVERED}, OrderNotPending),
            ({"order_id": "#W0"}, OrderNotFound),
        ],
    )  # fmt: skip
    def test_a_change_against_the_rules_changes_nothing(self, shop, root, change, error):
        arguments = {**SWAP, "payment_method_id": CARD, **change}
        if error is None:
            shop.call("modify_pending_order_items", arguments)
            assert balance(root) == 0.7
            return
        with pytest.raises(error):
            shop.call("modify_pending_order_items", arguments)
        assert unchanged(root)


class TestChangingPaymentAndAddress:
    def test_the_former_gift_card_has_its_money_back(self, ask, root):
        done = ask("modify_pending_order_payment", order_id=PENDING, payment_method_id=CARD)
        assert done["status"] == "pending"
        assert done["payment_history"] == [
            {"transaction_type": "payment", "amount": 160.2, "payment_method_id": GIFT},
            {"transaction_type": "payment", "amount": 160.2, "payment_method_id": CARD},
            {"transaction_type": "refund", "amount": 160.2, "payment_method_id": GIFT},
        ]
        assert balance(root) == 185.2

    def test_a_gift_card_with_enough_on_it_pays_the_whole_order(self, ask, root):
        card_order = order(PENDING, "pending", CARD)
        rich = deepcopy(PATCH[f"users/{MARA}"])
        rich["payment_methods"][GIFT]["balance"] = 160.2
        apply_patch(root, "default", {f"orders/{PENDING}": card_order, f"users/{MARA}": rich})
        ask("modify_pending_order_payment", order_id=PENDING, payment_method_id=GIFT)
        assert balance(root) == 0.0

    @pytest.mark.parametrize(
        ("paid_with", "wanted", "error"),
        [
            (GIFT, GIFT, PaymentUnchanged),
            (CARD, GIFT, InsufficientBalance),
            (CARD, "paypal_9", PaymentMethodNotFound),
        ],
    )
    def test_a_payment_against_the_rules_is_refused(self, shop, root, paid_with, wanted, error):
        apply_patch(root, "default", {f"orders/{PENDING}": order(PENDING, "pending", paid_with)})
        with pytest.raises(error):
            shop.call("modify_pending_order_payment", {"order_id": PENDING, "payment_method_id": wanted})
        assert read_effects(root, "default") == ()

    def test_the_payment_changes_only_once(self, shop):
        shop.call("modify_pending_order_payment", {"order_id": PENDING, "payment_method_id": CARD})
        with pytest.raises(PaymentAlreadyChanged):
            shop.call("modify_pending_order_payment", {"order_id": PENDING, "payment_method_id": PAYPAL})

    def test_a_pending_order_goes_elsewhere_and_the_customer_stays(self, ask, root):
        there = {**HOME, "address1": "9 Ropewalk", "zip": "04100"}
        assert ask("modify_pending_order_address", order_id=PENDING, **there)["address"] == there
        assert export_database(root, "default")["users"][MARA]["address"] == HOME

    def test_a_customer_moves_and_the_orders_stay(self, ask, root):
        there = {**HOME, "address1": "9 Ropewalk", "zip": "04100"}
        assert ask("modify_user_address", user_id=MARA, **there)["address"] == there
        assert export_database(root, "default")["orders"][PENDING]["address"] == HOME

    def test_a_delivered_order_goes_nowhere_else(self, shop, root):
        with pytest.raises(OrderNotPending):
            shop.call("modify_pending_order_address", {"order_id": DELIVERED, **HOME})
        assert unchanged(root)


class TestReturningAndExchanging:
    def test_a_return_names_its_items_in_order_and_moves_no_money(self, ask, root):
        items = ["8000000011", "8000000001"]
        done = ask("return_delivered_order_items", order_id=DELIVERED, item_ids=items, payment_method_id=CARD)
        assert done == {
            **PATCH[f"orders/{DELIVERED}"],
            "status": "return requested",
            "return_items": ["8000000001", "8000000011"],
            "return_payment_method_id": CARD,
        }
        assert balance(root) == 25

    def test_a_refund_goes_to_a_gift_card_too_and_to_nothing_else(self, shop):
        back = {"order_id": DELIVERED, "item_ids": ["8000000001"]}
        with pytest.raises(RefundMethodNotAllowed):
            shop.call("return_delivered_order_items", {**back, "payment_method_id": PAYPAL})
        with pytest.raises(PaymentMethodNotFound):
            shop.call("return_delivered_order_items", {**back, "payment_method_id": "gift_card_9"})
        done = json.loads(shop.call("return_delivered_order_items", {**back, "payment_method_id": GIFT}))
        assert done["return_payment_method_id"] == GIFT

    def test_more_than_the_order_holds_is_not_taken_back(self, shop, root):
        back = {"order_id": DELIVERED, "item_ids": ["8000000001"] * 3, "payment_method_id": CARD}
        with pytest.raises(ItemNotInOrder):
            shop.call("return_delivered_order_items", back)
        assert unchanged(root)

    def test_an_exchange_records_the_rounded_difference_and_moves_no_money(self, ask, root):
        done = ask(
            "exchange_delivered_order_items",
            order_id=DELIVERED,
            item_ids=["8000000011", "8000000001"],
            new_item_ids=["8000000012", "8000000003"],
            payment_method_id=GIFT,
        )
        assert done == {
            **PATCH[f"orders/{DELIVERED}"],
            "status": "exchange requested",
            "exchange_items": ["8000000001", "8000000011"],
            "exchange_new_items": ["8000000003", "8000000012"],
            "exchange_payment_method_id": GIFT,
            "exchange_price_difference": 0.4,
        }
        assert balance(root) == 25

    def test_an_exchange_needs_a_gift_card_that_covers_it(self, shop, root):
        with pytest.raises(InsufficientBalance):
            shop.call(
                "exchange_delivered_order_items",
                {
                    "order_id": DELIVERED,
                    "item_ids": ["8000000001", "8000000001", "8000000011"],
                    "new_item_ids": ["8000000002", "8000000002", "8000000012"],
                    "payment_method_id": GIFT,
                },
            )
        assert unchanged(root)

    def test_after_a_return_nothing_of_the_order_is_exchanged(self, shop):
        items = {"order_id": DELIVERED, "item_ids": ["8000000001"], "payment_method_id": CARD}
        shop.call("return_delivered_order_items", items)
        with pytest.raises(OrderNotDelivered):
            shop.call("exchange_delivered_order_items", {**items, "new_item_ids": ["8000000002"]})

    @pytest.mark.parametrize("order_id", [PENDING, PROCESSED])
    def test_what_has_not_arrived_is_not_returned(self, shop, root, order_id):
        with pytest.raises(OrderNotDelivered):
            shop.call(
                "return_delivered_order_items",
                {"order_id": order_id, "item_ids": ["8000000001"], "payment_method_id": GIFT},
            )
        assert unchanged(root)


class TestTools:
    def test_an_unknown_tool_is_refused(self, shop):
        with pytest.raises(UnknownTool):
            shop.call("drop_everything", {})

    @pytest.mark.parametrize(
        "arguments", [{}, {"order_id": 7}, {"order_id": PENDING, "extra": "x"}, {"order_id": None}]
    )
    def test_arguments_off_the_schema_are_refused(self, shop, arguments):
        with pytest.raises(InvalidArguments):
            shop.call("get_order_details", arguments)

    def test_a_thought_and_a_transfer_change_nothing(self, shop, root):
        assert shop.call("think", {"thought": "hm"}) == ""
        assert (
            shop.call("transfer_to_human_agents", {"summary": "asks for a person"}) == "Transfer successful"
        )
        assert unchanged(root)

    def test_schemas_are_closed_and_every_parameter_is_described(self):
        for tool in TOOLS.values():
            schema = tool.schema()
            assert schema["additionalProperties"] is False
            assert schema["required"] == list(schema["properties"])
            assert all(parameter["description"] for parameter in schema["properties"].values())


class TestPriceRules:
    def test_the_rule_of_recorded_results_goes_with_a_copy(self, tmp_path):
        create_tenant(tmp_path, "recorded", make_sample(), price_rule="last_variant")
        apply_patch(tmp_path, "recorded", PATCH)
        copy_tenant(tmp_path, "recorded", "copy")
        shop = Shop(tmp_path)
        swap = {"item_ids": ["8000000001", "8000000011"], "new_item_ids": ["8000000002", "8000000012"]}
        answer = shop.call(
            "modify_pending_order_items",
            {"order_id": PENDING, **swap, "payment_method_id": CARD},
            tenant="copy",
        )
        shop.close()
        assert [(one["item_id"], one["price"]) for one in json.loads(answer)["items"]] == [
            ("8000000002", 110.5),
            ("8000000001", 30.1),
            ("8000000012", 110.5),
        ]
