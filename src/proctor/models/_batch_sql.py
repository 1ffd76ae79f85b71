"""The statements of batches, one function each."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, select, update

from proctor.core import ModelResult
from proctor.models._batch_tables import batch_requests, batches
from proctor.models._batch_values import (
    Batch,
    BatchRequest,
    BatchState,
    Received,
    Release,
    RequestState,
    Unbatched,
    Unclaimed,
)
from proctor.store import insert_into

DEADLINE = "there was no answer in time"

_request_columns = [column for column in batch_requests.c if column.name not in ("body", "size", "woken_at")]


def find(connection: Connection, key: str) -> BatchRequest | None:
    """The request of a call."""
    row = connection.execute(_requests().where(batch_requests.c.key == key)).first()
    return None if row is None else _request(row)


def add(connection: Connection, request: BatchRequest, body: str) -> None:
    """Adds a request, unless it is there."""
    row = {
        "key": request.key,
        "run_id": request.run_id,
        "team": request.team,
        "tenant": request.tenant,
        "agent": request.agent,
        "requester": request.requester,
        "thread_id": request.thread,
        "deployment": request.deployment,
        "state": request.state,
        "body": body,
        "size": len(body.encode("utf-8", "surrogatepass")),
        "created_at": request.created_at,
        "ready_at": request.created_at,
        "deadline_at": request.deadline_at,
    }
    connection.execute(insert_into(connection, batch_requests).values(row).on_conflict_do_nothing())


def let_wait(connection: Connection, key: str, *, ready_at: datetime, deadline_at: datetime) -> None:
    """Lets a new request be gathered."""
    new = batch_requests.c.key == key, batch_requests.c.state == "new"
    values = {"state": "waiting", "ready_at": ready_at, "deadline_at": deadline_at}
    connection.execute(update(batch_requests).where(*new).values(values))


def give_up(connection: Connection, key: str, at: datetime, release: Release) -> BatchRequest | None:
    """The request after nobody waits for it any more, unless it was answered meanwhile."""
    request = _locked(connection, batch_requests.c.key == key)
    for each in request:
        if each.state in ("new", "waiting"):
            release(connection, each.holder)
            _fail(connection, [key], DEADLINE, at)
        elif each.state == "sent":
            _set(connection, [key], state="late", error=DEADLINE, woken_at=at)
    return find(connection, key)


def remove(connection: Connection, key: str) -> None:
    """Takes a request away whose call has come to its outcome; a late one is left to its batch."""
    left = batch_requests.c.key == key, batch_requests.c.state != "late"
    connection.execute(delete(batch_requests).where(*left))


# Batches on their way.


def ready(connection: Connection, deployments: Collection[str], at: datetime, *, enough: int) -> list[str]:
    """The deployments for which a batch is to be made: one of its requests has waited, or there are many."""
    waiting = batch_requests.c.state == "waiting", batch_requests.c.deployment.in_(sorted(deployments))
    first, count = func.min(batch_requests.c.ready_at), func.count()
    query = select(batch_requests.c.deployment).where(*waiting).group_by(batch_requests.c.deployment)
    return list(connection.scalars(query.having((first <= at) | (count >= enough))))


def make(
    connection: Connection,
    deployment: str,
    *,
    id: str,
    at: datetime,
    gather: timedelta,
    most: int,
    most_bytes: int,
) -> int:
    """How many requests are now in a new batch; where there is none, there is no batch."""
    query = (
        select(batch_requests.c.key, batch_requests.c.size)
        .where(
            batch_requests.c.state == "waiting",
            batch_requests.c.deployment == deployment,
            batch_requests.c.ready_at <= at + gather,
        )
        .order_by(batch_requests.c.created_at, batch_requests.c.key)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    chosen: list[str] = []
    for key, size in connection.execute(query):
        most_bytes -= size
        if chosen and most_bytes < 0:
            break
        chosen.append(key)
    if chosen:
        _set(connection, chosen, state="sent", batch_id=id)
        row = {"id": id, "deployment": deployment, "state": "made", "requests": len(chosen)}
        connection.execute(insert(batches), {**row, "created_at": at, "next_at": at})
    return len(chosen)


def due(connection: Connection, deployments: Collection[str], at: datetime) -> tuple[Batch, ...]:
    """The batches that somebody should look after now."""
    query = select(batches).where(
        batches.c.state != "ended", batches.c.next_at <= at, batches.c.deployment.in_(sorted(deployments))
    )
    return tuple(_batch(row) for row in connection.execute(query.order_by(batches.c.next_at, batches.c.id)))


def claim(connection: Connection, batch: Batch, until: datetime) -> bool:
    """Whether the batch is the caller's to look after until then."""
    still = batches.c.id == batch.id, batches.c.state == batch.state, batches.c.next_at == batch.next_at
    return connection.execute(update(batches).where(*still).values(next_at=until)).rowcount == 1


def requests_of(connection: Connection, id: str) -> list[tuple[str, str]]:
    """The key and the body of each request of a batch for which somebody waits."""
    query = select(batch_requests.c.key, batch_requests.c.body).where(*_sent(id))
    rows = connection.execute(query.order_by(batch_requests.c.created_at, batch_requests.c.key))
    return [(row.key, row.body) for row in rows]


def wanted(connection: Connection, id: str) -> bool:
    """Whether somebody waits for a request of the batch."""
    return connection.execute(select(batch_requests.c.key).where(*_sent(id)).limit(1)).first() is not None


def set_submitting(connection: Connection, id: str) -> None:
    """Notes that the provider may have the batch from now on."""
    made = batches.c.id == id, batches.c.state == "made"
    connection.execute(update(batches).where(*made).values(state="submitting"))


def set_submitted(connection: Connection, id: str, provider_id: str, next_at: datetime) -> str:
    """The id by which the provider knows the batch: the first one that was told."""
    first = batches.c.id == id, batches.c.provider_id.is_(None)
    values = {"state": "submitted", "provider_id": provider_id, "next_at": next_at}
    connection.execute(update(batches).where(*first).values(values))
    return str(connection.scalar(select(batches.c.provider_id).where(batches.c.id == id)))


def provider_ids(connection: Connection, deployment: str) -> frozenset[str]:
    """The ids by which the provider knows a deployment's batches."""
    of_it = batches.c.deployment == deployment, batches.c.provider_id.is_not(None)
    return frozenset(connection.scalars(select(batches.c.provider_id).where(*of_it)))


def set_next(connection: Connection, id: str, next_at: datetime) -> None:
    """Sets when the batch is looked after next."""
    connection.execute(update(batches).where(batches.c.id == id).values(next_at=next_at))


def receive(
    connection: Connection,
    id: str,
    received: Sequence[Received],
    *,
    at: datetime,
    release: Release,
    unclaimed: Unclaimed,
) -> None:
    """Stores what came of requests of a batch; what was stored before is left."""
    of_batch = batch_requests.c.batch_id == id, batch_requests.c.key.in_([each.key for each in received])
    left = {request.key: request for request in _locked(connection, *of_batch)}
    for each in received:
        request = left.pop(each.key, None)
        if request is None or request.state not in ("sent", "late"):
            continue
        if request.state == "sent" and each.result is not None and not each.error:
            _set(connection, [each.key], state="answered", answer=each.answer)
            continue
        if each.result is not None:
            unclaimed(connection, request, each.result)
        else:
            release(connection, request.holder)
        _fail(connection, [each.key], each.error or request.error, at if request.state == "late" else None)


def end(
    connection: Connection,
    id: str,
    *,
    at: datetime,
    error: str,
    release: Release,
    again_at: datetime | None = None,
) -> None:
    """Ends a batch. What it hasn't answered fails; with `again_at` it waits for another batch."""
    for request in _locked(connection, batch_requests.c.batch_id == id):
        if request.state == "sent" and again_at is not None:
            _set(connection, [request.key], state="waiting", batch_id=None, ready_at=again_at)
        elif request.state in ("sent", "late"):
            release(connection, request.holder)
            woken_at = at if request.state == "late" else None
            _fail(connection, [request.key], error or "the batch ended without an answer", woken_at)
    values = {"state": "ended", "ended_at": at, "error": error or None}
    connection.execute(update(batches).where(batches.c.id == id).values(values))


def prune(connection: Connection, before: datetime) -> None:
    """Forgets the batches that ended before."""
    connection.execute(delete(batches).where(batches.c.ended_at < before))


# The runs that wait.


def come_out(connection: Connection, most: int) -> list[str]:
    """Runs that wait for a request which has come to an end, and that were not told so."""
    query = select(batch_requests.c.run_id).where(*_untold()).distinct().limit(most)
    return list(connection.scalars(query))


def set_woken(connection: Connection, run_ids: Collection[str], at: datetime) -> None:
    """Notes that the runs were told."""
    told = update(batch_requests).where(batch_requests.c.run_id.in_(list(run_ids)), *_untold())
    connection.execute(told.values(woken_at=at))


def owners(connection: Connection, *, after: str, most: int) -> list[str]:
    """Runs that have requests, in order, from behind an id."""
    query = select(batch_requests.c.run_id).where(batch_requests.c.run_id > after).distinct()
    return list(connection.scalars(query.order_by(batch_requests.c.run_id).limit(most)))


def abandon(
    connection: Connection,
    run_ids: Collection[str],
    *,
    at: datetime,
    release: Release,
    read: Callable[[BatchRequest], ModelResult | None],
    unclaimed: Unclaimed,
) -> None:
    """Drops what runs that have ended asked for; what a provider has is dropped when it has come back."""
    for request in _locked(connection, batch_requests.c.run_id.in_(list(run_ids))):
        if request.state == "sent":
            _set(connection, [request.key], state="late", error="the run has ended", woken_at=at)
        if request.state in ("sent", "late"):
            continue
        result = read(request) if request.state == "answered" else None
        if result is not None:
            unclaimed(connection, request, result)
        else:
            release(connection, request.holder)
        connection.execute(delete(batch_requests).where(batch_requests.c.key == request.key))


# What people look at.


def batch_page(connection: Connection, limit: int) -> tuple[Batch, ...]:
    """The newest batches, newest first."""
    unanswered = (
        select(func.count())
        .where(batch_requests.c.batch_id == batches.c.id, batch_requests.c.state == "sent")
        .scalar_subquery()
    )
    query = select(batches, unanswered.label("unanswered")).order_by(batches.c.id.desc()).limit(limit)
    return tuple(_batch(row, row.unanswered) for row in connection.execute(query))


def unbatched(connection: Connection) -> tuple[Unbatched, ...]:
    """What isn't in a batch yet, by deployment."""
    first, name = func.min(batch_requests.c.created_at), batch_requests.c.deployment
    query = select(name, func.count(), first).where(batch_requests.c.state == "waiting").group_by(name)
    rows = connection.execute(query.order_by(name))
    return tuple(Unbatched(deployment=row[0], requests=row[1], since=row[2]) for row in rows)


def _sent(id: str) -> tuple[Any, ...]:
    return batch_requests.c.batch_id == id, batch_requests.c.state == "sent"


def _untold() -> tuple[Any, ...]:
    return batch_requests.c.state.in_(("answered", "failed")), batch_requests.c.woken_at.is_(None)


def _requests() -> Select[Any]:
    return select(*_request_columns)


def _locked(connection: Connection, *which: Any) -> list[BatchRequest]:
    """Requests that nobody else changes until the commit."""
    query = _requests().where(*which).order_by(batch_requests.c.key).with_for_update()
    return [_request(row) for row in connection.execute(query)]


def _set(connection: Connection, keys: Sequence[str], **values: Any) -> None:
    named: dict[str, Any] = {name: bindparam(f"b_{name}") for name in values}
    statement = update(batch_requests).where(batch_requests.c.key == bindparam("b_key")).values(named)
    bound = {f"b_{name}": value for name, value in values.items()}
    connection.execute(statement, [{"b_key": key, **bound} for key in keys])


def _fail(connection: Connection, keys: Sequence[str], error: str, woken_at: datetime | None) -> None:
    _set(connection, keys, state="failed", error=error, woken_at=woken_at)


def _request(row: Row[Any]) -> BatchRequest:
    return BatchRequest(
        key=row.key,
        run_id=row.run_id,
        team=row.team,
        tenant=row.tenant,
        agent=row.agent,
        requester=row.requester,
        thread=row.thread_id,
        deployment=row.deployment,
        state=cast("RequestState", row.state),
        answer=row.answer,
        error=row.error or "",
        created_at=row.created_at,
        deadline_at=row.deadline_at,
    )


def _batch(row: Row[Any], unanswered: int = 0) -> Batch:
    return Batch(
        id=row.id,
        deployment=row.deployment,
        state=cast("BatchState", row.state),
        provider_id=row.provider_id or "",
        requests=row.requests,
        created_at=row.created_at,
        next_at=row.next_at,
        ended_at=row.ended_at,
        error=row.error or "",
        unanswered=unanswered,
    )
