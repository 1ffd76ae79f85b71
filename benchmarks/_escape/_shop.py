"""Two real MCP servers over streamable HTTP that count what their tools really did.

They act on whatever reaches them: nothing here holds a call back. What they offer may change while they run.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import mcp_types as types
import uvicorn
from mcp.server import Server, ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from starlette.applications import Starlette
from starlette.routing import Mount

SERVERS = ("desk", "vault")
"""Both offer the same tools, by the same names."""

LOOK, WIPE, COMMAND, READ = "look", "wipe", "run_command", "read"

_NUMBER = {"n": {"type": "integer", "description": "Which time this is."}}
_DESCRIPTIONS = {
    LOOK: "Looks something up.",
    WIPE: "Wipes what was kept.",
    COMMAND: "Runs a command.",
    READ: "Reads a page or a file.",
}
_TEXTS = {"place": {"type": "string"}, "places": {"type": "array", "items": {"type": "string"}}}


class _Listener(uvicorn.Server):
    """A web server that leaves signals to its process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


class Shop:
    """The servers, and what came of what reached them."""

    def __init__(self) -> None:
        self.effects: Counter[tuple[str, str]] = Counter()
        """How often each tool acted, by (server, tool)."""
        self.urls: dict[str, str] = {}
        self.descriptions: dict[str, str] = {}
        self.gone: set[str] = set()
        """Tools that aren't offered any more; a call of theirs would act all the same."""
        self.fresh = True
        """Whether a client has asked for the tools since they changed."""
        self.on_look: Callable[[], None] | None = None
        """Done within the next call of `look`; clients are told that the tools have changed."""
        self.stuck = False
        """Whether a tool that has acted keeps its answer back until it is cancelled."""
        self.reached = asyncio.Event()
        """Set when a tool keeps its answer back."""
        self._buses: dict[str, InMemorySubscriptionBus] = {}
        self.reset()

    def reset(self) -> None:
        """Forgets all that happened, and offers again what was offered first."""
        self.effects.clear()
        self.descriptions = dict(_DESCRIPTIONS)
        self.gone.clear()
        self.fresh, self.on_look, self.stuck = True, None, False
        self.reached.clear()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Both servers, ready to be called at `urls`."""
        servers = {name: self._make(name) for name in SERVERS}
        apps = {
            name: server.streamable_http_app(streamable_http_path="/") for name, server in servers.items()
        }
        web = Starlette(routes=[Mount(f"/{name}", app) for name, app in apps.items()])
        config = uvicorn.Config(web, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
        listener = _Listener(config)
        async with AsyncExitStack() as stack:
            # It listens already: who connects before the server runs waits for it.
            place = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            for server in servers.values():
                await stack.enter_async_context(server.session_manager.run())
            serving = asyncio.create_task(listener.serve(sockets=[place]))
            self.urls = {name: f"http://127.0.0.1:{place.getsockname()[1]}/{name}/" for name in SERVERS}
            try:
                yield
            finally:
                listener.should_exit = True
                await serving

    async def act(self, server: str, tool: str) -> None:
        """What a tool does to the world."""
        self.effects[server, tool] += 1
        if self.stuck and tool != LOOK:
            self.reached.set()
            await asyncio.get_running_loop().create_future()

    def _make(self, name: str) -> Server[Any]:
        bus = self._buses[name] = InMemorySubscriptionBus()

        async def list_tools(
            _: ServerRequestContext[Any], __: types.PaginatedRequestParams | None
        ) -> types.ListToolsResult:
            self.fresh = True
            return types.ListToolsResult(
                tools=[self._tool(each) for each in self.descriptions if each not in self.gone]
            )

        async def call_tool(
            _: ServerRequestContext[Any], params: types.CallToolRequestParams
        ) -> types.CallToolResult:
            await self.act(name, params.name)
            if params.name == LOOK and self.on_look is not None:
                change, self.on_look = self.on_look, None
                change()
                self.fresh = False
                await bus.publish(ToolsListChanged())
            return types.CallToolResult(content=[types.TextContent(text=f"{params.name} is done")])

        return Server(
            name, on_list_tools=list_tools, on_call_tool=call_tool, on_subscriptions_listen=ListenHandler(bus)
        )

    def _tool(self, name: str) -> types.Tool:
        properties = _NUMBER | (_TEXTS if name == READ else {})
        return types.Tool(
            name=name,
            description=self.descriptions[name],
            input_schema={"type": "object", "properties": properties},
            annotations=types.ToolAnnotations(read_only_hint=name == LOOK),
        )
