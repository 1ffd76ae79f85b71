"""OpenTelemetry's SDK, held to what the configuration says: its own providers, none of them global.

Importing this module imports the SDK: only who sends anything does it. No variable of the environment can
name a collector, since what is sent goes through our own few lines of HTTP.
"""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from random import Random
from urllib.parse import urlsplit

import httpx2
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
)
from opentelemetry.util.types import AttributeValue

from proctor.core import Clock, ConfigurationError, MissingSetting, TelemetrySettings
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


@dataclass(slots=True, kw_only=True)
class _Making:
    """What a span is made of."""

    name: str
    parent: SpanContext | None
    kind: SpanKind
    start: int
    attributes: Attributes
    resource: Resource
    scope: InstrumentationScope
    now: Callable[[], int]


class Outlet:
    """What makes spans and measurements, and sends them to the collector."""

    def __init__(
        self,
        settings: TelemetrySettings,
        resource: Mapping[str, str],
        collector: Collector,
        clock: Clock,
    ) -> None:
        about = Resource(dict(resource), schema_url=SCHEMA)
        self._about = about
        self._queue = SpanQueue(collector, most=settings.queue)
        self._scope = InstrumentationScope("proctor", resource.get("service.version"), SCHEMA)
        self._clock = clock
        self._random = Random()  # noqa: S311 - ids needn't be secret
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
        parent = get_current_span(above).get_span_context()
        if named is None:
            flags = parent.trace_flags
            named = SpanContext(parent.trace_id, self._random.getrandbits(64) or 1, False, flags)
        making = _Making(
            name=name,
            parent=parent if parent.is_valid else None,
            kind=kind,
            start=nanoseconds(at),
            attributes=attributes,
            resource=self._about,
            scope=self._scope,
            now=self._now,
        )
        return OpenSpan(named, making, self._queue.on_end)

    def _now(self) -> int:
        return nanoseconds(self._clock.now())

    def took(self, operation: str, seconds: float, attributes: Attributes) -> None:
        """Records how long a `chat`, an `execute_tool`, an `invoke_agent` or an `invoke_workflow` took."""
        self._durations[operation](seconds, attributes, self._nowhere)

    def used(self, kind: str, tokens: int, attributes: Attributes) -> None:
        """Records the tokens of a call: `input` or `output`."""
        self._tokens.record(tokens, {**attributes, "gen_ai.token.type": kind}, self._nowhere)

    def close(self) -> None:
        """Sends what is left once, and ends. Blocks as long as the collector takes."""
        self._collector.hurry()
        self._queue.shutdown()  # type: ignore[no-untyped-call]
        self._meters.shutdown()
        self._collector.close()


class OpenSpan(NonRecordingSpan):
    """A span that goes on: kept as plain values, and handed on when it ends.

    The SDK's own span checks and locks each attribute, which is half of what telemetry would cost.
    """

    def __init__(self, context: SpanContext, made: _Making, put: Callable[[ReadableSpan], None]) -> None:
        super().__init__(context)
        self._made = made
        self._put = put
        self._status = Status()
        self._events: list[Event] = []
        self._links: list[Link] = []

    def is_recording(self) -> bool:
        """It is."""
        return True

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Says more."""
        self._made.attributes.update(attributes)

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Says more."""
        self._made.attributes[key] = value

    def add_event(
        self,
        name: str,
        attributes: Mapping[str, AttributeValue] | None = None,
        timestamp: int | None = None,
    ) -> None:
        """Notes that something happens, as long as there is room."""
        if len(self._events) < MOST_EVENTS:
            self._events.append(Event(name, attributes, timestamp or self._made.now()))

    def add_link(self, context: SpanContext, attributes: Mapping[str, AttributeValue] | None = None) -> None:
        """Leads to another span, as long as there is room."""
        if len(self._links) < MOST_EVENTS:
            self._links.append(Link(context, attributes))

    def update_name(self, name: str) -> None:
        """Takes another name."""
        self._made.name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Tells whether it failed."""
        self._status = status if isinstance(status, Status) else Status(status, description)

    def end(self, end_time: int | None = None) -> None:
        """Hands it on."""
        made = self._made
        self._put(
            ReadableSpan(
                name=made.name,
                context=self.get_span_context(),
                parent=made.parent,
                resource=made.resource,
                attributes=made.attributes,
                events=self._events,
                links=self._links,
                kind=made.kind,
                status=self._status,
                start_time=made.start,
                end_time=end_time or made.now(),
                instrumentation_scope=made.scope,
            )
        )


def open_outlet(
    settings: TelemetrySettings, endpoint: str, *, environ: Mapping[str, str], clock: Clock, release: str
) -> Outlet:
    """What sends spans and metrics to a collector.

    Raises:
        MissingSetting: a variable that holds one of its headers isn't set.
        ConfigurationError: a header can't be sent, or the address can't be read.
    """
    try:
        readable = bool(urlsplit(str(httpx2.URL(endpoint))).hostname)
    except (httpx2.InvalidURL, ValueError):
        readable = False
    if not readable:
        raise ConfigurationError(
            "telemetry.endpoint is no address", hint='Write it as "http://127.0.0.1:4318".'
        )
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
    return Outlet(settings, resource, Collector(endpoint, headers), clock)


def _own_version() -> str:
    try:
        return version("proctor-runtime")
    except PackageNotFoundError:  # run from its sources
        return "0"
