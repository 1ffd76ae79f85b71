"""Whether what a database holds agrees: with its schema, and the rooms' tables with each other."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Row,
    Select,
    Table,
    and_,
    case,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.exc import DatabaseError

from proctor import store
from proctor.cli._checks import Finding
from proctor.ledger import reconcile_ledger
from proctor.store import metadata

SHOWN = 20
"""Findings of a kind that are shown one by one."""

_BLOB = '{"$blob":"'
"""What stands in the place of a large value, before its digest."""

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_RESTORE = "Restore the file from a copy; `sqlite3 FILE .recover` saves what can be read."

Query = Callable[[], tuple[Select[Any], Callable[[Row[Any]], str]]]


def inspect(engine: Engine) -> list[Finding]:
    """What is found, in one read transaction: each broken thing, and each kind of thing that is well."""
    try:
        return _inspect(engine)
    except DatabaseError as error:
        # The lower byte is the kind of SQLite's error.
        if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
            raise
        return [Finding(what="file", state="broken", found=str(error.orig), todo=_RESTORE)]


def _inspect(engine: Engine) -> list[Finding]:
    found = store.revision(engine)
    if found != store.newest():
        known = f"{found or 'none'}, this version needs {store.newest()}"
        return [Finding(what="schema", state="broken", found=known, todo="proctor db upgrade")]
    with engine.connect() as connection:
        findings = [Finding(what="schema", state="ok", found=found or "")]
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
            findings += _file(connection)
            if findings[1].state == "broken":
                return findings  # what a damaged file answers to further questions says nothing
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for what, query in _QUERIES.items():
            statement, describe = query()
            findings += _shown(what, (describe(row) for row in connection.execute(statement)))
        findings += _shown("costs", map(str, reconcile_ledger(connection)))
    return findings


def _file(connection: Connection) -> Iterator[Finding]:
    told = connection.exec_driver_sql("PRAGMA integrity_check").scalars()
    yield from _shown("file", (line for line in told if line != "ok"), todo=_RESTORE)
    lost = connection.exec_driver_sql("PRAGMA foreign_key_check")
    yield from _shown(
        "references", (f"row {row[1]} of {row[0]} refers to no row of {row[2]}" for row in lost)
    )


def _shown(what: str, broken: Iterable[str], *, todo: str = "") -> Sequence[Finding]:
    lines = list(broken)
    if not lines:
        return [Finding(what=what, state="ok", found="")]
    findings = [Finding(what=what, state="broken", found=line, todo=todo) for line in lines[:SHOWN]]
    if len(lines) > SHOWN:
        findings.append(Finding(what=what, state="broken", found=f"and {len(lines) - SHOWN} more"))
    return findings


def _table(name: str) -> Table:
    return metadata.tables[name]


def _per_run(table: Table, *columns: ColumnElement[Any]) -> FromClause:
    return select(table.c.run_id, *columns).group_by(table.c.run_id).subquery()


def _events() -> tuple[Select[Any], Callable[[Row[Any]], str]]:
    runs, events = _table("runs"), _table("events")
    counted = _per_run(events, func.count().label("rows"), func.max(events.c.seq).label("last"))
    rows, last = func.coalesce(counted.c.rows, 0), func.coalesce(counted.c.last, 0)
    statement = (
        select(runs.c.id, runs.c.events, rows.label("rows"), last.label("last"))
        .join_from(runs, counted, counted.c.run_id == runs.c.id, isouter=True)
        .where(or_(runs.c.events != rows, last != rows))
    )
    return (
        statement,
        lambda row: f"{row.id} counts {row.events} events, has {row.rows}, the last is {row.last}",
    )


def _positions() -> tuple[Select[Any], Callable[[Row[Any]], str]]:
    calls = _table("calls")
    place, finished = calls.c.position, calls.c.outcome.is_not(None)
    statement = (
        select(
            calls.c.run_id,
            func.count(place).label("placed"),
            func.count(place.distinct()).label("places"),
            func.coalesce(func.max(place), -1).label("last"),
            func.sum(case((finished, 1), else_=0)).label("finished"),
        )
        .group_by(calls.c.run_id)
        .having(
            or_(
                func.count(place) != func.count(place.distinct()),
                func.coalesce(func.max(place), -1) != func.count(place) - 1,
                func.coalesce(func.min(place), 0) != 0,
                func.count(place) != func.sum(case((finished, 1), else_=0)),
            )
        )
    )
    return (
        statement,
        lambda row: (
            f"{row.run_id} has {row.finished} finished calls at {row.places} positions up to {row.last}"
        ),
    )


def _blobs() -> tuple[Select[Any], Callable[[Row[Any]], str]]:
    calls, blobs = _table("calls"), _table("blobs")

    def lost(value: ColumnElement[str]) -> ColumnElement[bool]:
        kept = select(1).where(literal(_BLOB) + blobs.c.digest + '"}' == value)
        return and_(value.startswith(_BLOB, autoescape=True), ~kept.exists())

    statement = select(calls.c.run_id, calls.c.agent, calls.c.kind, calls.c.position).where(
        or_(lost(calls.c.request), lost(calls.c.outcome))
    )
    return (
        statement,
        lambda row: f"a value of {row.run_id} is missing: {row.kind} call {row.position} of {row.agent}",
    )


def _runs_of(name: str) -> Query:
    def query() -> tuple[Select[Any], Callable[[Row[Any]], str]]:
        table, runs = _table(name), _table("runs")
        statement = (
            select(table.c.run_id, func.count().label("rows"))
            .where(~select(1).where(runs.c.id == table.c.run_id).exists())
            .group_by(table.c.run_id)
        )
        return statement, lambda row: f"{row.rows} of {row.run_id}, and there is no such run"

    return query


_QUERIES: dict[str, Query] = {
    "events": _events,
    "positions of calls": _positions,
    "large values": _blobs,
    "runs of events": _runs_of("events"),
    "runs of calls": _runs_of("calls"),
    "runs of approvals": _runs_of("approvals"),
}
