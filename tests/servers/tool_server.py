"""A well-behaved MCP server for the tests: `python tool_server.py` for stdio, `… http PORT` for HTTP."""

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.utilities.types import Image
from mcp_types import ToolAnnotations
from pydantic import BaseModel

server = MCPServer("shop", log_level="ERROR")
cancelled: list[str] = []


class Line(BaseModel):
    sku: str
    quantity: int = 1


class Order(BaseModel):
    lines: list[Line]


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def echo(text: str) -> str:
    """Gives the text back."""
    return text


@server.tool(meta={"proctor/effect": "idempotent"})
async def slow(seconds: float, name: str = "", mark: str = "") -> str:
    """Answers late, and leaves a mark when it has begun."""
    if mark:
        Path(mark).touch()  # noqa: ASYNC240 - a moment, in a test server
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        cancelled.append(name)
        raise
    return name


@server.tool()
def cancellations() -> list[str]:
    """The names of the slow calls that were cancelled."""
    return sorted(cancelled)


@server.tool(annotations=ToolAnnotations(idempotent_hint=True))
def place(order: Order) -> dict[str, int]:
    """Places an order."""
    return {"lines": len(order.lines)}


@server.tool()
def die(code: int) -> str:
    """Ends the process at once."""
    sys.stderr.write("about to go\n")
    sys.stderr.flush()
    os._exit(code)


@server.tool(structured_output=False)
def picture() -> list[str | Image]:
    """An image and a word."""
    return ["before", Image(data=b"\x89PNG" + b"0" * 12_341, format="png")]


@server.tool()
def long(size: int) -> str:
    """A long text."""
    return "x" * size


@server.tool()
def fail() -> str:
    """Raises."""
    raise ValueError("no stock")


@server.tool()
def about(context: Context) -> dict[str, Any]:
    """What the call came with, and the process's environment."""
    meta = context.request_context.meta or {}
    return {
        "meta": {
            name: meta[name] for name in meta if name.startswith(("proctor/", "traceparent", "baggage"))
        },
        "env": dict(os.environ),
    }


@server.tool()
def where() -> dict[str, Any]:
    """The folder that the process runs in, and what is there."""
    return {"folder": str(Path.cwd()), "files": sorted(path.name for path in Path.cwd().iterdir())}


@server.tool()
def pid() -> int:
    """The process's id."""
    return os.getpid()


@server.tool()
async def grow(context: Context) -> str:
    """Adds a tool and says so."""
    server.add_tool(lambda: "new", name="grown", description="New.")
    await context.notify_tools_changed()
    return "grown"


if __name__ == "__main__":
    if sys.argv[1:2] == ["http"]:
        with socket.create_server(("127.0.0.1", int(sys.argv[2]))) as place:
            print(place.getsockname()[1], flush=True)  # noqa: T201 - whoever starts it waits for that
            config = uvicorn.Config(server.streamable_http_app(), log_level="error")
            uvicorn.Server(config).run(sockets=[place])
    else:
        server.run()
