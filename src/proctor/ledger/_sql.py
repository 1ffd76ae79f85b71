"""The questions that are asked of the ledger."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, func, insert, select

from proctor.core import Micros
from proctor.ledger._entries import LedgerRow, ledger_entries

Dimension = Literal["model", "team", "agent", "day", "run"]

_COLUMNS = {
    "model": ledger_entries.c.model,
    "team": ledger_entries.c.team,
    "agent": ledger_entries.c.agent,
    "day": ledger_entries.c.day,
    "run": ledger_entries.c.run_id,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """The sums of one model, team, agent, day or run."""

    key: str
    calls: int
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int
    cost: Micros


_insert_entry = insert(ledger_entries)


def record(connection: Connection, row: LedgerRow) -> None:
    """Adds an entry."""
    connection.execute(_insert_entry, row)


def spent(connection: Connection, day: str) -> Micros:
    """What all runs together have spent on a UTC day such as `2026-01-31`."""
    total = func.coalesce(func.sum(ledger_entries.c.cost_micros), 0)
    return int(connection.execute(select(total).where(ledger_entries.c.day == day)).scalar_one())


def spend_by(
    connection: Connection, *, since: datetime, until: datetime, by: Dimension
) -> tuple[Spending, ...]:
    """The spending from `since` up to but without `until`, dearest first; by model, without tool calls."""
    entries = ledger_entries.c
    key = _COLUMNS[by]
    cost = func.sum(entries.cost_micros)
    query = (
        select(
            key,
            func.count(),
            func.sum(entries.input_tokens),
            func.sum(entries.output_tokens),
            func.sum(entries.cached_input_tokens),
            func.sum(entries.reasoning_tokens),
            cost,
        )
        .where(entries.at >= since, entries.at < until)
        .group_by(key)
        .order_by(cost.desc(), key)
    )
    if by == "model":
        query = query.where(entries.kind == "model")
    return tuple(
        Spending(
            key=row[0],
            calls=row[1],
            input_tokens=int(row[2]),
            output_tokens=int(row[3]),
            cached_input_tokens=int(row[4]),
            reasoning_tokens=int(row[5]),
            cost=int(row[6]),
        )
        for row in connection.execute(query)
    )
