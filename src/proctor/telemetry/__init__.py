"""Metrics of runs, model calls and tool calls for Prometheus. Knows no database and no framework."""

from proctor.telemetry._metrics import Metrics
from proctor.telemetry._trace import trace_model, trace_tool

__all__ = ["Metrics", "trace_model", "trace_tool"]
