"""The MCP server over stdio that the soak's teams use: one tool that only reads."""

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

server = MCPServer("shop", log_level="ERROR")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def order_status(order: str) -> str:
    """Where an order is."""
    return f"Order {order} left the warehouse at 08:14 and is due tomorrow."


if __name__ == "__main__":
    server.run()
