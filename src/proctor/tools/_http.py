"""A tool server behind a URL, over streamable HTTP. A request that fails fails alone."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
from mcp.client.auth import OAuthFlowError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED

from proctor.core import ToolServerSettings
from proctor.tools._environment import headers_of
from proctor.tools._oauth import oauth_of
from proctor.tools._stdio import MESSAGE_LIMIT

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams

_CONNECT_SECONDS = 30.0
_GOODBYE_SECONDS = 3.0
_BAD_REQUEST = 400
_NOT_FOUND = 404


class HttpLink:
    """The way to a server behind a URL."""

    def __init__(self, name: str, url: str, settings: ToolServerSettings, environ: Mapping[str, str]) -> None:
        self._url = url
        self._headers = headers_of(name, settings, environ)
        self._auth = None if settings.oauth is None else oauth_of(name, url, settings.oauth, environ)

    @property
    def title(self) -> str:
        """The address without what may be secret in it."""
        try:
            return str(httpx2.URL(self._url).copy_with(userinfo=b"", query=None, fragment=None))
        except httpx2.InvalidURL:
            return "its URL, which can't be read"

    @property
    def hint(self) -> str:
        """What to try when the server fails."""
        what = f"See that the server runs, that {self.title} is its MCP endpoint"
        return f"{what} and that `headers` or `oauth` let us in."

    @asynccontextmanager
    async def connect(self, _over: Callable[[], None], /) -> AsyncGenerator["TransportStreams"]:
        """The streams to and from the server. HTTP has no connection that could end and be told of."""
        # An answer may take as long as the call may; the call has its own time-out, so reading has none.
        timeout = httpx2.Timeout(_CONNECT_SECONDS, read=None)
        async with (
            _Client(headers=self._headers, auth=self._auth, timeout=timeout) as client,
            streamable_http_client(
                self._url, http_client=client, max_sse_event_size=MESSAGE_LIMIT
            ) as streams,
        ):
            yield streams

    def account(self) -> str:
        """What is known about the end of the connection: nothing beyond the error itself."""
        return ""


class _Client(httpx2.AsyncClient):
    """Turns what goes wrong below MCP into JSON-RPC errors.

    In the SDK's transport a connection that breaks ends the whole session and every call in it, and an
    HTTP error loses its status.
    """

    async def send(self, request: httpx2.Request, **how: Any) -> httpx2.Response:
        """The response, or one that holds a JSON-RPC error in its place."""
        if request.method == "DELETE":
            goodbye = httpx2.Timeout(_GOODBYE_SECONDS).as_dict()
            request.extensions = {**request.extensions, "timeout": goodbye}
        try:
            response = await super().send(request, **how)
        except httpx2.TransportError as error:
            return _failure(request, f"{type(error).__name__}: {error}".removesuffix(": "))
        except OAuthFlowError as error:
            return _failure(request, f"it doesn't let us sign in: {error}")
        json = response.headers.get("content-type", "").lower().startswith("application/json")
        # 404 is how a server says that it has forgotten the session, and the SDK reads it so.
        if response.status_code < _BAD_REQUEST or response.status_code == _NOT_FOUND or json:
            return response
        await response.aclose()
        return _failure(request, f"it answered with HTTP {response.status_code} {response.reason_phrase}")


def _failure(request: httpx2.Request, message: str) -> httpx2.Response:
    error = {"code": CONNECTION_CLOSED, "message": message}
    return httpx2.Response(502, request=request, json={"jsonrpc": "2.0", "id": None, "error": error})
