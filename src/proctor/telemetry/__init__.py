"""What is told of runs: metrics for Prometheus, spans for a collector, logs. Knows no database."""

from proctor.telemetry._buckets import CALL_BUCKETS, RUN_BUCKETS, WAIT_BUCKETS, bucket_of
from proctor.telemetry._calls import span_model, span_tool
from proctor.telemetry._here import here, outgoing, untold
from proctor.telemetry._logs import LIBRARIES, set_up_logs
from proctor.telemetry._measure import measure_model, measure_tool
from proctor.telemetry._metrics import Metrics
from proctor.telemetry._page import MetricsPage
from proctor.telemetry._shared import BudgetStanding, SharedState
from proctor.telemetry._spans import RunSpans, Spans, Subject, TurnSpan, note, open_spans
from proctor.telemetry._traceparent import incoming

__all__ = [
    "CALL_BUCKETS",
    "LIBRARIES",
    "RUN_BUCKETS",
    "WAIT_BUCKETS",
    "BudgetStanding",
    "Metrics",
    "MetricsPage",
    "RunSpans",
    "SharedState",
    "Spans",
    "Subject",
    "TurnSpan",
    "bucket_of",
    "here",
    "incoming",
    "measure_model",
    "measure_tool",
    "note",
    "open_spans",
    "outgoing",
    "set_up_logs",
    "span_model",
    "span_tool",
    "untold",
]
