"""How a run is stopped before its end."""

from datetime import datetime

from sqlalchemy import Connection

from proctor import approvals, audit
from proctor.core import Conflict
from proctor.runs import _sql
from proctor.runs._sql import EventDraft
from proctor.runs._values import FINAL, Run


def stop(connection: Connection, run_id: str, at: datetime) -> bool:
    """Whether the run is cancelled, which it is at once where nobody executes it."""
    if not _sql.move(
        connection, run_id, allowed=("queued", "waiting", "failed"), to="cancelled", finished_at=at
    ):
        return False
    approvals.cancel_pending(connection, run_id)
    _sql.append(connection, run_id, None, [EventDraft(type="run.cancelled", agent="", data={}, at=at)])
    return True


def note_by_hand(connection: Connection, run: Run, action: str, *, by: str, at: datetime) -> None:
    """Enters in the record what was done to a run by hand; by Proctor itself, where nobody says his name."""
    audit.append(connection, at=at, actor=by or "proctor", action=action, thing=run.id, tenant=run.tenant)


def not_ended(connection: Connection, run_id: str, *, tenant: str | None = None) -> Run:
    """A run that can be stopped.

    Raises:
        NotFound: there is no such run.
        Conflict: the run has ended.
    """
    run = _sql.get_run(connection, run_id, tenant=tenant)
    if run.state in FINAL:
        raise Conflict(f"run {run_id} is {run.state} already")
    return run


def ask_to_stop(
    connection: Connection, run_id: str, at: datetime, *, by: str = "", tenant: str | None = None
) -> Run:
    """The run, cancelled where nobody executes it; else whoever executes it is asked to stop.

    Raises:
        NotFound: there is no such run.
        Conflict: the run has ended.
    """
    run = not_ended(connection, run_id, tenant=tenant)
    if not stop(connection, run_id, at):
        _sql.request_cancel(connection, run_id)
    note_by_hand(connection, run, "run.cancelled", by=by, at=at)
    return _sql.get_run(connection, run_id)
