"""The tools of the benchmark: an MCP server over HTTP, which all workers share. It prints its address."""

import asyncio
import json
import socket
import sys

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

server = MCPServer("orders", log_level="ERROR")
READ_ONLY = ToolAnnotations(read_only_hint=True)


@server.tool(annotations=READ_ONLY)
async def look_up(order: str, step: int) -> str:
    """Where an order is."""
    await asyncio.sleep(0.02)
    return f"Order {order} has left the store (look {step})."


@server.tool(annotations=READ_ONLY)
async def stock(order: str, step: int) -> str:
    """Whether an order can be filled."""
    await asyncio.sleep(0.01)
    return f"All of order {order} is in stock (look {step})."


def main() -> None:
    """Serves until the standard input ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    serving = uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="error"))

    async def until_told() -> None:
        work = asyncio.create_task(serving.serve(sockets=[listener]))
        print(json.dumps({"url": f"http://127.0.0.1:{port}/mcp"}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        serving.should_exit = True
        await work

    asyncio.run(until_told())


if __name__ == "__main__":
    main()
