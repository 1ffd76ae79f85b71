"""A run and its recorded calls as values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from proctor.core import (
    CallKind,
    JsonObject,
    Label,
    Micros,
    ModelResult,
    Pace,
    ToolResult,
    Usage,
    label_from_json,
    label_to_json,
)

RunState = Literal["queued", "running", "waiting", "completed", "failed", "cancelled", "refused"]

FINAL: frozenset[RunState] = frozenset({"completed", "cancelled", "refused"})
"""States that a run never leaves. A `failed` run can be resumed by hand."""

ENDED: frozenset[RunState] = FINAL | {"failed"}

STOPPED: frozenset[RunState] = ENDED | {"waiting"}
"""States in which a run goes no further by itself."""

GOING_ON: frozenset[RunState] = frozenset({"queued", "running", "waiting"})


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
    requester: str = ""
    """Who asked for the run, where that is known."""
    priority: int = 0
    """The greater, the sooner: of queued runs the most urgent is taken up first."""
    due_at: datetime | None = None
    """When the run may be taken up at the earliest; nothing: at once."""
    failures: int = 0
    """Attempts in a row that came to a failure or lost their worker, and no further."""
    simple: bool = False
    """Whether the team's simple form executes the run, for its whole life."""
    thread_id: str | None = None
    """The conversation that the run belongs to."""
    schedule_id: str | None = None
    pace: Pace = "prompt"
    """Whether somebody waits for the run."""
    asks: tuple[str, ...] = ()
    """Kinds of findings in the task that a person looks at before they have consequences: `injection`,
    `medical_advice`."""
    worker: str | None = None
    """Who executes the run, or did so last."""
    subject: str = ""
    """The person whom the run is about, where that is said."""
    purpose: str = ""
    """What the subject's data is processed for: that of the team as the run was started."""
    erased_at: datetime | None = None
    """Since when texts of the run are gone: it can't go on."""
    trace: str = ""
    """The trace that the run's spans belong to, as W3C's `traceparent`; empty where nothing is traced."""
    release: str = ""
    """The version of the application that the run was started under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Which runs a process executes."""

    teams: frozenset[str] | None = None
    """Nothing: of all teams."""
    place: str = ""
    """Where the application is. Runs that were started of another place are left; nothing: none is."""
    only: str = ""
    """One run alone, by its id, and those that stand before it in its thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A conversation of one tenant with one team. Each message of it is a run."""

    id: str
    team: str
    tenant: str
    turns: int
    """Messages so far."""
    created_at: datetime
    spoken_at: datetime | None
    """When the last message came."""


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


UNRECORDED = Label(integrity="untrusted", confidentiality="user", sources=("unknown",))
"""Of what was kept before there were labels."""


def read_label(outcome: JsonObject) -> Label:
    """The label that was kept with an outcome."""
    return label_from_json(outcome["label"]) if "label" in outcome else UNRECORDED


def model_outcome(result: ModelResult, label: Label) -> dict[str, Any]:
    """A model's answer as the journal keeps it, with the label of all that it rests on."""
    usage = result.usage
    return {
        "message": result.message,
        "finish_reason": result.finish_reason,
        "usage": [usage.input, usage.output, usage.cached_input, usage.reasoning, usage.cache_write],
        "deployment": result.deployment,
        "model": result.model,
        "cost": result.cost,
        "attempts": result.attempts,
        "cached": result.cached,
        "saved": result.saved,
        "way": result.way,
        "label": label_to_json(label),
    }


def read_model_outcome(outcome: Any) -> ModelResult:
    """The answer that `model_outcome` kept."""
    input_, output, cached_input, reasoning, *later = outcome["usage"]
    cache_write = later[0] if later else 0  # records of the first versions end before it
    return ModelResult(
        message=outcome["message"],
        finish_reason=outcome["finish_reason"],
        usage=Usage(
            input=input_,
            output=output,
            cached_input=cached_input,
            reasoning=reasoning,
            cache_write=cache_write,
        ),
        deployment=outcome["deployment"],
        model=outcome["model"],
        cost=outcome["cost"],
        attempts=outcome["attempts"],
        cached=outcome["cached"],
        saved=outcome.get("saved", 0),
        way=outcome.get("way", "prompt"),
    )


def tool_outcome(result: ToolResult) -> dict[str, Any]:
    """A tool's answer as the journal keeps it."""
    return {
        "text": result.text,
        "is_error": result.is_error,
        "refused_by": result.refused_by,
        "structured": result.structured,
        "cost": result.cost,
        "edited": result.edited,
        "label": label_to_json(result.label),
    }


def read_tool_outcome(outcome: Any) -> ToolResult:
    """The answer that `tool_outcome` kept."""
    return ToolResult(
        text=outcome["text"],
        is_error=outcome["is_error"],
        refused_by=outcome["refused_by"],
        structured=outcome["structured"],
        cost=outcome["cost"],
        edited=outcome.get("edited"),
        label=read_label(outcome),
    )
