"""What the support desk makes of a customer's message before a model answers it."""

import pytest

from proctor.deployments.support._case import (
    Case,
    Passage,
    Wish,
    describe,
    desk_for,
    email_in,
    hindrance,
    orders_in,
    topic_of,
)
from proctor.deployments.support._shelf import language_of
from proctor.deployments.support.shop import Order, User, make_sample

SHOP = make_sample()


def order(status: str) -> Order:
    return next(order for order in SHOP["orders"].values() if order["status"] == status)


def case(*statuses: str, unknown: tuple[str, ...] = ()) -> Case:
    orders = tuple(order(status) for status in statuses)
    who = customer(orders[0]) if orders else None
    return Case(customer=who, orders=orders, unknown=unknown, passages=())


def customer(of: Order) -> User:
    return SHOP["users"][of["user_id"]]


@pytest.mark.parametrize(
    ("text", "email"),
    [
        ("I'm mara.lind+shop@mail.example.com.", "mara.lind+shop@mail.example.com"),
        ("我的邮箱是mara.lind@example.com, 谢谢", "mara.lind@example.com"),
        ("write to me @ home", None),
    ],
)
def test_an_email_address_is_found_in_any_language(text: str, email: str | None) -> None:
    assert email_in(text) == email


@pytest.mark.parametrize(
    ("text", "orders"),
    [
        ("Where are #W1234567 and W7654321?", ("#W1234567", "#W7654321")),
        ("订单#W1234567到了吗, 就是W1234567", ("#W1234567",)),
        ("The AW1234567 and W12345678901234 are none", ()),
    ],
)
def test_order_numbers_are_read_as_the_shop_writes_them(text: str, orders: tuple[str, ...]) -> None:
    assert orders_in(text) == orders


@pytest.mark.parametrize(
    ("wish", "statuses", "desk"),
    [
        ("cancel", ("pending",), "cancellations"),
        ("cancel", ("delivered",), "adviser"),
        ("cancel", (), "adviser"),
        ("change", ("pending",), "changes"),
        ("change", ("processed",), "adviser"),
        ("return", ("delivered", "pending"), "returns"),
        ("return", ("pending",), "adviser"),
        ("profile", ("pending",), "profiles"),
        ("profile", (), "adviser"),
        ("product", (), "adviser"),
        ("person", (), "handovers"),
        ("question", ("pending",), "adviser"),
        ("order", ("pending",), "adviser"),
    ],
)
def test_only_cases_that_the_data_allow_come_to_a_desk_that_can_write(
    wish: Wish, statuses: tuple[str, ...], desk: str
) -> None:
    assert desk_for(wish, case(*statuses)) == desk


@pytest.mark.parametrize(("source", "desk"), [("catalogue/1", "products"), ("returns.en", "adviser")])
def test_a_product_is_looked_up_where_the_catalogue_has_it(source: str, desk: str) -> None:
    passage = Passage(source=source, title="", text="")
    found = Case(customer=None, orders=(), unknown=(), passages=(passage,))
    assert desk_for("product", found) == desk


def test_nothing_is_told_about_orders_of_somebody_who_is_not_identified() -> None:
    told = "\n".join(describe(case(unknown=("#W1234567",)), "adviser"))
    assert "not identified" in told
    assert "W1234567" not in told


def test_an_order_is_described_with_what_its_status_allows() -> None:
    parcel = order("processed")
    told = "\n".join(describe(case("processed"), "adviser"))
    assert parcel["order_id"] in told
    assert parcel["fulfillments"][0]["tracking_id"][0] in told
    assert "can't be cancelled" in told


def test_only_a_desk_that_needs_them_sees_item_ids_and_payment_methods() -> None:
    pending = order("pending")
    inner = [pending["items"][0]["item_id"], *customer(pending)["payment_methods"]]
    for each in inner:
        assert each not in "\n".join(describe(case("pending"), "cancellations"))
        assert each in "\n".join(describe(case("pending"), "changes"))


def test_the_language_of_a_message_is_that_of_its_script() -> None:
    assert (language_of("Refund?"), language_of("退款 refund")) == ("en", "zh")


def test_what_the_data_forbid_is_said_with_the_reason() -> None:
    delivered = order("delivered")["order_id"]
    assert hindrance("cancel", case("delivered")) == f'the status of {delivered} is "delivered"'
    assert hindrance("cancel", case("delivered", "pending")) == ""
    assert hindrance("order", case("delivered")) == ""
    assert hindrance("return", case()) == ""
    assert "e-mail" in hindrance("cancel", case(unknown=("#W1234567",)))


def test_the_topic_of_a_message_is_what_is_left_without_names_and_figures() -> None:
    said = "Cancel #W1234567 (a.b@example.com), 2 weeks late"
    assert topic_of(said).split() == ["Cancel", "(", "),", "weeks", "late"]
