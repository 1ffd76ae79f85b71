"""The statements of runs, calls and events, one function each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Connection, Row, bindparam, delete, func, or_, select, update
from sqlalchemy import insert as insert_into
from sqlalchemy.sql.dml import ReturningUpdate

from proctor.core import (
    Event,
    EventType,
    JsonObject,
    Micros,
    NotFound,
    StaleAttempt,
    canonical_json,
    digest_of,
    read_object,
)
from proctor.runs._tables import blobs, calls, events, lost_attempts, runs
from proctor.runs._values import FINAL, CallKey, RecordedCall, Run, RunState

LARGE = 64 * 1024
"""Characters above which a value is kept once, by its digest, beside the journal (DESIGN 2)."""

_BLOB = "$blob"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDraft:
    """An event that has no number yet: the database gives it when it is committed."""

    type: EventType
    agent: str
    data: JsonObject
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """A recorded call on its way into the database, its JSON already as text."""

    key: CallKey
    position: int | None
    attempt: int
    request: str
    outcome: str | None
    cost: int
    started_at: datetime
    duration_ms: float | None


def insert_run(connection: Connection, run: Run, drafts: Sequence[EventDraft]) -> None:
    """Adds a run with its first events."""
    connection.execute(
        _insert_run,
        {
            "id": run.id,
            "team": run.team,
            "target": run.target,
            "tenant": run.tenant,
            "state": run.state,
            "attempt": run.attempt,
            "task": run.task,
            "result": run.result,
            "cost": 0,
            "events": len(drafts),
            "cancel_requested": False,
            "created_at": run.created_at,
            "finished_at": run.finished_at,
            "requester": run.requester,
            "priority": run.priority,
            "due_at": run.due_at,
            "taken_at": run.created_at if run.attempt else None,
            "worker": run.worker,
            "failures": 0,
            "simple": run.simple,
            "thread_id": run.thread_id,
            "schedule_id": run.schedule_id,
            "pace": run.pace,
            "asks": " ".join(run.asks),
            "subject": run.subject,
            "purpose": run.purpose,
            "trace": run.trace,
            "release": run.release,
        },
    )
    connection.execute(_insert_events, _event_rows(run.id, 0, drafts))


def get_run(connection: Connection, run_id: str, *, tenant: str | None = None) -> Run:
    """One run; with `tenant` only where it is that tenant's.

    Raises:
        NotFound: there is no such run.
    """
    query = select(runs).where(runs.c.id == run_id)
    row = connection.execute(query if tenant is None else query.where(runs.c.tenant == tenant)).first()
    if row is None:
        raise NotFound(f"there is no run {run_id}", hint="`proctor runs list` shows the newest ones.")
    return _run(row)


def page_runs(
    connection: Connection,
    *,
    state: RunState | None = None,
    team: str | None = None,
    tenant: str | None = None,
    since: datetime | None = None,
    before: str = "",
    limit: int = 50,
) -> tuple[Run, ...]:
    """A page of runs, newest first, from before the id `before`, and not older than `since`."""
    query = select(runs).order_by(runs.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(runs.c.state == state)
    if team is not None:
        query = query.where(runs.c.team == team)
    if tenant is not None:
        query = query.where(runs.c.tenant == tenant)
    if since is not None:
        query = query.where(runs.c.created_at >= since)
    if before:
        query = query.where(runs.c.id < before)
    return tuple(_run(row) for row in connection.execute(query))


def cancelling(connection: Connection, ids: Collection[str]) -> tuple[str, ...]:
    """Those of the runs that are asked to stop."""
    return tuple(connection.scalars(select(runs.c.id).where(runs.c.id.in_(ids), runs.c.cancel_requested)))


def move(
    connection: Connection, run_id: str, *, allowed: Sequence[RunState], to: RunState, **values: Any
) -> bool:
    """Whether the run was in one of the states, and is now in the other."""
    changed = connection.execute(
        update(runs).where(runs.c.id == run_id, runs.c.state.in_(allowed)).values(state=to, **values)
    )
    return changed.rowcount == 1


def failures(connection: Connection, run_id: str) -> int:
    """How many times the run has ended as failed."""
    failed = events.c.run_id == run_id, events.c.type == "run.failed"
    return connection.scalar(select(func.count()).select_from(events).where(*failed)) or 0


def cancel_requested(connection: Connection, run_id: str) -> bool:
    """Whether somebody asked for the run to stop."""
    return bool(connection.scalar(select(runs.c.cancel_requested).where(runs.c.id == run_id)))


def wake(connection: Connection, ids: Collection[str]) -> Collection[str]:
    """Those of the runs that were resting, and are due now."""
    resting = runs.c.id.in_(ids), runs.c.state == "queued", runs.c.due_at.is_not(None)
    return connection.scalars(update(runs).where(*resting).values(due_at=None).returning(runs.c.id)).all()


def unfinished(connection: Connection, ids: Collection[str]) -> Collection[str]:
    """Those of the runs that may still go on; one that has failed may be resumed."""
    return connection.scalars(select(runs.c.id).where(runs.c.id.in_(ids), runs.c.state.not_in(FINAL))).all()


def states_of(connection: Connection, worker: str) -> frozenset[RunState]:
    """The states of all runs that a worker executes, or did last, or lost."""
    lost = select(lost_attempts.c.run_id).where(lost_attempts.c.worker == worker)
    query = select(runs.c.state).where(or_(runs.c.worker == worker, runs.c.id.in_(lost))).distinct()
    return frozenset(cast("RunState", state) for state in connection.scalars(query))


def note_loss(connection: Connection, run: Run) -> None:
    """Notes whose attempt at a run was lost."""
    values = {"run_id": run.id, "attempt": run.attempt, "worker": run.worker or ""}
    connection.execute(_insert_loss, values)


def waste(
    connection: Connection, run_id: str, *, agent: str, data: JsonObject, cost: Micros, at: datetime
) -> None:
    """Adds what was paid for a run and answers none of its calls; also where the run has ended."""
    draft = EventDraft(type="call.wasted", agent=agent, data=data, at=at)
    if connection.scalar(select(runs.c.id).where(runs.c.id == run_id)) is not None:
        append(connection, run_id, None, [draft], spent=cost)


def request_cancel(connection: Connection, run_id: str) -> None:
    """Asks whoever executes the run to stop it."""
    connection.execute(update(runs).where(runs.c.id == run_id).values(cancel_requested=True))


_insert_run = insert_into(runs)
_insert_loss = insert_into(lost_attempts)
_insert_call = insert_into(calls)
_insert_events = insert_into(events)
_finish_call = (
    update(calls)
    .where(
        calls.c.run_id == bindparam("b_run_id"),
        calls.c.agent == bindparam("b_agent"),
        calls.c.kind == bindparam("b_kind"),
        calls.c.fingerprint == bindparam("b_fingerprint"),
        calls.c.occurrence == bindparam("b_occurrence"),
    )
    .values(
        position=bindparam("b_position"),
        outcome=bindparam("b_outcome"),
        cost=bindparam("b_cost"),
        duration_ms=bindparam("b_duration_ms"),
        attempt=bindparam("b_attempt"),
    )
)


@lru_cache(maxsize=64)
def _advance(fenced: bool, columns: tuple[str, ...]) -> ReturningUpdate[int]:  # noqa: FBT001 - a cache's key
    """The statement of `append`, built once: it stands in the way of every commit."""
    statement = update(runs).where(runs.c.id == bindparam("b_run"))
    if fenced:
        # An attempt whose run was taken from it, or has ended, writes nothing more, whatever its number.
        statement = statement.where(runs.c.attempt == bindparam("b_own"), runs.c.state == "running")
    further: dict[str, Any] = {column: bindparam(f"b_{column}") for column in columns}
    count, cost = runs.c.events + bindparam("b_more"), runs.c.cost + bindparam("b_spent")
    return statement.values(events=count, cost=cost, **further).returning(runs.c.events)


def append(
    connection: Connection,
    run_id: str,
    own: int | None,
    drafts: Sequence[EventDraft],
    *,
    spent: int = 0,
    **values: Any,
) -> None:
    """Numbers and adds events to a run's log, and fences: only the attempt `own` writes, where one is given.

    `values` are further columns of the run to set with it.

    Raises:
        StaleAttempt: another attempt has taken the run over.
    """
    bound = {f"b_{column}": value for column, value in values.items()}
    count = connection.execute(
        _advance(own is not None, tuple(values)),
        {"b_run": run_id, "b_own": own, "b_more": len(drafts), "b_spent": spent, **bound},
    ).scalar_one_or_none()
    if count is None:
        raise StaleAttempt(f"attempt {own} of {run_id} was overtaken by a newer one")
    if drafts:
        connection.execute(_insert_events, _event_rows(run_id, count - len(drafts), drafts))


def _event_rows(run_id: str, count: int, drafts: Sequence[EventDraft]) -> list[dict[str, Any]]:
    return [
        {
            "run_id": run_id,
            "seq": count + number,
            "at": draft.at,
            "type": draft.type,
            "agent": draft.agent,
            "data": canonical_json(draft.data),
        }
        for number, draft in enumerate(drafts, start=1)
    ]


def insert_calls(connection: Connection, run_id: str, recorded: Sequence[CallRow]) -> None:
    """Adds recorded calls."""
    rows = [
        {
            "run_id": run_id,
            "agent": call.key.agent,
            "kind": call.key.kind,
            "fingerprint": call.key.fingerprint,
            "occurrence": call.key.occurrence,
            "position": call.position,
            "attempt": call.attempt,
            "request": _keep(connection, call.request),
            "outcome": None if call.outcome is None else _keep(connection, call.outcome),
            "cost": call.cost,
            "started_at": call.started_at,
            "duration_ms": call.duration_ms,
        }
        for call in recorded
    ]
    connection.execute(_insert_call, rows)


def finish_call(connection: Connection, run_id: str, call: CallRow) -> None:
    """Adds the outcome to a call that was recorded as started."""
    assert call.outcome is not None
    connection.execute(
        _finish_call,
        {
            "b_run_id": run_id,
            "b_agent": call.key.agent,
            "b_kind": call.key.kind,
            "b_fingerprint": call.key.fingerprint,
            "b_occurrence": call.key.occurrence,
            "b_position": call.position,
            "b_outcome": _keep(connection, call.outcome),
            "b_cost": call.cost,
            "b_duration_ms": call.duration_ms,
            "b_attempt": call.attempt,
        },
    )


def forget_start(connection: Connection, run_id: str, key: CallKey) -> None:
    """Takes out a call that was started and has no outcome."""
    connection.execute(
        delete(calls).where(
            calls.c.run_id == run_id,
            calls.c.agent == key.agent,
            calls.c.kind == key.kind,
            calls.c.fingerprint == key.fingerprint,
            calls.c.occurrence == key.occurrence,
            calls.c.outcome.is_(None),
        )
    )


def recorded_calls(connection: Connection, run_id: str) -> tuple[RecordedCall, ...]:
    """A run's calls: the finished ones in the order in which they finished, then those only started."""
    query = select(calls).where(calls.c.run_id == run_id)
    found = tuple(_recorded(connection, row) for row in connection.execute(query))
    return tuple(sorted(found, key=lambda call: (call.position is None, call.position or 0)))


def run_events(
    connection: Connection, run_id: str, *, after: int = 0, limit: int | None = None
) -> tuple[Event, ...]:
    """A run's log from behind a number, in order."""
    query = select(events).where(events.c.run_id == run_id, events.c.seq > after).order_by(events.c.seq)
    return tuple(event_of(row) for row in connection.execute(query.limit(limit)))


def event_of(row: Row[Any]) -> Event:
    """An entry of a log as a value."""
    return Event(
        run_id=row.run_id,
        seq=row.seq,
        at=row.at,
        type=cast("EventType", row.type),
        agent=row.agent,
        data=read_object(row.data),
    )


def _keep(connection: Connection, text: str) -> str:
    if len(text) <= LARGE:
        return text
    name = digest_of(text)
    if connection.execute(select(blobs.c.digest).where(blobs.c.digest == name)).first() is None:
        connection.execute(insert_into(blobs), {"digest": name, "body": text})
    return canonical_json({_BLOB: name})


def _fetch(connection: Connection, text: str) -> dict[str, Any]:
    value = read_object(text)
    if set(value) != {_BLOB}:
        return cast("dict[str, Any]", value)
    body = connection.scalar(select(blobs.c.body).where(blobs.c.digest == value[_BLOB]))
    assert body is not None, "a recorded value is missing beside the journal"
    return cast("dict[str, Any]", read_object(body))


def _recorded(connection: Connection, row: Row[Any]) -> RecordedCall:
    key = CallKey(agent=row.agent, kind=row.kind, fingerprint=row.fingerprint, occurrence=row.occurrence)
    return RecordedCall(
        key=key,
        position=row.position,
        attempt=row.attempt,
        request=_fetch(connection, row.request),
        outcome=None if row.outcome is None else _fetch(connection, row.outcome),
        cost=row.cost,
        started_at=row.started_at,
        duration_ms=row.duration_ms,
    )


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        team=row.team,
        target=row.target,
        tenant=row.tenant,
        state=row.state,
        attempt=row.attempt,
        task=row.task,
        result=row.result,
        error_code=row.error_code,
        error=row.error,
        cost=row.cost,
        created_at=row.created_at,
        finished_at=row.finished_at,
        requester=row.requester,
        priority=row.priority,
        due_at=row.due_at,
        failures=row.failures,
        simple=row.simple,
        thread_id=row.thread_id,
        schedule_id=row.schedule_id,
        pace=row.pace,
        asks=tuple(row.asks.split()),
        worker=row.worker,
        subject=row.subject,
        purpose=row.purpose,
        erased_at=row.erased_at,
        trace=row.trace,
        release=row.release,
    )
