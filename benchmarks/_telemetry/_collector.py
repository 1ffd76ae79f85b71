"""A collector that decodes and counts what it is sent. It prints its address, then answers each line."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Counts:
    """What has come."""

    spans = requests = bytes = 0
    metrics: frozenset[str] = frozenset()


class Handler(BaseHTTPRequestHandler):
    """Takes one request after another on a connection."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Counts what a request holds."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Counts.requests += 1
        Counts.bytes += len(body)
        if self.path == "/v1/traces":
            sent = ExportTraceServiceRequest.FromString(body)
            Counts.spans += sum(len(part.spans) for of in sent.resource_spans for part in of.scope_spans)
        else:
            told = ExportMetricsServiceRequest.FromString(body)
            parts = [part for of in told.resource_metrics for part in of.scope_metrics]
            Counts.metrics |= {metric.name for part in parts for metric in part.metrics}
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_parts: object) -> None:
        """Says nothing."""


def main() -> None:
    """Listens until the standard input ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_address[1]}"}), flush=True)
    while sys.stdin.readline():
        counts = {"spans": Counts.spans, "requests": Counts.requests, "bytes": Counts.bytes}
        print(json.dumps({**counts, "metrics": sorted(Counts.metrics)}), flush=True)
    server.shutdown()


if __name__ == "__main__":
    main()
