"""The statements of holds, one function each."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, Row, and_, insert, or_, select, update

from proctor.core import NotFound, new_id
from proctor.privacy._errors import OnHold
from proctor.privacy._tables import holds
from proctor.privacy._values import GONE, Hold, HoldKind, Subject
from proctor.runs import runs


def place(
    connection: Connection,
    *,
    kind: HoldKind,
    tenant: str,
    subject: str,
    mark: str,
    run_id: str,
    reason: str,
    by: str,
    at: datetime,
) -> Hold:
    """Adds a hold.

    Raises:
        NotFound: there is no such run.
    """
    if run_id and connection.scalar(select(runs.c.id).where(runs.c.id == run_id)) is None:
        raise NotFound(f"there is no run {run_id}", hint="`proctor runs list` shows the newest ones.")
    row = {
        "id": new_id("hld"),
        "kind": kind,
        "tenant": tenant,
        "subject": subject,
        "mark": mark,
        "run_id": run_id,
        "reason": reason,
        "placed_by": by,
        "placed_at": at,
    }
    return _hold(connection.execute(insert(holds).values(row).returning(*holds.c)).one())


def release(connection: Connection, id: str, *, by: str, at: datetime) -> Hold:
    """The hold after it is released.

    Raises:
        NotFound: there is no such hold, or it was released before.
    """
    mine = (holds.c.id == id, holds.c.released_at.is_(None))
    changed = update(holds).where(*mine).values(released_at=at, released_by=by).returning(*holds.c)
    row = connection.execute(changed).first()
    if row is None:
        raise NotFound(f"no hold {id} holds", hint="`proctor privacy hold list` shows those that do.")
    return _hold(row)


def page(connection: Connection, *, tenant: str, all: bool) -> tuple[Hold, ...]:
    """The holds of a tenant, oldest first: those that hold, or all."""
    query = select(holds).where(holds.c.tenant == tenant).order_by(holds.c.id)
    if not all:
        query = query.where(holds.c.released_at.is_(None))
    return tuple(_hold(row) for row in connection.execute(query))


def restricts(connection: Connection, subject: Subject) -> Hold | None:
    """What keeps a subject's data from being processed."""
    query = select(holds).where(
        holds.c.subject == subject.name,
        holds.c.tenant == subject.tenant,
        holds.c.kind == "restriction",
        holds.c.released_at.is_(None),
    )
    row = connection.execute(query.limit(1)).first()
    return None if row is None else _hold(row)


def refuse_held(connection: Connection, *, tenant: str, names: Collection[str], ids: Collection[str]) -> None:
    """Returns where neither one of the subjects nor one of the runs is held.

    Raises:
        OnHold: one is.
    """
    named = or_(holds.c.subject.in_(names), holds.c.mark.in_(names))
    mine = or_(and_(holds.c.tenant == tenant, named), holds.c.run_id.in_(ids))
    query = select(holds.c.id, holds.c.reason).where(holds.c.released_at.is_(None), mine)
    found = connection.execute(query.order_by(holds.c.id)).all()
    if found:
        raise OnHold(
            f"hold {found[0].id} keeps this: {found[0].reason}",
            holds=tuple(row.id for row in found),
            hint="Nothing was erased. `proctor privacy hold release` ends a hold.",
        )


def held() -> ColumnElement[bool]:
    """Whether a run is held, by itself or by its subject, for a query over runs."""
    active = select(holds.c.id).where(holds.c.released_at.is_(None))
    named = or_(
        holds.c.subject == runs.c.subject,
        holds.c.mark == runs.c.subject,
        and_(runs.c.subject == "", holds.c.subject == runs.c.requester),
    )
    of_subject = active.where(holds.c.subject != "", named, holds.c.tenant == runs.c.tenant)
    of_run = active.where(holds.c.run_id == runs.c.id)
    return or_(of_subject.exists(), of_run.exists())


def held_subjects(connection: Connection) -> frozenset[tuple[str, str]]:
    """The tenants and names, or marks, of the subjects that are held, also those of held runs."""
    active = holds.c.released_at.is_(None)
    named = select(holds.c.tenant, holds.c.subject).where(active, holds.c.subject != "")
    marked = select(holds.c.tenant, holds.c.mark).where(active, holds.c.mark != "")
    of_runs = select(runs.c.tenant, runs.c.subject).where(
        runs.c.id.in_(select(holds.c.run_id).where(active, holds.c.run_id != "")), runs.c.subject != ""
    )
    return frozenset(
        (row[0], row[1]) for query in (named, marked, of_runs) for row in connection.execute(query)
    )


def rename(connection: Connection, subject: Subject, mark: str) -> int:
    """How many released holds bear the mark in the place of the name now, and no reason."""
    mine = (holds.c.tenant == subject.tenant, holds.c.subject == subject.name)
    return connection.execute(update(holds).where(*mine).values(subject=mark, reason=GONE)).rowcount


def _hold(row: Row[Any]) -> Hold:
    return Hold(
        id=row.id,
        kind=cast("HoldKind", row.kind),
        tenant=row.tenant,
        subject=row.subject,
        run_id=row.run_id,
        reason=row.reason,
        placed_by=row.placed_by,
        placed_at=row.placed_at,
        released_by=row.released_by,
        released_at=row.released_at,
    )
