"""The way to the collector: OTLP over HTTP, in threads of the SDK's. What it doesn't take harms nobody.

The SDK's own exporter takes its collector, its certificates and its headers from the environment too, follows
redirects, and logs each failure.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import httpx2
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

log = logging.getLogger("proctor.telemetry")

BATCH = 512
"""Spans of one request."""
DELAY_MS = 2000
"""How long a span waits for others."""
_AGAIN = frozenset({408, 429, 502, 503, 504})
"""Answers after which a request is sent again."""
_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between attempts at one request."""
_FINE = range(200, 300)


class Collector:
    """Where spans and metrics are sent."""

    SECONDS: ClassVar[float] = 5.0
    """For one request."""

    def __init__(self, endpoint: str, headers: Mapping[str, str]) -> None:
        self._endpoint = endpoint.rstrip("/")
        # A redirect would take what is sent to an address that the configuration doesn't name.
        self._http = httpx2.Client(
            headers={**headers, "Content-Type": "application/x-protobuf", "User-Agent": "proctor"},
            timeout=self.SECONDS,
            follow_redirects=False,
        )
        self._ending = threading.Event()
        self._telling = threading.Lock()
        self._away = False
        self._lost = 0

    def send(self, path: str, body: bytes, spans: int = 0) -> bool:
        """Whether the collector took it, at once or after some patience. `spans` are lost where it didn't."""
        for pause in (*_PAUSES, None):
            why, again = self._post(path, body)
            if not why:
                self._works()
                return True
            self._fails(why)
            if not again or pause is None or self._ending.wait(pause):
                break
        self.lose(spans)
        return False

    def lose(self, spans: int, why: str = "it takes spans more slowly than they come") -> None:
        """Takes note of spans that nobody gets."""
        with self._telling:
            self._lost += spans
        if not self._away:
            self._fails(why)

    def hurry(self) -> None:
        """Lets nothing be sent more than once any more."""
        self._ending.set()

    def close(self) -> None:
        """Closes the connections."""
        if self._lost:
            log.warning("%d spans were not taken by the collector", self._lost)
        self._http.close()

    def _post(self, path: str, body: bytes) -> tuple[str, bool]:
        """Why the collector doesn't take it, and whether it may do so later; nothing where it does."""
        try:
            answer = self._http.post(f"{self._endpoint}{path}", content=body)
        except httpx2.HTTPError as error:
            return type(error).__name__, True
        if answer.status_code in _FINE:
            return "", False
        return f"HTTP {answer.status_code}", answer.status_code in _AGAIN

    def _fails(self, why: str) -> None:
        with self._telling:
            first, self._away = not self._away, True
        if first:
            log.warning("the collector doesn't take what is sent (%s); runs go on", why)

    def _works(self) -> None:
        with self._telling:
            back, self._away = self._away, False
            lost, self._lost = (self._lost, 0) if back else (0, self._lost)
        if back:
            log.warning("the collector takes what is sent again; %d spans are lost", lost)


class SpanQueue(BatchSpanProcessor):
    """Spans on their way to the collector, never more than there is room for."""

    def __init__(self, collector: Collector, *, most: int) -> None:
        self._collector = collector
        self._sender = _SpanSender(collector)
        self._put = 0
        self._most = max(most, BATCH)
        super().__init__(
            self._sender,
            max_queue_size=self._most,
            schedule_delay_millis=DELAY_MS,
            max_export_batch_size=BATCH,
            export_timeout_millis=Collector.SECONDS * 1000,
        )

    def on_end(self, span: ReadableSpan) -> None:
        """Takes a span that has ended; beyond what there is room for it is lost."""
        if self._put - self._sender.taken >= self._most:
            self._collector.lose(1)
            return
        self._put += 1
        super().on_end(span)


class _SpanSender(SpanExporter):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self.taken = 0
        """Spans that wait no longer."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.taken += len(spans)
        try:
            body = encode_spans(spans).SerializePartialToString()
        except ValueError:  # a text that is no Unicode, in a name that somebody else gave
            self._collector.lose(len(spans), "a span can't be written")
            return SpanExportResult.FAILURE
        taken = self._collector.send("/v1/traces", body, len(spans))
        return SpanExportResult.SUCCESS if taken else SpanExportResult.FAILURE


class MetricSender(MetricExporter):
    """Sends measurements. What isn't taken is in the next dispatch too: they are sums from the start."""

    def __init__(self, collector: Collector) -> None:
        super().__init__()
        self._collector = collector

    def export(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = 10_000,  # noqa: ARG002 - each request has its own
        **_kwargs: Any,
    ) -> MetricExportResult:
        """Sends all that was measured so far."""
        taken = self._collector.send("/v1/metrics", encode_metrics(metrics_data).SerializeToString())
        return MetricExportResult.SUCCESS if taken else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002 - nothing waits here
        """Nothing waits here."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_kwargs: Any) -> None:
        """Nothing to end: the connections are the collector's."""
