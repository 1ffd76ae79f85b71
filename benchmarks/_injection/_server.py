"""The suite's tools as an MCP server over stdio: `python -m benchmarks._injection._server SOCKET`.

It only passes on: the tools act in the benchmark's own process, or in one of its children.
"""

import asyncio
import json
import sys
from typing import Any

import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server

from benchmarks._injection._stage import LINE

TENANT = "proctor/tenant"
"""In a request's `_meta`: whose state the call is about."""


async def main(socket: str) -> None:
    """Serves until the standard input ends."""
    told, telling = await asyncio.open_unix_connection(socket, limit=LINE)
    listing = types.ListToolsResult(tools=[_announced(one) for one in json.loads(await told.readline())])
    turn = asyncio.Lock()

    async def list_tools(
        _: ServerRequestContext[Any], __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return listing

    async def call_tool(
        _: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        key = (params.meta or {}).get(TENANT, "")
        call = {"key": key, "tool": params.name, "arguments": params.arguments or {}}
        async with turn:
            telling.write(json.dumps(call).encode() + b"\n")
            answer = json.loads(await told.readline())
        return types.CallToolResult(
            content=[types.TextContent(text=answer["text"])], is_error=answer["is_error"]
        )

    server: Server[Any] = Server("suite", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


def _announced(tool: dict[str, Any]) -> types.Tool:
    return types.Tool(
        name=tool["name"],
        description=tool["description"],
        input_schema=tool["parameters"],
        annotations=types.ToolAnnotations(read_only_hint=tool["effect"] == "read_only"),
        _meta={"proctor/effect": tool["effect"]},
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
