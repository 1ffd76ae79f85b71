"""Spans of runs, agents, model calls and tool calls, and OpenTelemetry's metrics of them.

The names are those of the GenAI conventions; what has none there begins with `proctor.`. Nothing here knows
where spans go: without a collector all of it does nothing.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from proctor.core import Clock, DeploymentSettings, TelemetrySettings, in_own_thread, monotonic_ms
from proctor.telemetry._here import Here, here
from proctor.telemetry._traceparent import check_trace, parent_of, root_of, span_named, write_trace

if TYPE_CHECKING:
    from proctor.telemetry._otel import Outlet

CLOSING = timedelta(seconds=2)
"""What is still on its way to the collector has so long at the end."""

LONGEST_WORD = 200
"""Characters of a name that somebody else gave."""

Attributes: TypeAlias = dict[str, AttributeValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The run that spans are of."""

    run_id: str
    team: str
    tenant: str
    attempt: int
    trace: str
    thread: str
    release: str
    failed: bool = False
    """Whether it has ended before, as failed, and was told of then."""


@dataclass(slots=True, kw_only=True)
class TurnSpan:
    """An agent's turn while it goes on."""

    agent: str
    span: Span
    began: float


class Spans:
    """The spans of one process. Without an outlet it makes none."""

    def __init__(
        self,
        settings: TelemetrySettings | None = None,
        *,
        clock: Clock | None = None,
        outlet: "Outlet | None" = None,
        deployments: Mapping[str, DeploymentSettings] | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._settings = settings or TelemetrySettings()
        self._clock = clock
        self._outlet = outlet if clock is not None else None
        self._deployments = deployments or {}
        self._served = {name: _served_by(one) for name, one in self._deployments.items()}
        self.redact = redact if self._settings.content == "redacted" else None
        """What is taken out of the texts that spans hold; nothing where they hold none."""

    @property
    def outlet(self) -> "Outlet | None":
        """Where spans go, where any are made."""
        return self._outlet

    @property
    def propagates(self) -> bool:
        """Whether those who are asked for something are told the trace."""
        return self._outlet is not None and self._settings.propagate

    def identify(self, run_id: str, trace: str) -> str:
        """The trace that a new run bears: its caller's, or its own where spans are made.

        Raises:
            InvalidInput: the caller's can't be read.
        """
        given = check_trace(trace)
        if given or self._outlet is None:
            return given
        return write_trace(root_of(run_id, "", share=self._settings.share))

    def of(self, subject: Subject) -> "RunSpans":
        """What is told of one attempt at a run."""
        root = root_of(subject.run_id, subject.trace, share=self._settings.share)
        return RunSpans(self, subject, root)

    def now(self) -> datetime:
        """The present instant."""
        assert self._clock is not None, "what has an outlet has a clock"
        return self._clock.now()

    def served(self, deployment: str, model: str = "") -> Attributes:
        """Who answers for a deployment, as spans and metrics say it."""
        known = self._served.get(deployment)
        if known is None:
            return {"gen_ai.request.model": deployment}
        return known if not model else {**known, "gen_ai.response.model": word(model)}

    def model_of(self, deployment: str) -> str:
        """The model behind a deployment, as requests name it."""
        known = self._deployments.get(deployment)
        return deployment if known is None else known.model

    async def close(self) -> None:
        """Sends what is left, as far as there is time."""
        if self._outlet is None:
            return
        # The thread is left behind where the collector takes its time: nothing waits for it.
        closing = in_own_thread(self._outlet.close, name="closing telemetry")
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING.total_seconds()):
                await closing


class RunSpans:
    """The spans of one attempt at a run. All attempts at it, wherever they are made, add to one trace."""

    def __init__(self, spans: Spans, subject: Subject, root: SpanContext) -> None:
        self._spans = spans
        self._subject = subject
        self._root = root
        outlet = spans.outlet
        self._outlet = outlet if root.trace_flags.sampled else None
        self._meters = outlet
        self._span: Span = NonRecordingSpan(root) if outlet or subject.trace else INVALID_SPAN
        self._above = set_span_in_context(self._span, Context())
        self._common: Attributes = {"proctor.run.id": subject.run_id, "proctor.team": subject.team}
        if subject.thread:
            self._common["gen_ai.conversation.id"] = subject.thread

    def here(self, turn: TurnSpan | None = None) -> Here:
        """Where work belongs that is part of the run, or of a turn in it."""
        span = self._span if turn is None else turn.span
        return Here(run_id=self._subject.run_id, team=self._subject.team, span=span)

    def ended(self, state: str, error: str, begun: datetime, ended: datetime) -> None:
        """Tells of the run as it has ended: its root span, from its very start, the first time.

        Where a failed run was resumed, its segments tell what became of it: no span is sent twice.
        """
        subject = self._subject
        about: Attributes = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": subject.team}
        failed: Attributes = {"error.type": error or state} if state in ("failed", "cancelled") else {}
        if self._meters is not None:
            self._meters.took("invoke_workflow", (ended - begun).total_seconds(), about | failed)
        if self._outlet is None or subject.failed:
            return
        caller = parent_of(subject.run_id, subject.trace)
        above = Context() if caller is None else set_span_in_context(NonRecordingSpan(caller), Context())
        more: Attributes = {
            "proctor.tenant": subject.tenant,
            "proctor.state": state,
            "proctor.attempts": subject.attempt,
            "proctor.release": subject.release,
        }
        span = self._outlet.start(
            f"invoke_workflow {subject.team}",
            above=above,
            kind=SpanKind.INTERNAL,
            at=begun,
            attributes=about | self._common | more | failed,
            named=self._root,
        )
        if state == "failed":
            span.set_status(Status(StatusCode.ERROR))
        span.end(nanoseconds(ended))

    def left(self, state: str, error: str, begun: datetime, worker: str) -> None:
        """Tells of the attempt, where it isn't all there is of the run."""
        outlet, attempt = self._outlet, self._subject.attempt
        if outlet is None or (attempt == 1 and state not in ("waiting", "queued")):
            return
        about: Attributes = {"proctor.attempt": attempt, "proctor.state": state, "proctor.worker": worker}
        if state == "failed":
            about["error.type"] = error
        name = span_named(f"{self._subject.run_id}:{attempt}", self._root)
        span = outlet.start(
            f"segment {self._subject.team}",
            above=self._above,
            kind=SpanKind.INTERNAL,
            at=begun,
            attributes=about | self._common,
            named=name,
        )
        if state == "failed":
            span.set_status(Status(StatusCode.ERROR))
        span.end(nanoseconds(self._spans.now()))

    def turn(self, agent: str, within: TurnSpan | None) -> TurnSpan | None:
        """An agent's turn that begins. It is told of where `turn_ended` is."""
        if self._meters is None:
            return None
        if self._outlet is None:
            return TurnSpan(agent=agent, span=self._span, began=monotonic_ms())
        about: Attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": word(agent)}
        span = self._outlet.start(
            f"invoke_agent {word(agent)}",
            above=self._above if within is None else set_span_in_context(within.span, Context()),
            kind=SpanKind.INTERNAL,
            at=self._spans.now(),
            attributes=about | self._common,
        )
        return TurnSpan(agent=agent, span=span, began=monotonic_ms())

    def turn_ended(self, turn: TurnSpan, *, error: str = "", cut_off: str = "") -> None:
        """Tells of an agent's turn: how it failed, if it did, or why it was cut off."""
        about: Attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": word(turn.agent)}
        if self._meters is not None and not cut_off:
            seconds = (monotonic_ms() - turn.began) / 1000
            failed: Attributes = {"error.type": error} if error else {}
            self._meters.took("invoke_agent", seconds, about | failed)
        if self._outlet is None:
            return
        if error:
            turn.span.set_attribute("error.type", error)
            turn.span.set_status(Status(StatusCode.ERROR))
        if cut_off:
            turn.span.set_attribute("proctor.outcome", cut_off)
        turn.span.end(nanoseconds(self._spans.now()))

    def asked(self, approval_id: str, kind: str) -> None:
        """Notes on the call at work that a person is asked."""
        note("approval.requested", {"proctor.approval.id": approval_id, "proctor.approval.kind": kind})

    def decided(self, approval_id: str, kind: str, decision: str, asked: datetime, decided: datetime) -> None:
        """Tells of the time that a person took, and links the call at work to it."""
        if self._outlet is None:
            return
        about: Attributes = {
            "proctor.approval.id": approval_id,
            "proctor.approval.kind": kind,
            "proctor.approval.decision": decision,
        }
        name = span_named(approval_id, self._root)
        span = self._outlet.start(
            f"approval {kind}",
            above=self._above,
            kind=SpanKind.INTERNAL,
            at=asked,
            attributes=about | self._common,
            named=name,
        )
        span.end(nanoseconds(decided))
        at = here.get()
        if at is not None and at.call is not None:
            at.span.add_link(name, about)


def open_spans(
    settings: TelemetrySettings,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    deployments: Mapping[str, DeploymentSettings],
    release: str,
    redact: Callable[[str], str],
) -> Spans:
    """The spans of this process; none, and nothing is loaded, where the configuration names no collector.

    Raises:
        MissingSetting: a variable that holds one of the collector's headers isn't set.
        ConfigurationError: a header can't be sent.
    """
    if settings.endpoint is None:
        return Spans()
    from proctor.telemetry._otel import open_outlet

    outlet = open_outlet(settings, settings.endpoint, environ=environ, clock=clock, release=release)
    return Spans(settings, clock=clock, outlet=outlet, deployments=deployments, redact=redact)


def note(event: str, attributes: Attributes) -> None:
    """Adds an event to the span of the call at work."""
    at = here.get()
    if at is not None and at.call is not None:
        at.span.add_event(event, attributes)


def word(text: str) -> str:
    """A name that somebody else gave, as one that can be sent."""
    return text[:LONGEST_WORD].encode(errors="replace").decode()


def nanoseconds(instant: datetime) -> int:
    """An instant as spans give it."""
    return round(instant.timestamp() * 1_000_000) * 1000


def _served_by(deployment: DeploymentSettings) -> Attributes:
    who: Attributes = {"gen_ai.provider.name": deployment.provider, "gen_ai.request.model": deployment.model}
    try:
        address = urlsplit(deployment.address)
        host, port = address.hostname, address.port
    except ValueError:
        return who
    if host is None:
        return who
    return {**who, "server.address": host, "server.port": port or (80 if address.scheme == "http" else 443)}
