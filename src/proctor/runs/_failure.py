"""How an attempt leaves its run, and what becomes of one that failed: it is taken up again, or parked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from proctor.core import EventType, JsonObject, ModelError, ProctorError, TeamSettings, WorkerLost, digest
from proctor.runs._sql import EventDraft
from proctor.runs._values import Run, RunState

LONGEST_PAUSE = timedelta(minutes=5)

FIRST_REST = timedelta(seconds=1)
"""Of a run that has lost its worker twice in a row, more or less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """How an attempt leaves its run: the columns to set, and the event that tells of it."""

    values: Mapping[str, Any]
    event: EventDraft | None

    @property
    def state(self) -> RunState:
        """The state that the run is left in."""
        state: RunState = self.values["state"]
        return state

    @property
    def drafts(self) -> tuple[EventDraft, ...]:
        """The event, where there is one."""
        return () if self.event is None else (self.event,)

    def apply(self, run: Run) -> Run:
        """The run as it is then."""
        known = {name: value for name, value in self.values.items() if name != "handed_at"}
        return replace(run, **known)


def left(state: RunState, event: EventType | None, data: JsonObject, *, at: datetime, **values: Any) -> Left:
    """A run that is left in a state, with further columns to set."""
    draft = None if event is None else EventDraft(type=event, agent="", data=data, at=at)
    return Left(values={"state": state, **values}, event=draft)


def after_failure(
    run: Run, error: ProctorError, team: TeamSettings, *, at: datetime, progressed: bool
) -> Left:
    """How a run goes on after an error (DESIGN 5, the second level).

    What may pass is tried again, after a pause that doubles, as long as the attempts in a row that came no
    further are not more than the team's `retries`. All else is parked as `failed`, to be resumed by hand.
    """
    failures = (0 if progressed else run.failures) + 1
    if not error.retryable or failures > team.retries:
        return _parked(error, at)
    asked = (error.retry_after or 0.0) if isinstance(error, ModelError) else 0.0
    pause = _pause_after(failures, team.retry_pause, asked)
    data: JsonObject = {
        "code": error.code,
        "message": str(error),
        "failures": failures,
        "in_s": round(pause.total_seconds(), 3),
    }
    due_at = at + pause
    return left("queued", "run.rescheduled", data, at=at, due_at=due_at, handed_at=None, failures=failures)


def after_loss(run: Run, retries: int, *, at: datetime) -> Left:
    """How a run goes on whose worker is gone: at once; after a rest where it happened before; or not at all.

    A run that ends its process takes its siblings along. Each rests for another time, so that they part.
    """
    failures = run.failures + 1
    if failures > retries:
        error = WorkerLost(
            f"the run lost its worker {failures} times in a row, and came no further between",
            hint="Look what its next step does to a process, then resume it: `proctor runs resume`.",
        )
        return _parked(error, at)
    worker = run.worker or ""
    pause = timedelta(0)
    if failures > 1:
        pause = _pause_after(failures - 1, FIRST_REST, 0) * (0.5 + _share_of(run.id))
    data: JsonObject = {
        "code": WorkerLost.code,
        "worker": worker,
        "failures": failures,
        "in_s": round(pause.total_seconds(), 3),
    }
    due_at = at + pause if pause else None
    return left("queued", "run.rescheduled", data, at=at, due_at=due_at, handed_at=None, failures=failures)


def _share_of(run_id: str) -> float:
    """Between 0 and 1, by chance, and always the same for a run."""
    return int(digest(run_id)[:8], 16) / 0xFFFFFFFF


def _parked(error: ProctorError, at: datetime) -> Left:
    data: JsonObject = {"code": error.code, "message": str(error)}
    return left(
        "failed",
        "run.failed",
        data,
        at=at,
        error_code=error.code,
        error=str(error),
        finished_at=at,
        failures=0,
    )


def _pause_after(failures: int, first: timedelta, least: float) -> timedelta:
    """How long a run rests after so many failures in a row: `least` seconds, or what a provider asks for."""
    doubled: timedelta = first * 2 ** min(failures - 1, 30)
    return max(min(doubled, LONGEST_PAUSE), timedelta(seconds=least))
