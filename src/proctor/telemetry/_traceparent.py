"""W3C's trace context: read where it comes in, made for runs that come without one."""

import re
from collections.abc import Mapping
from hashlib import blake2b

from opentelemetry.trace import SpanContext, TraceFlags

from proctor.core import InvalidInput

_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_VERSION = "00"
_HALF = 2**64
"""Of a trace's id the lower half tells whether it is sampled, as OpenTelemetry's own sampler does."""


def incoming(headers: Mapping[str, str]) -> str:
    """The trace that a request belongs to, from its headers; empty where it names none that can be read."""
    given = read_trace(headers.get("traceparent", ""))
    return "" if given is None else write_trace(given)


def check_trace(text: str) -> str:
    """The trace that a caller names, in its usual form; empty where none is named.

    Raises:
        InvalidInput: it can't be read.
    """
    given = read_trace(text)
    if text and given is None:
        raise InvalidInput(
            "the trace is no W3C traceparent", hint="It looks so: 00-<32 hex digits>-<16 hex digits>-01."
        )
    return "" if given is None else write_trace(given)


def read_trace(text: str) -> SpanContext | None:
    """The span that a `traceparent` names; nothing where it can't be read."""
    found = _FORM.fullmatch(text.strip())
    if found is None or (text.strip().startswith(_VERSION) and found[4] is not None):
        return None  # only a later version may say more
    flags = TraceFlags(int(found[3], 16) & TraceFlags.SAMPLED)
    return SpanContext(int(found[1], 16), int(found[2], 16), is_remote=True, trace_flags=flags)


def write_trace(span: SpanContext) -> str:
    """A span as a `traceparent` names it."""
    return f"{_VERSION}-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags):02x}"


def root_of(run_id: str, trace: str, *, share: float = 1.0) -> SpanContext:
    """The root span of a run: the same in every process, so that all of them add to one trace.

    `trace` is what the run bears. Where that is nothing, the run's id alone tells its trace.
    """
    given = read_trace(trace)
    span_id = _number(run_id, "span", 8)
    if given is not None:
        return SpanContext(given.trace_id, span_id, is_remote=False, trace_flags=given.trace_flags)
    trace_id = _number(run_id, "trace", 16)
    sampled = trace_id % _HALF < share * _HALF
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=flags)


def parent_of(run_id: str, trace: str) -> SpanContext | None:
    """The caller's span that a run belongs under; nothing where its trace is its own."""
    given = read_trace(trace)
    return None if given is None or given.span_id == _number(run_id, "span", 8) else given


def span_named(name: str, root: SpanContext) -> SpanContext:
    """A span of the run's trace that every process knows by the same name."""
    span_id = _number(name, "span", 8)
    return SpanContext(root.trace_id, span_id, is_remote=False, trace_flags=root.trace_flags)


def _number(name: str, what: str, size: int) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=size, person=what.encode()).digest()) or 1
