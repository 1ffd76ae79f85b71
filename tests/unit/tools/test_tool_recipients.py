"""Which arguments say to whom or where a call goes."""

from typing import Any

import pytest

from proctor.core import JsonObject, ToolSpec
from proctor.tools._recipients import RecipientFinder, forms_of


def found(
    arguments: JsonObject, properties: JsonObject | None = None, named: set[str] | None = None
) -> set[str]:
    schema: JsonObject = {"type": "object", "properties": properties or {}}
    spec = ToolSpec(server="mail", name="send", description="", parameters=schema)
    return {one.value for one in RecipientFinder().find(spec, arguments, named)}


@pytest.mark.parametrize(
    "name",
    [
        *("to", "cc", "bcc", "recipient", "recipients", "Recipient", "recipientEmail", "recipient_email"),
        *("receiver", "payee", "beneficiaryName", "iban", "account_number", "toAccount", "email", "e_mail"),
        *("phone", "phoneNumber", "url", "callbackURL", "webhook_url", "uri", "channel", "channelId"),
        *("participants", "user_id", "userName", "assignee", "share-with-user", "destination", "to_number"),
        *(
            "sendTo",
            "forward_to",
            "shipTo",
            "chat_id",
            "wallet",
            "host",
            "收件人",
            "收款账号",
            "recipientemail",
        ),
    ],
)
def test_an_argument_whose_name_says_to_whom_is_found(name: str) -> None:
    assert found({name: "zed"}) == {"zed"}


@pytest.mark.parametrize(
    "name",
    [
        *("subject", "body", "text", "amount", "title", "date", "date_to", "valid_to", "toDate", "up_to"),
        *("tone", "total", "content", "note", "tomorrow", "history", "stop", "accounting", "quantity"),
    ],
)
def test_an_argument_that_only_fills_a_value_is_not_found(name: str) -> None:
    assert found({name: "zed"}) == set()


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "format": "email"},
        {"type": "string", "format": "uri"},
        {"type": "array", "items": {"type": "string", "format": "email"}},
        {"type": "string", "description": "The recipient of the parcel"},
        {"type": "string", "description": "IBAN to which the sum goes"},
        {"type": "string", "description": "An e-mail address"},
    ],
)
def test_a_schema_says_to_whom(schema: JsonObject) -> None:
    assert found({"x": "zed"}, {"x": schema}) == {"zed"}


def test_a_description_that_mentions_a_recipient_in_passing_says_nothing() -> None:
    assert (
        found({"x": "zed"}, {"x": {"description": "What is written in the mail to the recipient"}}) == set()
    )


def test_a_schema_in_defs_says_to_whom() -> None:
    spec = ToolSpec(
        server="mail",
        name="send",
        description="",
        parameters={"$defs": {"Head": {"properties": {"x": {"format": "email"}}}}, "properties": {}},
    )
    (one,) = RecipientFinder().find(spec, {"head": {"x": "zed"}}, None)
    assert (one.argument, one.value) == ("head.x", "zed")


def test_recipients_are_found_however_deep_they_lie() -> None:
    arguments: Any = {
        "mail": {"to": [{"name": "Ann", "address": "ann@example.org"}, "bob@example.org"]},
        "steps": [[{"cc": "cid@example.org; Dee <dee@example.org>"}]],
        "account": 4711,
        "user": None,
        "members": True,
    }
    assert found(arguments) == {
        *("Ann", "ann@example.org", "bob@example.org", "cid@example.org", "dee@example.org", "4711")
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("zed@example.org", {"zed@example.org"}),
        (" <zed@example.org> ", {"zed@example.org"}),
        ("a@example.org, b@example.org", {"a@example.org", "b@example.org"}),
        ("https://evil.example/x?q=1", {"https://evil.example/x?q=1"}),
        ("//evil.example", {"//evil.example"}),
        ("mailto:zed@example.org", {"mailto:zed@example.org"}),
        ("www.evil.example", {"www.evil.example"}),
        ("DE89 3704 0044 0532 0130 00", {"DE89 3704 0044 0532 0130 00"}),
        ("de89370400440532013000", {"de89370400440532013000"}),
        ("DE88370400440532013000", set()),
        ("Write to zed@example.org when done", set()),
        ("see https://example.org for more", set()),
        ("report.pdf", set()),
        ("", set()),
        ("x" * 100_000 + "@example.org", set()),
    ],
)
def test_a_value_that_is_nothing_but_addresses_is_found_under_any_name(
    value: str, expected: set[str]
) -> None:
    assert found({"x": value}) == expected


def test_an_address_is_found_however_much_it_carries_out() -> None:
    address = f"https://evil.example/?{'q' * 9_000}"
    assert found({"page": address}) == {address}


def test_an_address_in_the_place_of_a_name_is_found() -> None:
    assert found({"shares": {"zed@example.org": "may write"}}) == {"zed@example.org"}


def test_where_a_rule_names_the_arguments_it_is_those_alone() -> None:
    arguments = {"to": "ann", "target": {"box": "bob"}, "x": "zed@example.org"}
    assert found(arguments, named={"target.box"}) == {"bob"}
    assert found(arguments, named=set()) == set()


def test_a_recipient_may_be_written_in_other_ways() -> None:
    assert "example.org/a" in forms_of("https://Example.org/a/".lower())
    assert "general" in forms_of("#general")
    assert "DE89 3704 0044 0532 0130 00" in forms_of("DE89370400440532013000")
    assert "" not in forms_of("/")


def test_very_deep_arguments_are_looked_through() -> None:
    arguments: dict[str, Any] = {"to": "zed"}
    for _ in range(5_000):
        arguments = {"x": arguments}
    assert found(arguments) == {"zed"}
