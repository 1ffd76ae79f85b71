"""The one port of a serving process: /metrics, and the page behind decision links."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from prometheus_client import CollectorRegistry, make_asgi_app
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from proctor.core import ConfigurationError
from proctor.notices import DecisionPage

GRACE = 2
"""Seconds that requests in progress have when the process stops."""


class _Server(uvicorn.Server):
    """A server that leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


class _Metrics:
    """The registry's metrics. An object, since a router takes a function for something else."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._app = make_asgi_app(registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        await self._app(scope, receive, send)


@asynccontextmanager
async def web(
    registry: CollectorRegistry, page: DecisionPage | None, *, host: str, port: int
) -> AsyncIterator[str]:
    """The address of the server while it answers; port 0 takes a free one.

    Raises:
        ConfigurationError: the address can't be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigurationError(
            f"{host}:{port} can't be listened on: {error.strerror or error}", hint="Choose another port."
        ) from error
    routes = [Route("/metrics", _Metrics(registry)), *([page.route] if page else [])]
    site = Starlette(routes=routes)
    # Its redirect would go to wherever the request's Host says.
    site.router.redirect_slashes = False
    # No access log: who reads a link's address can use it.
    config = uvicorn.Config(
        site,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    server = _Server(config)
    with listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            shown = f"[{host}]" if family == socket.AF_INET6 else host
            yield f"http://{shown}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


def loopback(host: str) -> str:
    """The host, where nobody beyond this machine reaches it.

    Raises:
        ConfigurationError: others could reach it.
    """
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigurationError(
            f"{host} is no loopback address, and there is no authentication yet",
            hint="Use 127.0.0.1, and a proxy or tunnel that authenticates for access from elsewhere.",
        )
    return host
