"""The statements of workers, one function each."""

import json
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from proctor.core import canonical_json
from proctor.engine._tables import workers
from proctor.engine._values import Worker


def seen(connection: Connection, worker: Worker) -> bool:
    """Whether the worker is known; then it stands as it says of itself now."""
    said = {"seen_at": worker.seen_at, "running": worker.running, "stopping": worker.stopping}
    changed = connection.execute(update(workers).where(workers.c.id == worker.id).values(said))
    return changed.rowcount == 1


def add(connection: Connection, worker: Worker) -> None:
    """Adds a worker."""
    connection.execute(
        insert(workers).values(
            id=worker.id,
            host=worker.host,
            pid=worker.pid,
            engine=worker.engine,
            teams=canonical_json(worker.teams),
            running=worker.running,
            stopping=worker.stopping,
            started_at=worker.started_at,
            seen_at=worker.seen_at,
        )
    )


def remove(connection: Connection, id: str) -> None:
    """Deletes a worker."""
    connection.execute(delete(workers).where(workers.c.id == id))


def remove_silent(connection: Connection, since: datetime) -> None:
    """Deletes the workers that have said nothing since an instant."""
    connection.execute(delete(workers).where(workers.c.seen_at < since))


def page(connection: Connection, since: datetime) -> tuple[Worker, ...]:
    """The workers that were seen since an instant, those seen last first."""
    query = select(workers).where(workers.c.seen_at >= since).order_by(workers.c.seen_at.desc())
    return tuple(
        Worker(
            id=row.id,
            host=row.host,
            pid=row.pid,
            engine=row.engine,
            teams=tuple(json.loads(row.teams)),
            running=row.running,
            stopping=row.stopping,
            started_at=row.started_at,
            seen_at=row.seen_at,
        )
        for row in connection.execute(query)
    )
