"""An MCP server over stdio that dies, stalls or floods where its case says so: `… FOLDER CASE`."""

import asyncio
import os
import sys
from pathlib import Path

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import ToolAnnotations

from benchmarks._faults._cases import CASES, Case
from benchmarks._faults._traces import EFFECTS, Traces

KEY = "proctor/idempotency-key"
LINES = 2000
"""Log lines of a flood that can be borne."""
FLOOD = 17 * 1024 * 1024
"""Bytes of a message that can't."""


def make_server(case: Case, traces: Traces) -> MCPServer:
    """A server whose tools are at fault as the case says."""
    server: MCPServer = MCPServer("desk", log_level="CRITICAL")
    all_of_it = case.name if case.shared else ""

    async def fault(key: str, context: Context) -> str:
        struck = traces.strikes(key, most=case.strikes, of=all_of_it)
        return await _misbehave(case, context) if struck else "done"

    @server.tool(annotations=ToolAnnotations(read_only_hint=True), structured_output=False)
    async def look_up(key: str, context: Context) -> str:
        """Looks a case up."""
        return await fault(key, context)

    @server.tool(meta={"proctor/effect": "idempotent"}, structured_output=False)
    async def reserve(key: str, context: Context) -> str:
        """Reserves, once under its idempotency key."""
        once = (context.request_context.meta or {}).get(KEY)
        if once is None or all(effect.get("once") != once for effect in traces.read(EFFECTS)):
            traces.write(EFFECTS, key=key, by="expert", once=once)
        return await fault(key, context)

    @server.tool(structured_output=False)
    async def pay(key: str, context: Context) -> str:
        """Pays, each time anew."""
        traces.write(EFFECTS, key=key, by="expert")
        return await fault(key, context)

    return server


async def _misbehave(case: Case, context: Context) -> str:
    match case.fault:
        case "tools_dies":
            os._exit(3)
        case "tools_stalls":
            await asyncio.get_running_loop().create_future()
        case _ if case.mechanism != "absorb":
            return "x" * FLOOD
    for number in range(LINES):
        await context.info(f"line {number}")
    return "done"


if __name__ == "__main__":
    make_server(CASES[sys.argv[2]], Traces(Path(sys.argv[1]))).run()
