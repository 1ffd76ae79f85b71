"""A run and its recorded calls as values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from proctor.core import CallKind, JsonObject, Micros, ModelResult, ToolResult, Usage

RunState = Literal["queued", "running", "waiting", "completed", "failed", "cancelled", "refused"]

FINAL: frozenset[RunState] = frozenset({"completed", "cancelled", "refused"})
"""States that a run never leaves. A `failed` run can be resumed by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a team on one task."""

    id: str
    team: str
    target: str
    """`module_or_file:team`, from which another process loads the team again; empty where it can't."""
    tenant: str
    state: RunState
    attempt: int
    """How often the run was taken up. The journal refuses records of older attempts."""
    task: str
    result: str | None
    """The team's last message, where the run is completed."""
    error_code: str | None
    error: str | None
    cost: Micros
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallKey:
    """What finds a recorded call again. It names no position in the run."""

    agent: str
    kind: CallKind
    fingerprint: str
    occurrence: int

    @property
    def text(self) -> str:
        """The key as one word, within its run."""
        return f"{self.kind}:{self.fingerprint}:{self.occurrence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """A call of a run as the journal holds it."""

    key: CallKey
    position: int | None
    """In the order in which calls finished; none while it has only been started."""
    attempt: int
    request: JsonObject
    outcome: JsonObject | None
    cost: Micros
    started_at: datetime
    duration_ms: float | None


def model_outcome(result: ModelResult) -> dict[str, Any]:
    """A model's answer as the journal keeps it."""
    usage = result.usage
    return {
        "message": result.message,
        "finish_reason": result.finish_reason,
        "usage": [usage.input, usage.output, usage.cached_input, usage.reasoning],
        "deployment": result.deployment,
        "model": result.model,
        "cost": result.cost,
        "attempts": result.attempts,
        "cached": result.cached,
    }


def read_model_outcome(outcome: Any) -> ModelResult:
    """The answer that `model_outcome` kept."""
    input_, output, cached_input, reasoning = outcome["usage"]
    return ModelResult(
        message=outcome["message"],
        finish_reason=outcome["finish_reason"],
        usage=Usage(input=input_, output=output, cached_input=cached_input, reasoning=reasoning),
        deployment=outcome["deployment"],
        model=outcome["model"],
        cost=outcome["cost"],
        attempts=outcome["attempts"],
        cached=outcome["cached"],
    )


def tool_outcome(result: ToolResult) -> dict[str, Any]:
    """A tool's answer as the journal keeps it."""
    return {
        "text": result.text,
        "is_error": result.is_error,
        "refused_by": result.refused_by,
        "structured": result.structured,
        "cost": result.cost,
    }


def read_tool_outcome(outcome: Any) -> ToolResult:
    """The answer that `tool_outcome` kept."""
    return ToolResult(
        text=outcome["text"],
        is_error=outcome["is_error"],
        refused_by=outcome["refused_by"],
        structured=outcome["structured"],
        cost=outcome["cost"],
    )
