"""Middlewares that make a span of each call, and tell the logs which call they are about.

A replayed call never reaches them: the journal stands outside.
"""

import logging
from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeVar

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    Span,
    SpanKind,
    Status,
    StatusCode,
    set_span_in_context,
)

from proctor.core import (
    ModelCall,
    ModelHandler,
    ModelMiddleware,
    ModelResult,
    ProctorError,
    Suspended,
    ToolCall,
    ToolHandler,
    ToolMiddleware,
    ToolResult,
    monotonic_ms,
)
from proctor.telemetry._content import answered, asked, called, returned
from proctor.telemetry._here import Here, here
from proctor.telemetry._spans import Attributes, Spans, nanoseconds, word
from proctor.telemetry._traceparent import write_trace

if TYPE_CHECKING:
    from proctor.telemetry._otel import Outlet

C = TypeVar("C", ModelCall, ToolCall)

log = logging.getLogger("proctor.calls")

CUT_OFF = ("cancelled", "suspended")
_NUMBERS = ("temperature", "top_p", "max_tokens", "seed", "frequency_penalty", "presence_penalty")
"""Options of a request that spans tell of; none of them holds a text."""


@dataclass(slots=True, kw_only=True)
class _Work:
    """A call while it is under way."""

    operation: Literal["chat", "execute_tool"]
    of: str
    """The model or the tool."""
    span: Span = INVALID_SPAN
    about: Attributes = field(default_factory=dict)
    """What the span and the metric both say of it."""
    code: str = ""
    """How it failed."""
    began: float = 0.0
    ended: float = 0.0
    """Milliseconds; 0 while it hasn't come to an end."""
    more: Attributes = field(default_factory=dict)
    """What the span alone says at its end."""


def span_model(spans: Spans, inner: ModelMiddleware | None) -> ModelMiddleware:
    """A middleware that makes a `chat` span of each model call, around another one where there is one."""

    async def middleware(call: ModelCall, handle: ModelHandler) -> ModelResult:
        outlet = spans.outlet
        with _under_way(spans, call, _Work(operation="chat", of=call.model)) as work:
            operation = work.about
            work.about = operation | spans.served(call.model)
            if spans.redact is not None and work.span.is_recording():
                work.more |= asked(call, spans.redact)
            work.began = monotonic_ms()
            result = await (handle(call) if inner is None else inner(call, handle))
            work.ended = monotonic_ms()
            work.about = operation | spans.served(result.deployment, result.model)
            if outlet is not None and not result.cached:
                outlet.used("input", result.usage.input, work.about)
                outlet.used("output", result.usage.output, work.about)
            if work.span.is_recording():
                work.span.update_name(f"chat {spans.model_of(result.deployment)}")
                work.more |= _of_answer(call, result)
                if spans.redact is not None:
                    work.more |= answered(result, spans.redact)
        return result

    return middleware


def span_tool(spans: Spans, inner: ToolMiddleware | None) -> ToolMiddleware:
    """A middleware that makes an `execute_tool` span of each tool call, around another one, if any."""

    async def middleware(call: ToolCall, handle: ToolHandler) -> ToolResult:
        tool = call.tool
        with _under_way(spans, call, _Work(operation="execute_tool", of=tool.name)) as work:
            work.about["gen_ai.tool.name"] = tool.name
            if work.span.is_recording():
                work.more = {
                    "gen_ai.tool.type": "function" if tool.server == "python" else "extension",
                    "gen_ai.tool.call.id": word(call.call_id),
                    "proctor.tool.server": tool.server,
                    "proctor.tool.effect": tool.effect,
                }
                if spans.redact is not None:
                    work.more |= called(call, spans.redact)
            work.began = monotonic_ms()
            result = await (handle(call) if inner is None else inner(call, handle))
            work.ended = monotonic_ms()
            if result.is_error and not result.refused_by:
                work.code = "failed"
            work.more["proctor.refused"] = bool(result.refused_by)
            if spans.redact is not None and work.span.is_recording():
                work.more |= returned(result, spans.redact)
        return result

    return middleware


@contextmanager
def _under_way(spans: Spans, call: C, work: _Work) -> Iterator[_Work]:
    """The work on a call, as a span of the work around it."""
    work.about["gen_ai.operation.name"] = work.operation
    work.span = span = _started(spans, call, work)
    shown = write_trace(span.get_span_context()) if spans.propagates and span is not INVALID_SPAN else ""
    at = here.set(
        Here(run_id=call.scope.run_id, team=call.scope.team, span=span, call=call.scope, outgoing=shown)
    )
    # Not the span itself: who finds it there may end it, as OpenTelemetry's tracer that makes no spans does.
    seen = NonRecordingSpan(span.get_span_context())
    attached = attach(set_span_in_context(seen, Context())) if shown else None
    try:
        yield work
    except ProctorError as error:
        work.code = error.code
        raise
    except CancelledError as error:
        work.code = "suspended" if isinstance(error, Suspended) else "cancelled"
        raise
    finally:
        if not work.ended:
            work.ended, work.code = monotonic_ms(), work.code or "error"
        if work.code not in ("", *CUT_OFF):
            log.warning("%s %s failed: %s", work.operation, work.of, work.code)
        if attached is not None:
            detach(attached)
        here.reset(at)
        if spans.outlet is not None:
            _ended(spans, spans.outlet, work)


def _started(spans: Spans, call: C, work: _Work) -> Span:
    """The call's span; that of the work around it where the run isn't traced."""
    above = here.get()
    around = INVALID_SPAN if above is None else above.span
    outlet = spans.outlet
    if outlet is None or not around.get_span_context().trace_flags.sampled:
        return around
    scope = call.scope
    about: Attributes = {
        "gen_ai.agent.name": word(scope.agent),
        "proctor.run.id": scope.run_id,
        "proctor.team": scope.team,
        "proctor.call.key": scope.key,
    }
    if scope.thread:
        about["gen_ai.conversation.id"] = scope.thread
    within = set_span_in_context(around, Context())
    kind = SpanKind.CLIENT if work.operation == "chat" else SpanKind.INTERNAL
    of = spans.model_of(work.of) if work.operation == "chat" else work.of
    name = f"{work.operation} {of}"
    return outlet.start(name, above=within, kind=kind, at=spans.now(), attributes=about)


def _ended(spans: Spans, outlet: "Outlet", work: _Work) -> None:
    """Tells of a call. What was cut off has no duration, and is no error: its run waits, or was stopped."""
    failed: Attributes = {"error.type": work.code} if work.code else {}
    if work.code not in CUT_OFF:
        outlet.took(work.operation, (work.ended - work.began) / 1000, work.about | failed)
    span = work.span
    if span.is_recording():
        if work.code in CUT_OFF:
            failed = {"proctor.outcome": work.code}
        elif work.code:
            span.set_status(Status(StatusCode.ERROR))
        span.set_attributes(work.about | work.more | failed)
        span.end(nanoseconds(spans.now()))


def _of_answer(call: ModelCall, result: ModelResult) -> Attributes:
    usage = result.usage
    said: Attributes = {
        "gen_ai.response.finish_reasons": (result.finish_reason,),
        "gen_ai.usage.input_tokens": usage.input,
        "gen_ai.usage.output_tokens": usage.output,
        "proctor.deployment": result.deployment,
        "proctor.attempts": result.attempts,
        "proctor.cached": result.cached,
        "proctor.cost_micros": result.cost,
    }
    if usage.cached_input:
        said["gen_ai.usage.cache_read.input_tokens"] = usage.cached_input
    if usage.cache_write:
        said["gen_ai.usage.cache_creation.input_tokens"] = usage.cache_write
    if usage.reasoning:
        said["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning
    if call.response_format is not None:
        said["gen_ai.output.type"] = "json"
    for name in _NUMBERS:
        value = call.options.get(name)
        if isinstance(value, int | float):
            said[f"gen_ai.request.{name}"] = value
    return said
