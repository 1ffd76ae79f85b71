"""The queue of runs: which are due, whose turn it is, and who takes them up.

The queue is the runs table itself, whatever engine distributes the work (DESIGN 8: the run row is the truth).
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, text, update

from proctor.runs import _sql
from proctor.runs._failure import after_loss
from proctor.runs._share import in_share
from proctor.runs._tables import runs
from proctor.runs._threads_sql import lock_thread_of, thread_before, thread_free
from proctor.runs._values import Run, Share

HANDED = timedelta(seconds=30)
"""How long a run that was handed out has its turn, and may be taken up."""

AGAIN = timedelta(seconds=5)
"""A run that was handed out and not taken up for so long is handed out again: its worker may have died."""

MINUTE = timedelta(minutes=1)

_ADVISORY_KEY = 0x50_52_4F_51
"""PostgreSQL names advisory locks by number: this one spells PROQ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a team or a tenant may have, of all workers together."""

    concurrency: int | None = None
    rate_per_minute: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of every team and tenant that has one."""

    teams: Mapping[str, Limit] = field(default_factory=dict)
    tenants: Mapping[str, Limit] = field(default_factory=dict)

    def touch(self, team: str, tenant: str) -> bool:
        """Whether a run of this team and tenant has to ask for its turn."""
        return team in self.teams or tenant in self.tenants


def anything_due(connection: Connection, share: Share, limits: Limits, at: datetime) -> bool:
    """Whether it is a run's turn: asked again and again, it must cost no commit."""
    teams = _Allowance(connection, runs.c.team, limits.teams, at)
    tenants = _Allowance(connection, runs.c.tenant, limits.tenants, at)
    query = select(runs.c.id).where(_waits(share, at), teams.open(), tenants.open()).limit(1)
    # Each by an index: those that are delayed are not gone through.
    at_once, in_time = query.where(runs.c.due_at.is_(None)), query.where(runs.c.due_at <= at)
    return any(connection.execute(each).first() is not None for each in (at_once, in_time))


def hand_out(
    connection: Connection, share: Share, limits: Limits, *, at: datetime, most: int
) -> tuple[str, ...]:
    """Runs whose turn it is, the most urgent first. Who else asks gets others, until `AGAIN` is over.

    A team or tenant at its limit holds up no other.
    """
    if connection.dialect.name == "postgresql":  # SQLite has taken its write lock already
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_KEY})
    teams = _Allowance(connection, runs.c.team, limits.teams, at)
    tenants = _Allowance(connection, runs.c.tenant, limits.tenants, at)
    found: list[str] = []
    while len(found) < most:
        query = (
            select(runs.c.id, runs.c.team, runs.c.tenant)
            .where(_ready(share, at), runs.c.id.not_in(found), teams.open(), tenants.open())
            .order_by(runs.c.priority.desc(), runs.c.id)
            .limit(most - len(found))
        )
        rows = connection.execute(query).all()
        for id, team, tenant in rows:
            if teams.has(team) and tenants.has(tenant):
                teams.take(team)
                tenants.take(tenant)
                found.append(id)
        if not rows:
            break
    if found:
        connection.execute(update(runs).where(runs.c.id.in_(found)).values(handed_at=at))
    return tuple(found)


def claim(connection: Connection, run_id: str, *, at: datetime, worker: str) -> Run | None:
    """The run as a new attempt at it, or nothing where it isn't queued any more, or its thread isn't free.

    Nothing also where it wasn't handed out, or too long ago: its turn has been given to another then.
    """
    lock_thread_of(connection, run_id)
    changed = connection.execute(
        update(runs)
        .where(runs.c.id == run_id, runs.c.state == "queued", runs.c.handed_at > at - HANDED, thread_free())
        .values(
            state="running",
            attempt=runs.c.attempt + 1,
            handed_at=None,
            taken_at=at,
            worker=worker,
        )
    )
    return _sql.get_run(connection, run_id) if changed.rowcount == 1 else None


def is_of(connection: Connection, share: Share, run_id: str) -> bool:
    """Whether a run is of those that a process executes."""
    return connection.execute(select(runs.c.id).where(runs.c.id == run_id, _mine(share))).first() is not None


def unowned(connection: Connection, share: Share, but: Collection[str]) -> tuple[str, ...]:
    """Runs that stand as running, but for those given."""
    query = select(runs.c.id).where(runs.c.state == "running", _mine(share)).order_by(runs.c.id)
    return tuple(run_id for run_id in connection.scalars(query) if run_id not in but)


def take_back(connection: Connection, share: Share) -> None:
    """Makes due again what was handed out to somebody who didn't take it up, and is gone."""
    handed = update(runs).where(runs.c.state == "queued", runs.c.handed_at.is_not(None), _mine(share))
    connection.execute(handed.values(handed_at=None))


def running_since(connection: Connection, share: Share, before: datetime) -> tuple[str, ...]:
    """Runs whose present attempt began before an instant."""
    query = select(runs.c.id).where(runs.c.state == "running", runs.c.taken_at < before, _mine(share))
    return tuple(connection.scalars(query))


def lose(connection: Connection, run_id: str, retries: Callable[[str], int], *, at: datetime) -> Run | None:
    """A run whose worker is gone, queued again, or parked where that happened too often in a row.

    Nothing where it wasn't running.
    """
    run = _sql.get_run(connection, run_id)
    if run.state != "running":
        return None
    _sql.note_loss(connection, run)
    end = after_loss(run, retries(run.team), at=at)
    _sql.append(connection, run_id, run.attempt, end.drafts, **end.values)
    return end.apply(run)


def keep_turn(connection: Connection, run_id: str, at: datetime) -> None:
    """Hands a run that was just lost out to whoever takes it over: it had its turn."""
    lost = update(runs).where(runs.c.id == run_id, runs.c.state == "queued", runs.c.due_at.is_(None))
    connection.execute(lost.values(handed_at=at))


def _mine(share: Share) -> ColumnElement[bool]:
    mine = in_share(share, runs.c.team, runs.c.target)
    return and_(mine, or_(runs.c.id == share.only, thread_before(share.only))) if share.only else mine


def _ready(share: Share, at: datetime) -> ColumnElement[bool]:
    return and_(_waits(share, at), or_(runs.c.due_at.is_(None), runs.c.due_at <= at))


def _waits(share: Share, at: datetime) -> ColumnElement[bool]:
    """Whether a run waits to be handed out, be it that it is due or that it is delayed."""
    return and_(
        runs.c.state == "queued",
        or_(runs.c.handed_at.is_(None), runs.c.handed_at <= at - AGAIN),
        thread_free(),
        _mine(share),
    )


class _Allowance:
    """How many runs more each team, or each tenant, may take up now."""

    def __init__(
        self,
        connection: Connection,
        column: ColumnElement[str],
        limits: Mapping[str, Limit],
        at: datetime,
    ) -> None:
        self._column = column
        self._left: dict[str, int] = {}
        if not limits:
            return
        handed = and_(runs.c.state == "queued", runs.c.handed_at > at - HANDED)
        active = _counts(connection, column, limits, or_(runs.c.state == "running", handed))
        taken = _counts(connection, column, limits, or_(runs.c.taken_at > at - MINUTE, handed))
        for name, limit in limits.items():
            left = []
            if limit.concurrency is not None:
                left.append(limit.concurrency - active[name])
            if limit.rate_per_minute is not None:
                left.append(limit.rate_per_minute - taken[name])
            if left:
                self._left[name] = min(left)

    def open(self) -> ColumnElement[bool]:
        full = [name for name, left in self._left.items() if left <= 0]
        return self._column.not_in(full)

    def has(self, name: str) -> bool:
        return self._left.get(name, 1) > 0

    def take(self, name: str) -> None:
        if name in self._left:
            self._left[name] -= 1


def _counts(
    connection: Connection, column: ColumnElement[str], names: Collection[str], what: ColumnElement[bool]
) -> Counter[str]:
    query = select(column, func.count()).where(column.in_(sorted(names)), what).group_by(column)
    rows: Sequence[tuple[str, int]] = [(name, count) for name, count in connection.execute(query)]
    return Counter(dict(rows))
