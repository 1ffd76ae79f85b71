"""The one port of a process: how a site is served on it, and the small site of a worker."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from proctor.core import ConfigurationError, is_loopback
from proctor.notices import DecisionPage
from proctor.telemetry import MetricsPage

GRACE = 2
"""Seconds that requests in progress have when the process stops."""


class _Server(uvicorn.Server):
    """A server that leaves signals to the process, and tells when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to answer."""
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


def metrics_site(metrics: MetricsPage, page: DecisionPage | None) -> ASGIApp:
    """/metrics, and /decide where links are configured: for whoever is on this machine."""
    site = Starlette(routes=[Route("/metrics", metrics), *([page.route] if page else [])])
    # Its redirect would go to wherever the request's Host says.
    site.router.redirect_slashes = False
    return site


@asynccontextmanager
async def web(site: ASGIApp, *, host: str, port: int) -> AsyncIterator[str]:
    """The address of a site while it is served; port 0 takes a free one.

    Raises:
        ConfigurationError: the address can't be listened on, or the site can't start.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigurationError(
            f"{host}:{port} can't be listened on: {error.strerror or error}", hint="Choose another port."
        ) from error
    # The connections have it from here. Else an answer's second packet waits 40 ms for the first's receipt.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # No access log: who reads a link's address can use it. Whom to believe as a proxy, the site says itself.
    config = uvicorn.Config(
        site,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )
    server = _Server(config)
    with listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await _answers(server, serving)
            shown = f"[{host}]" if family == socket.AF_INET6 else host
            yield f"http://{shown}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


async def _answers(server: _Server, serving: "asyncio.Task[None]") -> None:
    ready = asyncio.create_task(server.ready.wait())
    try:
        await asyncio.wait({ready, serving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ready.cancel()
    if serving.done():
        raise ConfigurationError("the server can't start", hint="The log tells why.")


def loopback(host: str) -> str:
    """The host, where nobody beyond this machine reaches it.

    Raises:
        ConfigurationError: others could reach it.
    """
    if not is_loopback(host):
        raise ConfigurationError(
            f"{host} is no loopback address, and nobody would be asked who they are",
            hint="Use 127.0.0.1, and a proxy or tunnel that authenticates for access from elsewhere.",
        )
    return host
