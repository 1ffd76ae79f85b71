"""Whether the ledger agrees with the journal, to the micro-dollar.

The journal's tables belong to the room of runs, which this one doesn't know: it meets them by their names.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    String,
    Subquery,
    Table,
    and_,
    func,
    or_,
    select,
)

from proctor.core import Clock, Micros, format_usd, read_object
from proctor.ledger._entries import ledger_entries, utc_day
from proctor.store import Database, UtcDateTime, insert_into, metadata

log = logging.getLogger("proctor.ledger")

SETTLING = timedelta(minutes=5)
"""How long a process is up before it audits: one that executes a single run is gone by then."""
CHUNK = 500
"""Runs whose events are read at a time."""
LOGGED = 20
"""Differences that a log tells one by one."""

ledger_audits = Table(
    "ledger_audits",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("worker", String(100), nullable=False),
    Column("differences", Integer, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A run about whose cost the run itself, its journal and the ledger don't agree."""

    run_id: str
    cost: Micros | None
    """What the run says; nothing where there is no such run."""
    called: Micros
    """What its recorded calls say."""
    wasted: Micros
    """What its log says of requests that brought no answer."""
    entered: Micros
    """What the ledger says."""

    @property
    def off(self) -> Micros:
        """By how much the ledger exceeds the journal; less than 0 where it falls short."""
        return self.entered - self.called - self.wasted

    def __str__(self) -> str:
        entered = f"the ledger says {format_usd(self.entered)}"
        if self.cost is None:
            return f"{entered} for {self.run_id}, and there is no such run"
        called = format_usd(self.called + self.wasted)
        return f"{self.run_id} cost {format_usd(self.cost)}, its calls {called}, {entered}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """A scheduled audit that was made."""

    day: str
    at: datetime
    worker: str
    differences: int
    """Runs that didn't agree."""


def reconcile_ledger(connection: Connection) -> tuple[Difference, ...]:
    """The runs whose costs don't agree, in the order of their ids.

    Of a run that is executed at this moment only what is committed together is compared: what it cost, and
    the ledger.
    """
    runs, calls = metadata.tables["runs"].c, metadata.tables["calls"].c
    called = _per_run(calls.run_id, calls.cost)
    entered = _per_run(ledger_entries.c.run_id, ledger_entries.c.cost_micros)
    of_calls, of_ledger = func.coalesce(called.c.cost, 0), func.coalesce(entered.c.cost, 0)
    idle = runs.state != "running"
    suspects = (
        select(runs.id, idle.label("idle"), runs.cost, of_calls.label("called"), of_ledger.label("entered"))
        .select_from(
            metadata.tables["runs"]
            .outerjoin(called, called.c.run_id == runs.id)
            .outerjoin(entered, entered.c.run_id == runs.id)
        )
        .where(
            or_(runs.cost != of_ledger, and_(idle, or_(runs.cost != of_calls, runs.id.in_(_with_waste()))))
        )
        .order_by(runs.id)
    )
    rows = connection.execute(suspects).all()
    wasted = _wasted(connection, [row.id for row in rows])
    differences = (
        Difference(
            run_id=row.id,
            cost=row.cost,
            called=int(row.called),
            wasted=wasted[row.id],
            entered=int(row.entered),
        )
        for row in rows
        if row.cost != row.entered or (row.idle and row.cost != row.called + wasted[row.id])
    )
    return (*differences, *_of_no_run(connection))


def last_audit(connection: Connection) -> Audited | None:
    """The newest audit that was made by schedule."""
    row = connection.execute(select(ledger_audits).order_by(ledger_audits.c.day.desc()).limit(1)).first()
    return None if row is None else Audited(**row._asdict())


class Audit:
    """The audit that is made once in a UTC day, whoever of the workers comes first."""

    def __init__(
        self, database: Database, *, clock: Clock, worker: str, on_differences: Callable[[int], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._worker = worker
        self._tell = on_differences
        self._begun = clock.now()
        self._day = ""

    async def look(self) -> None:
        """Audits where that wasn't done today, logs what differs and tells how many runs do."""
        now = self._clock.now()
        day = utc_day(now)
        if day == self._day or now - self._begun < SETTLING:
            return
        done = await self._database.read(last_audit)
        if done is None or done.day < day:
            found = await self._database.read_long(reconcile_ledger)
            row = {"day": day, "at": now, "worker": self._worker, "differences": len(found)}
            if await self._database.commit(lambda connection: _note(connection, row)) and found:
                _log(found)
                self._tell(len(found))
        self._day = day


def _per_run(run_id: ColumnElement[str], cost: ColumnElement[int]) -> Subquery:
    return select(run_id, func.sum(cost).label("cost")).group_by(run_id).subquery()


def _with_waste() -> Any:
    events = metadata.tables["events"].c
    return select(events.run_id).where(events.type == "call.wasted")


def _wasted(connection: Connection, run_ids: Sequence[str]) -> Counter[str]:
    events = metadata.tables["events"].c
    found: Counter[str] = Counter()
    for start in range(0, len(run_ids), CHUNK):
        query = select(events.run_id, events.data).where(
            events.run_id.in_(run_ids[start : start + CHUNK]), events.type == "call.wasted"
        )
        for run_id, data in connection.execute(query):
            found[run_id] += int(str(read_object(data)["cost"]))
    return found


def _of_no_run(connection: Connection) -> tuple[Difference, ...]:
    entries, runs = ledger_entries.c, metadata.tables["runs"].c
    query = (
        select(entries.run_id, func.sum(entries.cost_micros))
        .where(entries.run_id != "", ~select(1).where(runs.id == entries.run_id).exists())
        .group_by(entries.run_id)
        .order_by(entries.run_id)
    )
    return tuple(
        Difference(run_id=run_id, cost=None, called=0, wasted=0, entered=int(cost))
        for run_id, cost in connection.execute(query)
    )


def _note(connection: Connection, row: dict[str, Any]) -> bool:
    """Whether nobody else has audited on that day."""
    statement = insert_into(connection, ledger_audits).values(row).on_conflict_do_nothing()
    return connection.execute(statement.returning(ledger_audits.c.day)).first() is not None


def _log(found: Sequence[Difference]) -> None:
    for difference in found[:LOGGED]:
        log.error("the ledger doesn't agree with the journal: %s", difference)
    if len(found) > LOGGED:
        log.error("and %d more runs: proctor costs audit", len(found) - LOGGED)
