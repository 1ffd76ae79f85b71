"""What comes in: a task becomes a run that is ready to be stored."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from proctor.core import (
    BusyThread,
    Clock,
    InvalidInput,
    Pace,
    Parts,
    Verdict,
    check_name,
    check_tenant,
    new_id,
)
from proctor.runs import _sql, _threads_sql
from proctor.runs._plan import Hooks
from proctor.runs._sql import EventDraft
from proctor.runs._stop import note_by_hand, stop
from proctor.runs._values import Run

HIGHEST_PRIORITY = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A run that is ready to be stored, with its first events."""

    run: Run
    drafts: tuple[EventDraft, ...]
    busy_thread: BusyThread
    """What becomes of it where a run of its thread goes on."""
    by: str = ""
    """Who starts it, where that is known."""

    def insert(self, connection: Connection) -> None:
        """Stores it.

        Raises:
            NotFound: the tenant has no such thread.
            Conflict: the thread belongs to another team, or (`ThreadBusy`) takes no message now.
        """
        _sql.insert_run(connection, self.run, self.drafts)
        if self.by and self.by != self.run.requester:
            note_by_hand(connection, self.run, "run.started_for", by=self.by, at=self.run.created_at)
        if self.run.thread_id is not None:
            for run_id in _threads_sql.enter(connection, self.run, self.busy_thread):
                if not stop(connection, run_id, self.run.created_at):
                    _sql.request_cancel(connection, run_id)


def check_instant(due_at: datetime | None) -> None:
    """Returns where a run may begin at the instant.

    Raises:
        InvalidInput: nobody knows which one it is.
    """
    if due_at is not None and due_at.utcoffset() is None:
        raise InvalidInput(
            "an instant without a time zone", hint="Add one: 2026-12-01T08:00+01:00, or `tzinfo=UTC`."
        )


class Intake:
    """Where tasks come in."""

    def __init__(self, hooks: Hooks, *, clock: Clock, worker: str) -> None:
        self._hooks = hooks
        self._clock = clock
        self._worker = worker

    def prepare(
        self,
        team: str,
        task: str,
        *,
        parts: Parts = (),
        target: str = "",
        tenant: str = "default",
        requester: str = "",
        by: str = "",
        priority: int = 0,
        due_at: datetime | None = None,
        thread_id: str | None = None,
        schedule_id: str | None = None,
        pace: Pace = "prompt",
        subject: str = "",
        trace: str = "",
        executes: bool = False,
    ) -> Prepared:
        """A run with its first events, after the input policy was asked; nothing is stored yet.

        `parts` are the places of the texts that the task was put together from.

        Raises:
            InvalidInput: the text can't be taken at all.
        """
        check_tenant(tenant)
        if not task.strip():
            raise InvalidInput("the text is empty", hint="Say what the team is to do.")
        check_name("requester", requester)
        check_name("subject", subject)
        if abs(priority) > HIGHEST_PRIORITY:
            raise InvalidInput(f"a priority is between -{HIGHEST_PRIORITY} and {HIGHEST_PRIORITY}")
        check_instant(due_at)
        if due_at is not None and thread_id is not None:
            raise InvalidInput(
                "a message of a conversation has its turn when it comes, and can't be delayed",
                hint="Send it when it is due, or outside the conversation.",
            )
        settings = self._hooks.team(team)
        verdict = self._hooks.screen(task, team, parts)
        refused = verdict.outcome == "deny"
        at = self._clock.now()
        here = executes and not refused and thread_id is None
        simple = (due_at is None or due_at <= at) and not refused and self._hooks.simplifies(team)
        run_id = new_id("run")
        run = Run(
            id=run_id,
            team=team,
            target=target,
            tenant=tenant,
            state="refused" if refused else "running" if here else "queued",
            attempt=1 if here else 0,
            task="[withheld]" if refused else task if verdict.text is None else verdict.text,
            result=verdict.reason if refused else None,
            error_code=None,
            error=None,
            cost=0,
            created_at=at,
            finished_at=at if refused else None,
            requester=requester,
            priority=priority,
            due_at=due_at,
            simple=simple,
            thread_id=thread_id,
            schedule_id=schedule_id,
            pace=pace,
            asks=verdict.asks,
            worker=self._worker if here else None,
            subject=subject or (requester if settings.subject else ""),
            purpose=settings.purpose or "",
            trace=self._hooks.spans.identify(run_id, trace),
            release=self._hooks.release,
        )
        drafts = _first_events(run, verdict)
        return Prepared(run=run, drafts=drafts, busy_thread=settings.busy_thread, by=by)


def _first_events(run: Run, verdict: Verdict) -> tuple[EventDraft, ...]:
    """What the log of a new run begins with."""
    at = run.created_at
    drafts = [EventDraft(type="run.started", agent="", data={"team": run.team}, at=at)]
    if verdict.outcome != "allow":
        data = {
            "stage": "input",
            "outcome": verdict.outcome,
            "rules": list(verdict.rules),
            "asks": list(verdict.asks),
        }
        drafts.append(EventDraft(type="policy.verdict", agent="", data=data, at=at))
    if run.state == "refused":
        drafts.append(EventDraft(type="run.refused", agent="", data={"reason": verdict.reason}, at=at))
    if run.simple:
        drafts.append(EventDraft(type="run.simplified", agent="", data={}, at=at))
    return tuple(drafts)
