"""The one port of a process: how a site is served on it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from proctor.core import ConfigurationError

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


class _Stoppable:
    """A site whose requests may be given up when the process stops: the log needs no error of each."""

    def __init__(self, site: ASGIApp) -> None:
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        with suppress(asyncio.CancelledError):
            await self._site(scope, receive, send)


@asynccontextmanager
async def web(site: ASGIApp, *, host: str, port: int) -> AsyncIterator[str]:
    """The address of a site while it is served, by this machine's name where that is all of its addresses.

    Port 0 takes a free one.

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
        _Stoppable(site),
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
            if host in ("0.0.0.0", "::"):  # noqa: S104 - nobody can call it so
                shown = socket.gethostname()
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
