"""The shop's MCP server as its clients meet it: a real process, over stdio and over HTTP."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from proctor.deployments.support.shop import (
    TOOLS,
    copy_tenant,
    create_tenant,
    export_database,
    make_sample,
    read_effects,
)

SAMPLE = make_sample()
PENDING = [key for key, order in SAMPLE["orders"].items() if order["status"] == "pending"]
CANCEL = {"order_id": PENDING[0], "reason": "no longer needed"}
WRITES = {
    "cancel_pending_order",
    "exchange_delivered_order_items",
    "modify_pending_order_address",
    "modify_pending_order_items",
    "modify_pending_order_payment",
    "modify_user_address",
    "return_delivered_order_items",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    create_tenant(tmp_path, "default", SAMPLE)
    copy_tenant(tmp_path, "default", "other")
    return tmp_path


def command(root: Path, *options: str) -> list[str]:
    return ["-m", "proctor.deployments.support.shop", "--root", str(root), *options]


@asynccontextmanager
async def stdio(root: Path, *options: str, pause: str = "") -> AsyncIterator[Client]:
    environment = {**os.environ, "PROCTOR_STORE_PAUSE": pause}
    server = StdioServerParameters(command=sys.executable, args=command(root, *options), env=environment)
    async with asyncio.timeout(60), Client(server) as client:
        yield client


@asynccontextmanager
async def process(
    root: Path, *options: str, pause: str = ""
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A server over HTTP and where it listens."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        *command(root, "--http", "127.0.0.1:0", *options),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PROCTOR_STORE_PAUSE": pause},
    )
    try:
        async with asyncio.timeout(60):
            assert started.stderr is not None
            said = (await started.stderr.readline()).decode()
            yield started, said.removeprefix("listening on ").strip()
    finally:
        if started.returncode is None:
            started.terminate()
        await asyncio.wait_for(started.wait(), 20)


def text(result) -> str:
    return result.content[0].text


def meta(tenant: str | None = None, key: object = None) -> dict:
    named = {"proctor/tenant": tenant, "proctor/idempotency-key": key}
    return {name: value for name, value in named.items() if value is not None}


async def test_tools_announce_what_they_do_and_that_keys_protect(root):
    async with stdio(root) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == set(TOOLS)
    for name, tool in tools.items():
        writes = name in WRITES
        assert tool.annotations.read_only_hint is not writes
        assert tool.annotations.destructive_hint is writes
        assert tool.annotations.idempotent_hint is True
        assert tool.annotations.open_world_hint is False
        assert tool.meta["proctor/effect"] == ("idempotent" if writes else "read_only")
        assert tool.input_schema == TOOLS[name].schema()


async def test_a_server_that_ignores_keys_says_so_and_writes_twice(root):
    address = {"order_id": PENDING[0], **SAMPLE["orders"][PENDING[0]]["address"]}
    async with stdio(root, "--no-idempotency") as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        for _ in range(2):
            await client.call_tool("modify_pending_order_address", address, meta=meta(key="k1"))
    assert {tools[name].meta["proctor/effect"] for name in WRITES} == {"consequential"}
    assert {tools[name].annotations.idempotent_hint for name in WRITES} == {False}
    assert tools["get_order_details"].meta["proctor/effect"] == "read_only"
    assert [effect.idempotency_key for effect in read_effects(root, "default")] == [None, None]


async def test_a_write_over_stdio_happens_once_a_key_and_in_its_tenant_only(root):
    async with stdio(root) as client:
        first = await client.call_tool("cancel_pending_order", CANCEL, meta=meta("other", "k1"))
        again = await client.call_tool("cancel_pending_order", CANCEL, meta=meta("other", "k1"))
        misused = await client.call_tool(
            "cancel_pending_order", {**CANCEL, "order_id": "#W1"}, meta=meta("other", "k1")
        )
        elsewhere = await client.call_tool("get_order_details", {"order_id": PENDING[0]})
    assert not first.is_error
    assert json.loads(text(first)) == export_database(root, "other")["orders"][PENDING[0]]
    assert text(again) == text(first)
    assert (misused.is_error, misused.meta["proctor/error"]) == (True, "key_reused")
    assert json.loads(text(elsewhere)) == SAMPLE["orders"][PENDING[0]]
    assert [len(read_effects(root, tenant)) for tenant in ("default", "other")] == [0, 1]


@pytest.mark.parametrize(
    ("tool", "arguments", "request_meta", "code"),
    [
        ("get_order_details", {"order_id": "#W1"}, {}, "order_not_found"),
        ("get_order_details", {}, {}, "invalid_arguments"),
        ("no_such_tool", {}, {}, "unknown_tool"),
        ("list_all_product_types", {}, {"proctor/tenant": "ghost"}, "tenant_missing"),
        ("list_all_product_types", {}, {"proctor/tenant": "../default"}, "invalid_tenant"),
        ("list_all_product_types", {}, {"proctor/tenant": 7}, "invalid_tenant"),
        ("cancel_pending_order", CANCEL, {"proctor/idempotency-key": 7}, "invalid_key"),
        ("calculate", {"expression": "2 ** 9"}, {}, "invalid_expression"),
    ],
)
async def test_what_goes_wrong_is_a_tool_error_with_a_code_and_the_server_goes_on(
    root, tool, arguments, request_meta, code
):
    async with stdio(root) as client:
        failed = await client.call_tool(tool, arguments, meta=request_meta)
        after = await client.call_tool("calculate", {"expression": "2 + 2"})
    assert (failed.is_error, failed.meta["proctor/error"]) == (True, code)
    assert text(failed)
    assert text(after) == "4.0"


async def test_many_tenants_are_served_at_once_over_http(root):
    tenants = [f"shop-{n}" for n in range(6)]
    for tenant in tenants:
        copy_tenant(root, "default", tenant)
    async with process(root) as (_, url), Client(url) as client:
        answers = await asyncio.gather(
            *(
                client.call_tool(
                    "cancel_pending_order",
                    {**CANCEL, "order_id": order},
                    meta=meta(tenant, f"cancel-{order}"),
                )
                for order in PENDING[:5]
                for tenant in tenants
                for _ in range(2)
            )
        )
    assert not any(answer.is_error for answer in answers)
    for tenant in tenants:
        keys = [effect.idempotency_key for effect in read_effects(root, tenant)]
        assert sorted(keys) == sorted(f"cancel-{order}" for order in PENDING[:5])


async def cancel(url: str):
    async with Client(url) as client:
        return await client.call_tool("cancel_pending_order", CANCEL, meta=meta(key="k1"))


async def look_up(url: str):
    async with Client(url) as client:
        return json.loads(text(await client.call_tool("get_order_details", {"order_id": PENDING[0]})))


async def test_a_server_killed_after_its_effect_answers_the_repeated_key_from_the_record(root):
    async with process(root, pause="after:50") as (server, url):
        lost = asyncio.create_task(cancel(url))
        while (await look_up(url))["status"] == "pending":
            assert not lost.done()
        # A whole conversation more, in which an answer that isn't held back would have come.
        await look_up(url)
        assert not lost.done()
        server.kill()
        # The client's transport reports the broken connection as a group.
        with pytest.raises(ExceptionGroup):
            await lost
    async with process(root) as (_, url):
        again = await cancel(url)
    (effect,) = read_effects(root, "default")
    assert text(again) == effect.result


async def test_a_server_killed_before_its_effect_has_none_and_the_repeated_key_makes_it(root):
    async with process(root, pause="before:50") as (server, url):
        lost = asyncio.create_task(cancel(url))
        for _ in range(3):
            assert (await look_up(url))["status"] == "pending"
        assert not lost.done()
        server.kill()
        with pytest.raises(ExceptionGroup):
            await lost
    assert read_effects(root, "default") == ()
    async with process(root) as (_, url):
        await cancel(url)
    assert len(read_effects(root, "default")) == 1


@pytest.mark.parametrize(("options", "pause"), [((), "sometimes"), (("--http", "8931"), "")])
async def test_a_wrong_setting_ends_the_server_with_a_reason(root, options, pause):
    ended = await asyncio.create_subprocess_exec(
        sys.executable,
        *command(root, *options),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PROCTOR_STORE_PAUSE": pause},
    )
    _, said = await asyncio.wait_for(ended.communicate(), 30)
    assert ended.returncode == 1
    assert said.startswith(b"proctor-store-mcp: ")
