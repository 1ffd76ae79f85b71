"""The MCP server: the shop's tools over stdio or streamable HTTP, and nothing else.

It reads two entries of a request's `_meta`: `proctor/tenant` (absent: 'default') and
`proctor/idempotency-key`. It has no authentication of its own: over HTTP, whoever reaches the port may use
every tenant.

For fault tests only: PROCTOR_STORE_PAUSE="before:0.2" makes each write pause that many seconds before its
effect, and "after:0.2" between the commit of its effect and the answer.
"""

import asyncio
import re
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import anyio
import mcp_types as types
import uvicorn
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server

from proctor.deployments.support.shop._errors import InvalidKey, InvalidTenant, ShopError
from proctor.deployments.support.shop._shop import Shop
from proctor.deployments.support.shop._tools import TOOLS, Tool

TENANT_META = "proctor/tenant"
KEY_META = "proctor/idempotency-key"
EFFECT_META = "proctor/effect"
ERROR_META = "proctor/error"

_THREADS = 16
"""Calls that work on databases at a time; not more than a tenant has connections."""

_PAUSE = re.compile(r"(before|after):(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """For fault tests: how long a write pauses on each side of its effect, in seconds."""

    before: float = 0.0
    after: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Pause":
        """The pause that PROCTOR_STORE_PAUSE asks for.

        Raises:
            ValueError: It is neither empty nor like 'before:0.2' or 'after:0.2'.
        """
        if not text:
            return cls()
        match = _PAUSE.fullmatch(text)
        if match is None:
            raise ValueError(f"PROCTOR_STORE_PAUSE is '{text}'. Use 'before:SECONDS' or 'after:SECONDS'.")
        seconds = float(match[2])
        return cls(before=seconds) if match[1] == "before" else cls(after=seconds)


def make_server(shop: Shop, *, pause: Pause | None = None) -> Server[Any]:
    """An MCP server that offers the shop's tools."""
    pause = pause or Pause()
    listing = types.ListToolsResult(tools=[_announced(tool, shop) for tool in TOOLS.values()])
    threads = anyio.CapacityLimiter(_THREADS)
    # Writers of one tenant queue here, in order, and don't hold threads while they wait for the database.
    queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def list_tools(
        _: ServerRequestContext[Any], __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return listing

    async def call_tool(
        _: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        try:
            tenant, key = _addressed(params)
            call = partial(shop.call, params.name, params.arguments or {}, tenant=tenant, idempotency_key=key)
            tool = TOOLS.get(params.name)
            if tool is None or tool.effect == "reads":
                return _answer(await anyio.to_thread.run_sync(call, limiter=threads))
            await anyio.sleep(pause.before)
            async with queues.setdefault(tenant, asyncio.Lock()):
                text = await anyio.to_thread.run_sync(call, limiter=threads)
            await anyio.sleep(pause.after)
            return _answer(text)
        except ShopError as error:
            return types.CallToolResult(
                content=[types.TextContent(text=str(error))], is_error=True, _meta={ERROR_META: error.code}
            )

    return Server(
        "proctor-store",
        title="A retail shop",
        instructions="Customers, orders and products of a shop. Identify the customer before anything else.",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _announced(tool: Tool, shop: Shop) -> types.Tool:
    writes = tool.effect == "writes"
    once = shop.keys == "honoured"
    effect = "read_only" if not writes else "idempotent" if once else "consequential"
    return types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=tool.schema(),
        annotations=types.ToolAnnotations(
            read_only_hint=not writes,
            destructive_hint=writes,
            idempotent_hint=not writes or once,
            open_world_hint=False,
        ),
        _meta={EFFECT_META: effect},
    )


def _addressed(params: types.CallToolRequestParams) -> tuple[str, str | None]:
    """The tenant that the request names, and its idempotency key."""
    meta = params.meta or {}
    tenant, key = meta.get(TENANT_META, "default"), meta.get(KEY_META)
    if not isinstance(tenant, str):
        raise InvalidTenant(tenant)
    if not isinstance(key, str | None):
        raise InvalidKey
    return tenant, key


def _answer(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)])


async def serve_stdio(server: Server[Any]) -> None:
    """Serve the one client at the other end of stdin and stdout until it closes them."""
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


async def serve_http(server: Server[Any], host: str, port: int) -> None:
    """Serve streamable HTTP at /mcp until the process is asked to end; port 0 takes a free one."""
    app = server.streamable_http_app(json_response=True, stateless_http=True, host=host)
    config = uvicorn.Config(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=5)
    listener = config.bind_socket()
    # Before it is announced: who reads the line may connect at once.
    listener.listen(config.backlog)
    print(f"listening on http://{host}:{listener.getsockname()[1]}/mcp", file=sys.stderr, flush=True)  # noqa: T201
    await uvicorn.Server(config).serve(sockets=[listener])
