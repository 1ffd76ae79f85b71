"""Other protocols in front of teams: OpenAI's two, and MCP."""

__all__: list[str] = []
