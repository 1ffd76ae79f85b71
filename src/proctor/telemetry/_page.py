"""`/metrics`, as an ASGI application: what a scrape reads, without holding up the event loop."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import suppress
from typing import Any, TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from proctor.core import DatabaseUnavailable, in_own_thread, monotonic_ms
from proctor.telemetry._metrics import Metrics
from proctor.telemetry._shared import SharedState

FRESH = 5.0
"""Seconds for which the shared state is good, however often it is asked for."""

RESTS = 20
"""So many times longer than it took, the database rests from being asked: at most a twentieth of a reader."""

PATIENCE = 2.0
"""Seconds that a scrape waits for the database: Prometheus gives up after 10."""

_Message: TypeAlias = MutableMapping[str, Any]


class MetricsPage:
    """Answers each request with the metrics of this process and of what all processes share.

    `look` reads the shared state. Where it takes too long, the page says that it isn't known.
    """

    def __init__(
        self,
        metrics: Metrics,
        look: Callable[[], Awaitable[SharedState]],
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._metrics = metrics
        self._look = look
        self._patience = patience
        self._looking: asyncio.Task[None] | None = None
        self._due = 0.0

    async def __call__(
        self,
        scope: _Message,
        _receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        """Answers one request."""
        accepts = b",".join(value for name, value in scope["headers"] if name == b"accept")
        body, kind = await self.read(accepts.decode("latin-1"))
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def read(self, accepts: str = "") -> tuple[bytes, str]:
        """The page and its media type: OpenMetrics where that is accepted, else Prometheus's own."""
        await self._refresh()
        encode, kind = choose_encoder(accepts)
        told = _Told(self._metrics.registry)
        return await in_own_thread(lambda: encode(told), name="proctor-metrics"), kind

    async def close(self) -> None:
        """Asks the database no more."""
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking

    async def _refresh(self) -> None:
        """Returns when the shared state is fresh, or known to be out of reach."""
        if self._looking is None or (self._looking.done() and monotonic_ms() >= self._due):
            self._looking = asyncio.create_task(self._renew())
        done, _ = await asyncio.wait({self._looking}, timeout=self._patience)
        if not done:
            # The next scrape finds the same look under way: a database that is away has one reader at most.
            self._metrics.shared.state = None
        for look in done:
            look.result()

    async def _renew(self) -> None:
        began = monotonic_ms()
        try:
            self._metrics.shared.state = await self._look()
        except DatabaseUnavailable:
            self._metrics.shared.state = None
        now = monotonic_ms()
        self._due = now + max(FRESH * 1000, RESTS * (now - began))


class _Told(Collector):
    """A registry without the times at which its series began: Prometheus 2 keeps each as one series more."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """The metrics, each without these samples."""
        for metric in self._registry.collect():
            metric.samples = list(_without_created(metric))
            yield metric


def _without_created(metric: Metric) -> Iterable[Any]:
    return (sample for sample in metric.samples if not sample.name.endswith("_created"))
