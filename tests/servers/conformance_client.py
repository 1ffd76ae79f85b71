"""Our adapter as the client of MCP's own conformance suite: `python conformance_client.py URL`.

The suite says in `MCP_CONFORMANCE_SCENARIO` what to do, and in `MCP_CONFORMANCE_CONTEXT` with which names.
"""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from proctor.core import (
    Decision,
    ModelResult,
    Question,
    SystemClock,
    Terms,
    ToolCall,
    ToolServerSettings,
)
from proctor.testing import FakeScope
from proctor.tools import Asks, ToolServer

ARGUMENTS: dict[str, dict[str, Any]] = {"add_numbers": {"a": 5, "b": 3}}


@dataclass
class Decided(FakeScope):
    """A run that goes on after a person has approved all that is asked."""

    def is_decided(self, kind: str, action: object = None) -> bool:
        return True

    async def decision(self, question: Question) -> Decision:
        return Decision(kind="approve")


async def no_model(*_: Any, **__: Any) -> ModelResult:
    raise NotImplementedError


def issuer_of(url: str) -> str:
    """What the operator would know: where the server's authorization server is."""
    parts = urlsplit(url)
    well_known = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource{parts.path}"
    return str(httpx2.get(well_known).json()["authorization_servers"][0])


def settings_for(url: str) -> ToolServerSettings:
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    if "client_secret" not in context:
        return ToolServerSettings(url=url)
    os.environ |= {"CONFORMANCE_ID": context["client_id"], "CONFORMANCE_SECRET": context["client_secret"]}
    oauth = {
        "issuer": issuer_of(url),
        "client_id_env": "CONFORMANCE_ID",
        "client_secret_env": "CONFORMANCE_SECRET",
    }
    return ToolServerSettings.model_validate({"url": url, "oauth": oauth})


async def main(url: str) -> None:
    server = ToolServer("conformance", settings_for(url), SystemClock())
    asks = Asks(terms=lambda _: Terms(), sample=no_model)
    try:
        for tool in await server.list_tools():
            call = ToolCall(scope=Decided(), tool=tool, arguments=ARGUMENTS.get(tool.name, {}))
            print(await server.call(call, asks))  # noqa: T201 - for whoever looks at the suite's output
    finally:
        await server.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[-1]))
