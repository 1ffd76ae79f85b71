"""How an attempt leaves its run, and what becomes of one that failed: it is taken up again, or parked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from proctor.core import EventType, JsonObject, ModelError, ProctorError, TeamSettings
from proctor.runs._queue import pause_after
from proctor.runs._sql import EventDraft
from proctor.runs._values import Run, RunState


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
    data: dict[str, Any] = {"code": error.code, "message": str(error)}
    if not error.retryable or failures > team.retries:
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
    asked = (error.retry_after or 0.0) if isinstance(error, ModelError) else 0.0
    pause = pause_after(failures, team.retry_pause, asked)
    data |= {"failures": failures, "in_s": round(pause.total_seconds(), 3)}
    due_at = at + pause
    return left("queued", "run.rescheduled", data, at=at, due_at=due_at, handed_at=None, failures=failures)
