"""The statements of those who follow runs: how far logs have grown, and by what."""

from collections.abc import Collection, Mapping
from typing import cast

from sqlalchemy import Connection, and_, or_, select

from proctor.core import Event
from proctor.runs._sql import event_of
from proctor.runs._tables import events, runs
from proctor.runs._values import GOING_ON, RunState

TOGETHER = 100
"""Runs that one statement asks for."""


def heads(connection: Connection, ids: Collection[str]) -> dict[str, tuple[RunState, int]]:
    """The states of runs and the numbers of their last events, of those that there are."""
    wanted = tuple(ids)
    found: dict[str, tuple[RunState, int]] = {}
    for start in range(0, len(wanted), TOGETHER):
        some = runs.c.id.in_(wanted[start : start + TOGETHER])
        for row in connection.execute(select(runs.c.id, runs.c.state, runs.c.events).where(some)):
            found[row.id] = (cast("RunState", row.state), row.events)
    return found


def events_behind(connection: Connection, after: Mapping[str, int]) -> dict[str, list[Event]]:
    """What the logs of runs hold behind a number in each, in order."""
    wanted = tuple(after.items())
    found: dict[str, list[Event]] = {run_id: [] for run_id in after}
    for start in range(0, len(wanted), TOGETHER):
        some = wanted[start : start + TOGETHER]
        grown = or_(*(and_(events.c.run_id == run_id, events.c.seq > seq) for run_id, seq in some))
        for row in connection.execute(select(events).where(grown).order_by(events.c.run_id, events.c.seq)):
            found[row.run_id].append(event_of(row))
    return found


def going_on(connection: Connection, *, team: str, tenant: str | None, most: int) -> tuple[str, ...]:
    """The newest runs that go on, of a team where one is named."""
    query = select(runs.c.id).where(runs.c.state.in_(GOING_ON))
    if team:
        query = query.where(runs.c.team == team)
    if tenant is not None:
        query = query.where(runs.c.tenant == tenant)
    return tuple(connection.scalars(query.order_by(runs.c.id.desc()).limit(most)))


def come(connection: Connection, *, team: str, tenant: str | None, after: str, most: int) -> tuple[str, ...]:
    """The first runs that came after an id, of a team where one is named."""
    query = select(runs.c.id).where(runs.c.id > after)
    if team:
        query = query.where(runs.c.team == team)
    if tenant is not None:
        query = query.where(runs.c.tenant == tenant)
    return tuple(connection.scalars(query.order_by(runs.c.id).limit(most)))


def owned(connection: Connection, ids: Collection[str], *, team: str, tenant: str | None) -> frozenset[str]:
    """Those of the runs that there are, of the tenant and of the team where they are named."""
    query = select(runs.c.id).where(runs.c.id.in_(ids))
    if team:
        query = query.where(runs.c.team == team)
    if tenant is not None:
        query = query.where(runs.c.tenant == tenant)
    return frozenset(connection.scalars(query))
