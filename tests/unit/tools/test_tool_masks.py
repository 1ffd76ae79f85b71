"""Which parts of an answer are taken out."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import seconds_of
from proctor.core import JsonObject
from proctor.tools._fields import Fields
from proctor.tools._masks import Masked, mask

CARD = "4111-1111-1111-1111"
NOTE = "[masked: payment]"
LEFT_OUT = "[left out: text that may hold payment data]"


def masked(path: str, text: str, structured: JsonObject | None = None) -> Masked:
    return mask(Fields(dict.fromkeys(path.split(), "payment")), text, structured)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("card", {"card": CARD}),
        ("card", {"order": {"payer": [{"card": CARD}]}}),
        ("card", {"card": {"number": CARD, "more": [CARD]}}),
        ("card", {"CARD": CARD}),
        ("card_number", {"cardNumber": CARD}),
        ("cardNumber", {"Card Number": CARD}),
        ("card", {"\N{FULLWIDTH LATIN SMALL LETTER C}ard": CARD}),
        ("card", {"ca\u200brd": CARD}),
        ("card.number", {"card": {"number": CARD}}),
        ("card.number", {"card": [[{"number": CARD}]]}),
        ("card.number", {"result": {"card": {"Number": CARD}}}),
        ("card.number", {"card.number": CARD}),
        ("card.number", {"card_number": CARD}),
        ("orders.*.payment", {"orders": [{"payment": CARD}]}),
        ("orders.*.payment", {"orders": {"a17": {"payment": {"x": CARD}}}}),
        ("orders.*.payment", {"x": [{"orders": [[{"payment": CARD}]]}]}),
        ("cards.*", {"cards": [CARD, {"x": CARD}]}),
        ("cards.*", {"cards": {"a": CARD}}),
        ("*", {"a": CARD}),
        ("card", {"rows": [["id", "card"], [1, CARD]]}),
        ("card", {"columns": ["id", "card"], "rows": [[1, CARD]]}),
        ("card", {"columns": [{"name": "id"}, {"name": "card"}], "data": [[1, CARD]]}),
        ("card", {"fields": [{"name": "card", "value": CARD}]}),
        ("card", {"key": "card", "values": [CARD]}),
        ("card", {"x": json.dumps({"card": CARD})}),
        ("card", {"x": json.dumps({"y": json.dumps([{"card": CARD}])})}),
        ("card", {"x": f"id,card\n1,{CARD}\n2,{CARD}"}),
        ("card", {"x": f"the card: {CARD}"}),
        ("card", {"x": f"?id=1&card={CARD}&y=2"}),
        ("card", {"x": str({"card": CARD})}),
        ("card", {"card": CARD, "said": f"paid with {CARD} today", CARD: "x"}),
    ],
)
def test_a_field_is_taken_out_wherever_it_stands(path: str, value: Any) -> None:
    result = masked(path, json.dumps(value), value)
    assert CARD not in result.text
    assert CARD not in json.dumps(result.structured)
    assert result.kinds == ("payment",)
    json.loads(result.text)
    indented = masked(path, json.dumps(value, indent=2))
    assert CARD not in indented.text


@pytest.mark.parametrize("path", ["card", "card.number", "orders.*.card"])
def test_what_is_no_field_stays_as_it_is(path: str) -> None:
    value = {
        "id": 7,
        "orders": [{"sum": 1.5, "postcard": "x", "tags": ["new"]}],
        "discard": None,
        "number": 3,
    }
    result = masked(path, json.dumps(value), value)
    assert (json.loads(result.text), result.structured, result.kinds) == (value, value, ())


def test_numbers_are_taken_out_with_their_repetitions() -> None:
    value = {"card": 4111111111111111, "same": 4111111111111111, "text": "4111111111111111", "other": 41111}
    assert masked("card", "", value).structured == {
        "card": NOTE,
        "same": "[masked]",
        "text": "[masked]",
        "other": 41111,
    }


def test_of_keys_that_are_given_twice_none_is_shown() -> None:
    text = f'{{"card": "{CARD}", "card": null, "a": {{"card": "{CARD}"}}, "a": 1}}'
    assert masked("card", text).text == f'{{"card": "{NOTE}", "a": 1}}'


def test_a_table_in_markdown_loses_a_column() -> None:
    text = f"| id | Card |\n|----|:----:|\n| 1 | {CARD} |\n| 2 | {CARD} |"
    result = masked("card", text)
    assert CARD not in result.text
    assert "| 1 |" in result.text
    assert result.text.splitlines()[:2] == ["| id | Card |", "|----|:----:|"]


@pytest.mark.parametrize("by", [",", ";", "\t", "|"])
def test_separated_values_lose_a_column(by: str) -> None:
    text = f'id{by}card{by}note\n1{by}"{CARD}"{by}"a{by}b"\n2{by}{CARD}{by}c\n'
    assert masked("card", text).text == f'id{by}card{by}note\n1{by}{NOTE}{by}"a{by}b"\n2{by}{NOTE}{by}c\n'


def test_a_table_with_a_row_that_does_not_fit_is_left_out() -> None:
    assert masked("card", f"id,card\n1,{CARD}\n2,x,{CARD}").text == LEFT_OUT


@pytest.mark.parametrize(
    "text",
    [
        f"The order was paid with {CARD}.",
        f"card: {CARD}",
        str({"card": CARD}),
        f"<card>{CARD}</card>",
        f"1,{CARD}\n2,{CARD}",
        f'{{"card": "{CARD}"',
        f'{{"id": 1}} and the rest: {CARD}',
        f"```{CARD}\n```",
        f"+----+\n| id | {CARD} |",
    ],
)
def test_of_what_is_no_data_nothing_is_shown(text: str) -> None:
    result = masked("card", text)
    assert CARD not in result.text
    assert LEFT_OUT in result.text
    assert result.kinds == ("payment",)


def test_a_text_beside_data_loses_the_values_that_were_found() -> None:
    result = masked("card", f"Paid with {CARD}, thanks.", {"id": 1, "card": CARD})
    assert result.text == "Paid with [masked], thanks."


@pytest.mark.parametrize(
    ("text", "structured"),
    [
        ("Paid with 4111 1111 1111 1111.", {"card": CARD}),  # written in another way
        ("The code is 123.", {"card": "123"}),  # too short to be told from other text
        ("It was stolen.", {"card": True}),
        ("Paid with 5555.", {"id": 1}),  # the field isn't in the data
        ("The other card: 5555.", {"card": CARD}),
    ],
)
def test_a_text_that_can_not_be_told_is_replaced_by_the_data(text: str, structured: JsonObject) -> None:
    result = masked("card", text, structured)
    note, _, data = result.text.partition("\n")
    assert (note, json.loads(data)) == (LEFT_OUT, result.structured)


def test_a_text_around_data_stays_where_it_can_not_hold_a_field() -> None:
    text = f'Here it is:\n\n```json\n[{{"card": "{CARD}"}}]\n```\nIt was {CARD}.'
    assert masked("card", text).text == (
        f'Here it is:\n\n```json\n[{{"card": "{NOTE}"}}]\n```\nIt was [masked].'
    )


def test_several_objects_in_one_text_are_each_masked() -> None:
    text = f'{{"id": 1, "card": "{CARD}"}}\n{{"id": 2, "card": "{CARD}"}}'
    assert masked("card", text).text == f'{{"id": 1, "card": "{NOTE}"}}\n{{"id": 2, "card": "{NOTE}"}}'


def test_a_text_that_a_tool_gives_as_structured_content_is_a_text() -> None:
    result = masked("card", f"It was {CARD}", {"result": f"It was {CARD}"})
    assert (result.text, result.structured) == (LEFT_OUT, {"result": LEFT_OUT})
    result = masked("card", "x", {"result": json.dumps({"card": CARD, "id": 1})})
    assert result.structured == {"result": json.dumps({"card": NOTE, "id": 1})}


def test_an_empty_text_stays_empty() -> None:
    assert masked("card", "", None) == Masked(text="", structured=None, kinds=())
    assert masked("card", "\n", {}).text == "\n"


def test_kinds_are_those_of_what_was_found() -> None:
    fields = Fields({"card": "payment", "log": "raw_log"})
    assert mask(fields, '{"card": 1}', None).kinds == ("payment",)
    assert mask(fields, "what?", None).kinds == ("payment", "raw_log")


@pytest.mark.parametrize(
    "text",
    [
        '["' * 100_000,
        "[" * 100_000,
        '{"a":' * 50_000,
        "[\n\n" * 50_000,
        "card" * 50_000,
        "card " + " " * 200_000,
        "a,b\n" * 50_000,
        "card,b\n" * 30_000,
        "|\n|-\n" * 30_000,
        "\n \t" * 60_000,
        "9" * 100_000,
        "[" + "9" * 100_000 + "]",
    ],
    ids=lambda text: repr(text[:8]),
)
def test_hostile_texts_take_no_longer_than_others(text: str) -> None:
    assert seconds_of(lambda: masked("card", text)) < 3


def test_what_lies_too_deep_is_left_out() -> None:
    value: Any = {"card": CARD}
    for _ in range(200):
        value = {"x": value}
    result = masked("card", json.dumps(value), value)
    assert CARD not in result.text
    assert CARD not in json.dumps(result.structured)


keys = st.sampled_from(["card", "Card", "id", "name", "value", "columns", "rows", "x"])
values = st.recursive(
    st.sampled_from([None, True, 7, "", "id", "card", "some text"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(values, st.lists(keys, max_size=4))
def test_a_field_is_found_in_data_of_any_form(around: Any, path: list[str]) -> None:
    value: Any = {"card": CARD, "around": around}
    for name in path:
        value = {name: [value, around]}
    result = masked("card", json.dumps(value), value)
    assert CARD not in result.text
    assert CARD not in json.dumps(result.structured)
