"""How much of each deployment's rate is taken, by all workers together: the table and its one statement."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, String, Table, func, select, update

from proctor.models._bucket import Amounts, Bucket, Measure
from proctor.store import UtcDateTime, insert_into, metadata

HORIZON_SECONDS = 2.0
"""How far ahead a turn is given. A worker that dies takes no more than that with it."""
AT_ONCE_SECONDS = 0.001
"""Isn't worth waiting for: instants are kept in microseconds, and are never quite exact."""

model_rates = Table(
    "model_rates",
    metadata,
    Column("deployment", String(64), primary_key=True),
    Column("measure", String(8), primary_key=True),
    Column("full_at", UtcDateTime, nullable=False),
)
"""By the database's own clock, which all workers share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a worker may send, and when."""

    wait: float
    """Seconds from now until it may be used; or, where nothing was taken, until it is worth asking again."""
    taken: Amounts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a worker asks for, in one transaction."""

    deployment: str
    buckets: Mapping[Measure, Bucket]
    need: Amounts
    worth: int
    """As many times the need are taken, where there is plenty."""
    back: Amounts
    """What was taken before and not used; negative where more was used."""


def take(connection: Connection, wish: Wish, now: Callable[[], datetime]) -> Turn:
    """A turn of all measures together, or the seconds after which to ask again. `now` is SQLite's clock."""
    rows = _locked(connection, wish, now)
    at = _clock(connection, now)
    until_full: dict[Measure, float] = {}
    for measure, bucket in wish.buckets.items():
        seconds = (rows[measure] - at).total_seconds()
        until_full[measure] = bucket.corrected(seconds, wish.back[measure])
    turn = _turn(wish, until_full)
    for measure, bucket in wish.buckets.items():
        seconds = until_full[measure]
        if turn.taken is not None:
            seconds = bucket.after(seconds, turn.taken[measure], wait=turn.wait)
        connection.execute(
            update(model_rates)
            .where(model_rates.c.deployment == wish.deployment, model_rates.c.measure == measure)
            .values(full_at=at + timedelta(seconds=seconds))
        )
    return turn


def _turn(wish: Wish, until_full: Mapping[Measure, float]) -> Turn:
    wait = max(bucket.wait(until_full[each], wish.need[each]) for each, bucket in wish.buckets.items())
    if wait < AT_ONCE_SECONDS:
        wait = 0.0
    if wait > HORIZON_SECONDS:
        return Turn(wait=wait - HORIZON_SECONDS, taken=None)
    times = wish.worth
    for measure, bucket in wish.buckets.items():
        # Half of what is there stays for others.
        plenty = bucket.left(until_full[measure]) // 2
        times = min(times, max(1, plenty // max(1, wish.need[measure])))
    return Turn(wait=wait, taken={measure: times * wish.need[measure] for measure in wish.buckets})


def _locked(connection: Connection, wish: Wish, now: Callable[[], datetime]) -> dict[str, datetime]:
    """The deployment's rows, which are this transaction's own from here on."""
    query = (
        select(model_rates.c.measure, model_rates.c.full_at)
        .where(model_rates.c.deployment == wish.deployment)
        .order_by(model_rates.c.measure)
        .with_for_update()
    )
    found = {row.measure: row.full_at for row in connection.execute(query)}
    if wish.buckets.keys() <= found.keys():
        return found
    at = _clock(connection, now)
    rows = [{"deployment": wish.deployment, "measure": measure, "full_at": at} for measure in wish.buckets]
    connection.execute(insert_into(connection, model_rates).on_conflict_do_nothing(), rows)
    return {row.measure: row.full_at for row in connection.execute(query)}


def _clock(connection: Connection, now: Callable[[], datetime]) -> datetime:
    """The present by a clock that all workers share; SQLite's are on one machine."""
    if connection.dialect.name == "sqlite":
        return now()
    at: datetime = connection.execute(select(func.clock_timestamp(type_=UtcDateTime))).scalar_one()
    return at
