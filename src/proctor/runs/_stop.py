"""How a run is stopped before its end."""

from datetime import datetime

from sqlalchemy import Connection

from proctor import approvals
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


def ask_to_stop(connection: Connection, run_id: str, at: datetime) -> Run:
    """The run, cancelled where nobody executes it; else whoever executes it is asked to stop.

    Raises:
        NotFound: there is no such run.
        Conflict: the run has ended.
    """
    run = _sql.get_run(connection, run_id)
    if run.state in FINAL:
        raise Conflict(f"run {run_id} is {run.state} already")
    if not stop(connection, run_id, at):
        _sql.request_cancel(connection, run_id)
    return _sql.get_run(connection, run_id)
