"""A real MCP server on stdio whose tools are what a file says: `python changing_tool_server.py FILE`.

The file holds a JSON object: tools' names with their descriptions. A call of `change` gives one another
description while the server runs.
"""

import json
import sys
from pathlib import Path

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import ToolAnnotations

server = MCPServer("shop", log_level="ERROR")
READS = ToolAnnotations(read_only_hint=True)


def answer(text: str = "") -> str:
    return f"answer to {text}"


def offer(name: str, description: str) -> None:
    server.add_tool(answer, name=name, description=description, annotations=READS)


@server.tool(annotations=READS)
async def change(context: Context, name: str, description: str) -> str:
    """Changes a tool."""
    server.remove_tool(name)
    offer(name, description)
    await context.notify_tools_changed()
    return "changed"


if __name__ == "__main__":
    for name, description in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")).items():
        offer(name, description)
    server.run()
