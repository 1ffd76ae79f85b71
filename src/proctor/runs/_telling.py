"""What telemetry is told of a run."""

from proctor.runs._plan import Hooks
from proctor.runs._values import Run
from proctor.telemetry import RunSpans, Subject


def spans_of(hooks: Hooks, run: Run, *, failed: bool) -> RunSpans:
    """The spans of a run; `failed` says that it has ended before, as failed."""
    subject = Subject(
        run_id=run.id,
        team=run.team,
        tenant=run.tenant,
        attempt=run.attempt,
        trace=run.trace,
        thread=run.thread_id or "",
        release=run.release,
        failed=failed,
    )
    return hooks.spans.of(subject)


def tell_end(hooks: Hooks, run: Run, spans: RunSpans) -> None:
    """Tells of a run that has ended: all of it is known only now."""
    assert run.finished_at is not None, "what has ended has an end"
    spans.ended(run.state, run.error_code or "", run.created_at, run.finished_at)
    hooks.finished(run, (run.finished_at - run.created_at).total_seconds())
