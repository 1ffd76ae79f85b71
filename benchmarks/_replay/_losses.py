"""Runs that changed hands because their worker was struck: how long each was without one.

The log of a run tells of it: the take-over of a lost run is one transaction with an event that names the lost
worker. The moment of the signal is the benchmark's own; both are of one machine's clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from sqlalchemy import Connection, select

from benchmarks._replay._sight import pid_of
from proctor.core import WorkerLost, read_object
from proctor.runs import events

SOON = timedelta(seconds=10)
"""A frozen worker's runs that change hands so long after it woke up still do so because it was frozen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """A worker that was struck."""

    pid: int
    blow: Literal["kill", "freeze", "drain"]
    at: datetime
    woke_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A run that was taken over from a worker."""

    run_id: str
    pid: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOvers:
    """Seconds from the signal to the beginning of each lost run's next attempt."""

    killed: Sequence[float]
    frozen: Sequence[float]
    drained: int
    """Runs that a drained worker left as if it had died."""
    alive: int
    """Runs that were taken from a worker that nobody had struck."""


def losses(connection: Connection) -> tuple[Loss, ...]:
    """Every time that a run was taken over because its worker seemed to be gone."""
    query = select(events).where(events.c.type == "run.rescheduled")
    found = ((row, read_object(row.data)) for row in connection.execute(query))
    return tuple(
        Loss(run_id=row.run_id, pid=pid_of(str(data["worker"])), at=row.at)
        for row, data in found
        if data["code"] == WorkerLost.code
    )


def waits(connection: Connection) -> tuple[float, ...]:
    """Seconds from each last decision of a person to the beginning of the attempt that goes on with it."""
    query = (
        select(events.c.run_id, events.c.type, events.c.at)
        .where(events.c.type.in_(("approval.decided", "run.resumed")))
        .order_by(events.c.run_id, events.c.seq)
    )
    return tuple(
        (after.at - before.at).total_seconds()
        for before, after in pairwise(connection.execute(query))
        if (before.type, after.type, after.run_id) == ("approval.decided", "run.resumed", before.run_id)
    )


def take_overs(lost: Sequence[Loss], struck: Sequence[Struck]) -> TakeOvers:
    """What became of the runs of the workers that were struck."""
    seconds: dict[str, list[float]] = {"kill": [], "freeze": [], "drain": []}
    alive = 0
    for loss in lost:
        blow = _cause(loss, struck)
        if blow is None:
            alive += 1
        else:
            seconds[blow.blow].append((loss.at - blow.at).total_seconds())
    return TakeOvers(
        killed=seconds["kill"], frozen=seconds["freeze"], drained=len(seconds["drain"]), alive=alive
    )


def _cause(loss: Loss, struck: Sequence[Struck]) -> Struck | None:
    """The last strike at the worker before the loss, where the loss can come from it."""
    before = [one for one in struck if one.pid == loss.pid and one.at <= loss.at]
    last = max(before, key=lambda one: one.at, default=None)
    if last is None or (last.woke_at is not None and loss.at > last.woke_at + SOON):
        return None
    return last
