"""OpenTelemetry's SDK, held to what the configuration says: its own providers, none of them global.

Importing this module imports the SDK: only who sends anything does it. No variable of the environment can
name a collector, since what is sent goes through our own few lines of HTTP.
"""

import os
import socket
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from opentelemetry.context import Context
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Span, SpanContext, SpanKind

from proctor.core import ConfigurationError, MissingSetting, TelemetrySettings
from proctor.telemetry._collector import Collector, MetricSender, SpanQueue
from proctor.telemetry._spans import Attributes, nanoseconds

CALL_BOUNDS = tuple(0.01 * 2**power for power in range(14))
"""Seconds; as the conventions advise: up to 81.92."""
TURN_BOUNDS = (*CALL_BOUNDS, 163.84, 327.68, 655.36)
"""Seconds; a turn of an agent is many calls."""
RUN_BOUNDS = (1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400, 259200)
"""Seconds; those that the conventions advise for workflows, and beyond them: a run may wait for a person."""
TOKEN_BOUNDS = tuple(4**power for power in range(14))
"""As the conventions advise."""
MOST_EVENTS = 32
"""Events that one span holds."""
SCHEMA = "https://opentelemetry.io/schemas/1.41.0"
"""Of the conventions whose names we use."""


class Outlet:
    """What makes spans and measurements, and sends them to the collector."""

    def __init__(
        self, settings: TelemetrySettings, resource: Mapping[str, str], collector: Collector
    ) -> None:
        about = Resource(dict(resource), schema_url=SCHEMA)
        self._ids = _Ids()
        self._queue = SpanQueue(collector, most=settings.queue)
        self._tracers = TracerProvider(
            sampler=ALWAYS_ON,  # whether a run is traced is decided once, for all of its processes
            resource=about,
            id_generator=self._ids,
            span_limits=SpanLimits(max_events=MOST_EVENTS),
            shutdown_on_exit=False,
        )
        self._tracers.add_span_processor(self._queue)
        self._tracer = self._tracers.get_tracer("proctor", resource.get("service.version"), schema_url=SCHEMA)
        reader = PeriodicExportingMetricReader(
            MetricSender(collector),
            export_interval_millis=settings.metrics_every.total_seconds() * 1000,
            export_timeout_millis=Collector.SECONDS * 1000,
        )
        self._meters = MeterProvider(
            [reader],
            resource=about,
            exemplar_filter=AlwaysOffExemplarFilter(),
            shutdown_on_exit=False,
        )
        meter = self._meters.get_meter("proctor", resource.get("service.version"), schema_url=SCHEMA)

        def seconds(name: str, bounds: tuple[float, ...]) -> Callable[[float, Attributes, Context], None]:
            made = meter.create_histogram(name, unit="s", explicit_bucket_boundaries_advisory=bounds)
            return made.record

        self._durations = {
            "chat": seconds("gen_ai.client.operation.duration", CALL_BOUNDS),
            "execute_tool": seconds("gen_ai.execute_tool.duration", CALL_BOUNDS),
            "invoke_agent": seconds("gen_ai.invoke_agent.duration", TURN_BOUNDS),
            "invoke_workflow": seconds("gen_ai.invoke_workflow.duration", RUN_BOUNDS),
        }
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage", unit="{token}", explicit_bucket_boundaries_advisory=TOKEN_BOUNDS
        )
        self._nowhere = Context()
        self._collector = collector

    def start(
        self,
        name: str,
        *,
        above: Context,
        kind: SpanKind,
        at: datetime,
        attributes: Attributes,
        named: SpanContext | None = None,
    ) -> Span:
        """A span that has begun; `named` where its id is given."""
        self._ids.given = named
        try:
            return self._tracer.start_span(
                name, context=above, kind=kind, attributes=attributes, start_time=nanoseconds(at)
            )
        finally:
            self._ids.given = None

    def took(self, operation: str, seconds: float, attributes: Attributes) -> None:
        """Records how long a `chat`, an `execute_tool`, an `invoke_agent` or an `invoke_workflow` took."""
        self._durations[operation](seconds, attributes, self._nowhere)

    def used(self, kind: str, tokens: int, attributes: Attributes) -> None:
        """Records the tokens of a call: `input` or `output`."""
        self._tokens.record(tokens, {**attributes, "gen_ai.token.type": kind}, self._nowhere)

    def close(self) -> None:
        """Sends what is left once, and ends. Blocks as long as the collector takes."""
        self._collector.hurry()
        self._tracers.shutdown()
        self._meters.shutdown()
        self._collector.close()


class _Ids(RandomIdGenerator):
    """Ids at random, but where one is given: a run's root has the same in every process."""

    def __init__(self) -> None:
        self.given: SpanContext | None = None

    def generate_span_id(self) -> int:
        return super().generate_span_id() if self.given is None else self.given.span_id

    def generate_trace_id(self) -> int:
        return super().generate_trace_id() if self.given is None else self.given.trace_id


def open_outlet(
    settings: TelemetrySettings, endpoint: str, *, environ: Mapping[str, str], release: str
) -> Outlet:
    """What sends spans and metrics to a collector.

    Raises:
        MissingSetting: a variable that holds one of its headers isn't set.
        ConfigurationError: a header can't be sent.
    """
    resource = {
        "service.name": settings.service,
        "service.version": release or _own_version(),
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
    }
    headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
    for name, variable in settings.headers_env.items():
        if not environ.get(variable):
            raise MissingSetting(
                f"the environment variable {variable} isn't set",
                hint=f"telemetry.headers_env.{name} names it.",
            )
        headers[name] = environ[variable]
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):  # else the HTTP client's error would quote it
            raise ConfigurationError(f"telemetry: the header {name} holds characters that can't be sent")
    return Outlet(settings, resource, Collector(endpoint, headers))


def _own_version() -> str:
    try:
        return version("proctor-runtime")
    except PackageNotFoundError:  # run from its sources
        return "0"
