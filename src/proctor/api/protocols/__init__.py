"""Façades for programs that speak another protocol: OpenAI's API under `/v1`, and MCP under `/mcp`."""

from proctor.api.protocols._mcp import local_mcp
from proctor.api.protocols._site import open_protocols

__all__ = ["local_mcp", "open_protocols"]
