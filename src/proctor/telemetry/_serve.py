"""The metrics over HTTP, for Prometheus to read."""

import asyncio
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server

from proctor.core import ConfigurationError


class MetricsServer:
    """A running server of metrics, in a thread of its own."""

    def __init__(self, server: WSGIServer, thread: Thread) -> None:
        self._server = server
        self._thread = thread
        host, port = server.server_address[:2]
        self.url = f"http://{host!s}:{port}/metrics"

    async def close(self) -> None:
        """Stops answering and frees the port."""
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve_metrics(registry: CollectorRegistry, *, host: str = "127.0.0.1", port: int = 0) -> MetricsServer:
    """Serves the registry's metrics; port 0 takes a free one.

    Raises:
        ConfigurationError: the address can't be listened on.
    """
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise ConfigurationError(
            f"metrics can't be served at {host}:{port}: {error.strerror or error}",
            hint="Choose another port.",
        ) from error
    return MetricsServer(server, thread)
