"""What telemetry is told of a run."""

from proctor.runs._values import Run
from proctor.telemetry import RunSpans, Subject


def subject_of(run: Run) -> Subject:
    """The run as spans know it."""
    return Subject(
        run_id=run.id,
        team=run.team,
        tenant=run.tenant,
        attempt=run.attempt,
        trace=run.trace,
        thread=run.thread_id or "",
        release=run.release,
    )


def tell_end(spans: RunSpans, run: Run) -> None:
    """Tells of a run that has ended: all of it is known only now."""
    assert run.finished_at is not None, "what has ended has an end"
    spans.ended(run.state, run.error_code or "", run.created_at, run.finished_at)
