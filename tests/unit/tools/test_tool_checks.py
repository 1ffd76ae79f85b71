import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.core import JsonObject, ToolCall, ToolResult, ToolSpec
from proctor.tools import allow_list, check_output
from proctor.tools._text import clean, cut


class Scope:
    run_id, team, tenant, agent, key = "run_1", "desk", "acme", "analyst", "key_1"

    def __init__(self):
        self.events: list[tuple[str, JsonObject]] = []

    def event(self, type, data):
        self.events.append((type, data))

    async def begin(self):
        pass


async def acts(call: ToolCall) -> ToolResult:
    return ToolResult(text="acted")


def call(tool: str = "refund", server: str = "shop") -> ToolCall:
    spec = ToolSpec(server=server, name=tool, description="", parameters={})
    return ToolCall(scope=Scope(), tool=spec, arguments={})


async def test_a_listed_tool_may_be_called():
    assert await allow_list([("shop", "refund")])(call(), acts) == ToolResult(text="acted")


@pytest.mark.parametrize(
    ("tool", "server"),
    [
        ("Refund", "shop"),
        ("\N{FULLWIDTH LATIN SMALL LETTER R}efund", "shop"),
        ("refund ", "shop"),
        ("refund\u200b", "shop"),
        ("refund", "other"),
        ("refund", "Shop"),
    ],
)
async def test_a_name_that_only_looks_like_a_listed_one_is_refused_with_a_hint(tool, server):
    refused = call(tool, server)
    result = await allow_list([("shop", "refund")])(refused, acts)
    assert (result.is_error, result.refused_by) == (True, "allow_list")
    assert "Did you mean 'refund'?" in result.text
    assert refused.scope.events == [
        ("tool.refused", {"server": server, "tool": tool, "rule": "allow_list", "reason": result.text})
    ]


async def test_an_empty_list_allows_nothing():
    assert (await allow_list([])(call(), acts)).refused_by == "allow_list"


def gives(result: ToolResult):
    async def handler(call: ToolCall) -> ToolResult:
        return result

    return handler


async def test_what_databases_refuse_is_taken_out_of_texts_and_structures():
    dirty = ToolResult(
        text="a\x00b\ud83dc", structured={"na\x00me": ["x\udc00", {"y": "\x00"}], "n": 1, "none": None}
    )
    assert await check_output(1000)(call(), gives(dirty)) == ToolResult(
        text="abc", structured={"name": ["x", {"y": ""}], "n": 1, "none": None}
    )


async def test_a_long_text_is_cut_and_says_so():
    result = await check_output(100)(call(), gives(ToolResult(text="x" * 5000, is_error=True, cost=3)))
    assert len(result.text) == 100
    assert result.text.endswith("\n[cut: the whole text has 5,000 characters]")
    assert (result.is_error, result.cost) == (True, 3)


async def test_a_structure_that_is_too_long_is_left_out_and_that_is_said():
    long = ToolResult(text="x" * 5000, structured={"a": "x" * 5000})
    result = await check_output(200)(call(), gives(long))
    assert result.structured is None
    assert len(result.text) <= 200
    assert "left out: structured content of 5,008 characters" in result.text


@given(st.text(st.characters(codec=None, categories=None)), st.integers(0, 60))
def test_any_text_becomes_storable_and_no_longer_than_the_limit(text, limit):
    result = cut(clean(text), limit)
    assert len(result) <= limit
    json.dumps(result, ensure_ascii=False).encode()
    assert "\x00" not in result
