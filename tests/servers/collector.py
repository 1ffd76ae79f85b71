"""An OpenTelemetry collector, as far as OTLP over HTTP goes: it keeps the spans and metrics it is sent."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, kw_only=True)
class Span:
    """A span as it came."""

    name: str
    trace: str
    id: str
    parent: str
    kind: int
    start: int
    end: int
    about: dict[str, Any]
    events: tuple[tuple[str, dict[str, Any]], ...]
    links: tuple[str, ...]
    """The spans that it is linked to, by their ids."""
    failed: bool
    resource: dict[str, Any]


@dataclass
class Collected:
    """What a collector was sent."""

    port: int = 0
    spans: list[Span] = field(default_factory=list)
    metrics: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By name: the points that came last."""
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """The next answers; 200 after the last."""
    hold: threading.Event = field(default_factory=threading.Event)
    """While it isn't set no request is answered."""
    came: threading.Event = field(default_factory=threading.Event)
    """A request has come."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def named(self, name: str) -> list[Span]:
        """The spans whose name begins so, in the order of their start."""
        return sorted((each for each in self.spans if each.name.startswith(name)), key=lambda one: one.start)

    def take(self, path: str, body: bytes) -> None:
        self.bodies.append(body)
        if path == "/v1/traces":
            for of in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = _read(of.resource.attributes)
                self.spans += [_span(one, resource) for part in of.scope_spans for one in part.spans]
        elif path == "/v1/metrics":
            for of in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for metric in (one for part in of.scope_metrics for one in part.metrics):
                    self.metrics[metric.name] = [
                        {**_read(point.attributes), "count": point.count, "sum": point.sum}
                        for point in metric.histogram.data_points
                    ]


def _span(sent: Any, resource: dict[str, Any]) -> Span:
    return Span(
        name=sent.name,
        trace=sent.trace_id.hex(),
        id=sent.span_id.hex(),
        parent=sent.parent_span_id.hex(),
        kind=sent.kind,
        start=sent.start_time_unix_nano,
        end=sent.end_time_unix_nano,
        about=_read(sent.attributes),
        events=tuple((each.name, _read(each.attributes)) for each in sent.events),
        links=tuple(each.span_id.hex() for each in sent.links),
        failed=sent.status.code == 2,
        resource=resource,
    )


def _read(attributes: Any) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind)


@contextmanager
def collector() -> Iterator[Collected]:
    """A collector that listens until the block is left."""
    collected = Collected()
    collected.hold.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collected.headers.append({name.lower(): value for name, value in self.headers.items()})
            collected.came.set()
            collected.hold.wait(60)
            status = collected.statuses.pop(0) if collected.statuses else 200
            if status == 200:
                collected.take(self.path, body)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_parts: object) -> None:
            """Says nothing."""

        def finish(self) -> None:
            with suppress(OSError):  # who asked has gone
                super().finish()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_parts: object) -> None:
            """Whoever asked has gone."""

    server = Server(("127.0.0.1", 0), Handler)
    collected.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collected
    finally:
        collected.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
