"""Where the work at hand belongs: to which run, call and span. For logs, and for what calls send out."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import INVALID_SPAN, Span

from proctor.core import CallScope


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """What a task works on."""

    run_id: str
    team: str
    span: Span = INVALID_SPAN
    """What is done now is a part of it."""
    call: CallScope | None = None
    outgoing: str = ""
    """The `traceparent` for those who are asked for something; empty where they aren't told."""


here: ContextVar[Here | None] = ContextVar("proctor_here", default=None)


def outgoing() -> str:
    """The `traceparent` for what is asked now; empty where nobody is to be told of a trace."""
    at = here.get()
    return "" if at is None else at.outgoing


@contextmanager
def untold() -> Iterator[None]:
    """Keeps a caller's own trace, and what travels with it, from those who aren't to be told of any."""
    if outgoing():
        yield
        return
    token = attach(Context())
    try:
        yield
    finally:
        detach(token)
