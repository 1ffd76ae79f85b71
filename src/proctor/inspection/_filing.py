"""Findings as they are kept: each once, with when it was found first and last."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Row, insert, select, update

from proctor import audit
from proctor.audit import Wanted
from proctor.core import JsonObject, new_id
from proctor.inspection._tables import findings, inspections
from proctor.inspection._values import Filed, Finding, FindingKind, Severity
from proctor.ledger import utc_day
from proctor.store import insert_into

DAILY, BY_HAND = "daily", "by hand"
"""What the record calls inspections."""
AHEAD = timedelta(hours=1)
"""How much later than this one an inspection may have begun that has ended already: so far clocks differ."""


def file(
    connection: Connection, found: Sequence[Finding], *, at: datetime, in_full: Collection[FindingKind]
) -> tuple[Filed, ...]:
    """The findings that are new. Of kinds that were looked at in full, those not found again are gone.

    What an inspection says that began later, and has ended already, stands.
    """
    known: Mapping[str, Row[Any]] = {row.mark: row for row in connection.execute(select(findings))}
    marks = {finding.mark: finding for finding in found}
    fresh = [_add(connection, each, at) for mark, each in marks.items() if mark not in known]
    again = [mark for mark in marks if mark in known and (known[mark].gone_at or known[mark].last_at) <= at]
    for mark in again:
        reopened = {"last_at": at, "gone_at": None, "text": marks[mark].text}
        connection.execute(update(findings).where(findings.c.mark == mark).values(reopened))
    for mark, row in known.items():
        if mark not in marks and row.kind in in_full and row.gone_at is None and row.last_at <= at:
            connection.execute(update(findings).where(findings.c.mark == mark).values(gone_at=at))
    return tuple(fresh)


def page(connection: Connection, *, all: bool = False, after: str = "", limit: int = 50) -> tuple[Filed, ...]:
    """A page of findings, oldest first: those that still hold, or all."""
    query = select(findings).where(findings.c.id > after).order_by(findings.c.id).limit(limit)
    if not all:
        query = query.where(findings.c.gone_at.is_(None))
    return tuple(filed(row) for row in connection.execute(query))


def last_daily(connection: Connection, now: datetime) -> datetime | None:
    """When the clock had all inspected last: by the record, since whoever wants none could write rows."""
    wanted = Wanted(action="inspection.made", thing=DAILY, until=now + AHEAD)
    made = audit.newest(connection, wanted, limit=1)
    return made[0].at if made else None


def take_day(connection: Connection, *, day: str, at: datetime, worker: str, found: int) -> bool:
    """Whether nobody else has inspected on that day. Who comes second waits for the first one's end."""
    row = {"day": day, "at": at, "worker": worker, "findings": found}
    connection.execute(insert_into(connection, inspections).values(row).on_conflict_do_nothing())
    last = last_daily(connection, at)
    return last is None or utc_day(last) < day


def note(
    connection: Connection, *, at: datetime, by: str, thing: str, since: datetime, found: int, fresh: int
) -> None:
    """Enters in the record that an inspection was made."""
    data: JsonObject = {"since": since.isoformat(), "found": found, "new": fresh}
    audit.append(connection, at=at, actor=by, action="inspection.made", thing=thing, data=data)


def _add(connection: Connection, finding: Finding, at: datetime) -> Filed:
    row = {
        "id": new_id("fnd"),
        "mark": finding.mark,
        "kind": finding.kind,
        "severity": finding.severity,
        "run_id": finding.run_id,
        "thing": finding.thing,
        "text": finding.text,
        "first_at": at,
        "last_at": at,
    }
    kept = connection.execute(insert(findings).values(row).returning(*findings.c)).one()
    data = {"kind": finding.kind, "severity": finding.severity, "run": finding.run_id}
    audit.append(connection, at=at, actor="proctor", action="inspection.found", thing=kept.id, data=data)
    return filed(kept)


def filed(row: Row[Any]) -> Filed:
    """The finding that a row tells of."""
    return Filed(
        id=row.id,
        kind=cast("FindingKind", row.kind),
        severity=cast("Severity", row.severity),
        run_id=row.run_id,
        thing=row.thing,
        text=row.text,
        first_at=row.first_at,
        last_at=row.last_at,
        gone_at=row.gone_at,
    )
