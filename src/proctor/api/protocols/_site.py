"""The façades as parts of the site."""

from fastapi import FastAPI

from proctor.api._caller import Door
from proctor.api.protocols import _chat, _models, _responses
from proctor.api.protocols._mcp import open_mcp
from proctor.app import Proctor


def open_protocols(site: FastAPI, proctor: Proctor, *, door: Door) -> None:
    """Has a site answer clients of OpenAI's API under `/v1`, and MCP clients under `/mcp`."""
    for router in (_models.router, _chat.router, _responses.router):
        site.include_router(router, prefix="/v1")
    open_mcp(site, proctor, door)
