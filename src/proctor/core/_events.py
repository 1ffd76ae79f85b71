"""What happened in a run: the one log that timeline, stream, metrics and audit read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from proctor.core._json import JsonObject

EventType = Literal[
    "run.started",
    "run.resumed",
    "run.rescheduled",
    "run.simplified",
    "run.waiting",
    "run.completed",
    "run.failed",
    "run.cancelled",
    "run.refused",
    "message",
    "loop.detected",
    "agent.failed",
    "agent.replaced",
    "model.called",
    "model.retried",
    "model.fell_back",
    "model.routed",
    "model.hedged",
    "model.batched",
    "model.recalled",
    "call.wasted",
    "tool.called",
    "tool.refused",
    "tool.limit_reached",
    "tool.progress",
    "tool.logged",
    "tool.quarantined",
    "tool.cleaned",
    "tool.pinned",
    "tool.changed",
    "data.accessed",
    "data.denied",
    "label.raised",
    "approval.requested",
    "approval.voted",
    "approval.delegated",
    "approval.escalated",
    "approval.expired",
    "approval.decided",
    "human.answered",
    "policy.verdict",
    "output.judged",
    "output.reviewed",
    "budget.refused",
    "budget.warned",
    "budget.degraded",
    "budget.wrapped_up",
    "budget.raised",
    "thread.state_lost",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of a run's log."""

    run_id: str
    seq: int
    """Position in the run's log, from 1 without gaps."""
    at: datetime
    type: EventType
    agent: str
    """Who caused it: an agent's name, or `""` for the run itself."""
    data: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A piece of a model's answer while it is being written. It is streamed and never stored."""

    run_id: str
    agent: str
    text: str
    last: bool = False
    """Whether the answer is over: no words come with it."""
