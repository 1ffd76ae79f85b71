"""`[telemetry]`: traces, metrics and logs, and what they may hold."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, SecretStr

from proctor.core._section import Duration, Section

LogForm = Literal["json", "text"]
LogLevel = Literal["debug", "info", "warning", "error"]


class TelemetrySettings(Section):
    """What is told of runs, to whom. Nothing is sent where nothing is said."""

    endpoint: str | None = Field(default=None, pattern=r"^https?://[^\s?#]+$")
    """The collector that spans and metrics are sent to by OTLP over HTTP, such as `http://127.0.0.1:4318`.
    Absent: none are made."""
    headers: dict[str, SecretStr] = Field(default={})
    """What goes to the collector with each request."""
    headers_env: dict[str, str] = Field(default={})
    """Headers whose values are in the named environment variables."""
    service: Annotated[str, Field(min_length=1, max_length=128)] = "proctor"
    """`service.name` of all that is sent."""
    share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Of the runs that are traced. Those that belong to a caller's trace are where the caller traces it."""
    content: Literal["off", "redacted"] = "off"
    """Whether spans hold what was asked and answered, without what is taken for personal or secret."""
    propagate: bool = False
    """Whether models and tools are told the trace: by the header `traceparent`, and in MCP's `_meta`."""
    queue: PositiveInt = 8192
    """Spans that wait for the collector; further ones are dropped."""
    metrics_every: Duration = timedelta(seconds=60)
    """Between two dispatches of OpenTelemetry's metrics to the collector."""
    metrics: bool = True
    """Whether each call is measured for Prometheus. Runs, decisions and verdicts are counted in any case."""
    label_sets: PositiveInt = 500
    """Combinations of labels that one of Prometheus' metrics tells apart; agents and tools beyond these are
    `other`."""
    logs: LogForm = "text"
    """How `proctor serve`, `worker` and `run` log."""
    level: LogLevel = "info"
    """The least that they log."""
