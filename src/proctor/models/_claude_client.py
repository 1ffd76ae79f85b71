"""One endpoint's connection for Claude's messages: plain JSON out, plain JSON in.

Importing this module imports Anthropic's SDK: only the first call does it.
"""

import asyncio
import json
from collections.abc import Callable

from anthropic import AsyncAnthropic, AsyncStream, DefaultAsyncHttpxClient, Timeout

from proctor.core import JsonValue
from proctor.models._deployments import Endpoint
from proctor.models._failures import Failures
from proctor.models._requests import Request

_CONNECT_SECONDS = 10.0
_CLAUDE = "https://api.anthropic.com/"
_PATH = "/v1/messages"
_VERSION = "2026-10-21"
"""Of the interface that we speak."""


class ClaudeClient:
    """Sends messages to one endpoint over shared connections, each request once."""

    def __init__(self, endpoint: Endpoint, seconds: float) -> None:
        self._failures = Failures(endpoint)
        self._http = claude_http(endpoint, seconds)

    async def answer(self, request: Request) -> object:
        """The JSON of a whole message.

        Raises:
            ModelError: there is none.
        """
        with self._failures.typed(request.seconds):
            content = _content(request.body)
            async with asyncio.timeout(request.seconds):
                response = await self._http.post(_PATH, content=content, headers=request.headers)
            if not response.is_success:
                raise self._failures.refusal(response.status_code, response.headers, response.text)
            return response.json()

    async def stream(self, request: Request, take: Callable[[object], None]) -> None:
        """Hands on the JSON of each event as it comes.

        Raises:
            ModelError: the stream doesn't start, breaks off, or can't be read.
        """
        with self._failures.typed(request.seconds):
            content = _content({**request.body, "stream": True})
            async with (
                asyncio.timeout(request.seconds),
                self._http.stream("POST", _PATH, content=content, headers=request.headers) as response,
            ):
                if not response.is_success:
                    body = (await response.aread()).decode(errors="replace")
                    raise self._failures.refusal(response.status_code, response.headers, body)
                async for event in AsyncStream.raw_events(response):
                    if event.event == "error":
                        raise self._failures.while_answering(event.data)
                    if event.event != "ping" and event.data:
                        take(event.json())

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()


def claude_http(endpoint: Endpoint, seconds: float) -> DefaultAsyncHttpxClient:
    """Connections to an endpoint, with the headers that all requests carry."""
    # A redirect would take the request to an address that the configuration doesn't name.
    http = DefaultAsyncHttpxClient(
        base_url=endpoint.base_url,
        timeout=Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS)),
        follow_redirects=False,
    )
    # Without a key here the SDK would take what it finds in the environment and in files.
    sdk = AsyncAnthropic(api_key=endpoint.api_key or "none", base_url=endpoint.base_url, http_client=http)
    # Of the SDK's headers only these: the environment may add any others to them.
    http.headers.update(
        {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": sdk.user_agent,
            "anthropic-version": _VERSION,
        }
    )
    if endpoint.api_key:
        http.headers.update(sdk.auth_headers)
        if not f"{endpoint.base_url}/".startswith(_CLAUDE):
            http.headers["x-api-key"] = endpoint.api_key  # many gateways know only the older header
    return http


def _content(body: JsonValue) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
