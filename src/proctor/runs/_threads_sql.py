"""The statements of threads: whose turn it is, and what their agents know."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, exists, insert, or_, select, update

from proctor.core import BusyThread, Conflict, JsonObject, NotFound, ThreadBusy, read_object
from proctor.runs._tables import runs, thread_states, threads
from proctor.runs._values import Run, RunState, Thread

_BEGUN: tuple[RunState, ...] = ("running", "waiting")
_BUSY: tuple[RunState, ...] = ("queued", *_BEGUN)
_RESUMABLE: tuple[RunState, ...] = (*_BUSY, "failed")

_other = runs.alias("other")


def thread_free() -> ColumnElement[bool]:
    """Whether nothing of its thread stands before a queued run, as far as the condition's snapshot goes.

    Runs without a thread are always free. A run that was begun stands before all others, a queued one before
    those of later messages; one that has failed before none.
    """
    of_thread = exists().where(_other.c.thread_id == runs.c.thread_id)
    begun = of_thread.where(_other.c.state.in_(_BEGUN), _other.c.id != runs.c.id)
    earlier = of_thread.where(_other.c.state == "queued", _other.c.turn < runs.c.turn)
    return or_(runs.c.thread_id.is_(None), and_(~begun, ~earlier))


def thread_before(run_id: str) -> ColumnElement[bool]:
    """Whether a run belongs to an earlier message of the same thread as the given one."""
    return exists().where(
        _other.c.id == run_id, _other.c.thread_id == runs.c.thread_id, _other.c.turn > runs.c.turn
    )


def standing_before(connection: Connection, run_id: str) -> tuple[str, ...]:
    """The ids of unended runs of earlier messages in a run's thread, in their order."""
    query = select(runs.c.id).where(thread_before(run_id), runs.c.state.in_(_BUSY)).order_by(runs.c.turn)
    return tuple(connection.scalars(query))


def lock_thread_of(connection: Connection, run_id: str) -> None:
    """Lets no other transaction take up a run of the same thread, before `thread_free` is asked."""
    query = select(threads.c.id).where(
        threads.c.id == select(runs.c.thread_id).where(runs.c.id == run_id).scalar_subquery()
    )
    connection.execute(query.with_for_update())  # SQLite has taken its write lock already


def insert_thread(connection: Connection, thread: Thread) -> None:
    """Adds a thread."""
    row = {
        "id": thread.id,
        "team": thread.team,
        "tenant": thread.tenant,
        "turns": thread.turns,
        "created_at": thread.created_at,
        "spoken_at": thread.spoken_at,
    }
    connection.execute(insert(threads), row)


def get_thread(connection: Connection, thread_id: str, *, tenant: str | None = None) -> Thread:
    """One thread; with `tenant` only where it is that tenant's.

    Raises:
        NotFound: there is no such thread.
    """
    query = select(threads).where(threads.c.id == thread_id)
    row = connection.execute(query if tenant is None else query.where(threads.c.tenant == tenant)).first()
    if row is None:
        raise _unknown(thread_id)
    return _thread(row)


def page_threads(
    connection: Connection, *, team: str | None, tenant: str | None, before: str, limit: int
) -> tuple[Thread, ...]:
    """A page of threads, newest first, from before the id `before`."""
    query = select(threads).order_by(threads.c.id.desc()).limit(limit)
    if team is not None:
        query = query.where(threads.c.team == team)
    if tenant is not None:
        query = query.where(threads.c.tenant == tenant)
    if before:
        query = query.where(threads.c.id < before)
    return tuple(_thread(row) for row in connection.execute(query))


def runs_of_thread(connection: Connection, thread_id: str, *, after: int, limit: int) -> tuple[str, ...]:
    """The ids of a thread's runs in the order of its messages, from behind the turn `after`."""
    query = (
        select(runs.c.id)
        .where(runs.c.thread_id == thread_id, runs.c.turn > after)
        .order_by(runs.c.turn)
        .limit(limit)
    )
    return tuple(connection.scalars(query))


def is_shared(connection: Connection, run: Run) -> bool:
    """Whether runs of another requester belong to a run's thread."""
    others = exists().where(runs.c.thread_id == run.thread_id, runs.c.requester != run.requester)
    return bool(connection.scalar(select(others)))


def enter(connection: Connection, run: Run, busy: BusyThread) -> tuple[str, ...]:
    """Gives a run that was just stored its turn in its thread; the ids of runs that are to be stopped for it.

    Raises:
        NotFound: the tenant has no such thread.
        Conflict: the thread belongs to another team.
        ThreadBusy: a run goes on, and the team takes no message meanwhile.
    """
    assert run.thread_id is not None
    turned = connection.execute(  # locks the thread's row: messages that come at once stand in a line
        update(threads)
        .where(threads.c.id == run.thread_id, threads.c.tenant == run.tenant)
        .values(turns=threads.c.turns + 1, spoken_at=run.created_at)
        .returning(threads.c.turns, threads.c.team)
    ).first()
    if turned is None:
        raise _unknown(run.thread_id)
    if turned.team != run.team:
        raise Conflict(
            f"thread {run.thread_id} is a conversation with {turned.team}, not with {run.team}",
            hint="Open a thread for each team.",
        )
    connection.execute(update(runs).where(runs.c.id == run.id).values(turn=turned.turns))
    if busy == "queue" or run.state == "refused":
        return ()
    going_on = _busy(connection, run.thread_id, but=run.id)
    if busy == "reject" and going_on:
        raise ThreadBusy(
            f"run {going_on[0]} of thread {run.thread_id} goes on",
            hint=f"Send the message when it has ended, or set teams.{run.team}.busy_thread.",
        )
    return going_on


def begin(connection: Connection, run_id: str) -> JsonObject | None:
    """What the team of a run is told that earlier runs of its thread knew: at each attempt the same.

    To be called in the transaction that takes the run up.
    """
    run = connection.execute(select(runs.c.thread_id, runs.c.follows).where(runs.c.id == run_id)).one()
    if run.thread_id is None:
        return None
    follows = run.follows
    if follows is None:
        newest = (
            select(thread_states.c.run_id)
            .where(thread_states.c.thread_id == run.thread_id)
            .order_by(thread_states.c.turn.desc())
            .limit(1)
        )
        follows = connection.scalar(newest) or ""
        connection.execute(update(runs).where(runs.c.id == run_id).values(follows=follows))
    state = connection.scalar(
        select(thread_states.c.state).where(
            thread_states.c.thread_id == run.thread_id, thread_states.c.run_id == follows
        )
    )
    return None if state is None else read_object(state)


def keep(connection: Connection, run_id: str, state: str) -> None:
    """Keeps what the team of a completed run knew, and drops what no run begins with any more."""
    tags = runs.c.subject, runs.c.purpose
    run = connection.execute(select(runs.c.thread_id, runs.c.turn, *tags).where(runs.c.id == run_id)).one()
    connection.execute(insert(thread_states), {**run._asdict(), "run_id": run_id, "state": state})
    newer = thread_states.alias("newer")
    needed = exists().where(
        runs.c.thread_id == run.thread_id,
        runs.c.follows == thread_states.c.run_id,
        runs.c.state.in_(_RESUMABLE),
    )
    superseded = exists().where(newer.c.thread_id == run.thread_id, newer.c.turn > thread_states.c.turn)
    connection.execute(
        delete(thread_states).where(thread_states.c.thread_id == run.thread_id, superseded, ~needed)
    )


def forget(connection: Connection, thread_id: str) -> int:
    """How many states of a thread there were; there are none any more.

    Raises:
        ThreadBusy: a run goes on, which may begin with one of them again.
    """
    if going_on := _busy(connection, thread_id):
        raise ThreadBusy(f"run {going_on[0]} of thread {thread_id} goes on", hint="Cancel it first.")
    gone = connection.execute(delete(thread_states).where(thread_states.c.thread_id == thread_id))
    return gone.rowcount


def _busy(connection: Connection, thread_id: str, *, but: str = "") -> tuple[str, ...]:
    query = (
        select(runs.c.id)
        .where(runs.c.thread_id == thread_id, runs.c.state.in_(_BUSY), runs.c.id != but)
        .order_by(runs.c.turn)
    )
    return tuple(connection.scalars(query))


def _unknown(thread_id: str) -> NotFound:
    return NotFound(f"there is no thread {thread_id}", hint="`proctor threads list` shows the newest ones.")


def _thread(row: Row[Any]) -> Thread:
    return Thread(
        id=row.id,
        team=row.team,
        tenant=row.tenant,
        turns=row.turns,
        created_at=row.created_at,
        spoken_at=row.spoken_at,
    )
