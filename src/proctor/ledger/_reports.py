"""What was spent, on what and by whom, read from the entries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, func, or_, select, true

from proctor.core import Micros
from proctor.ledger._entries import ledger_entries
from proctor.store import metadata

Dimension = Literal[
    "model",
    "deployment",
    "tool",
    "team",
    "agent",
    "tenant",
    "user",
    "run",
    "thread",
    "day",
    "outcome",
    "kind",
]
"""What entries are added up by. `day` is a UTC date."""

_entries = ledger_entries.c

_COLUMNS: dict[Dimension, ColumnElement[str]] = {
    # A request that failed was answered by no model: the deployment stands for it.
    "model": case((_entries.model != "", _entries.model), else_=_entries.deployment),
    "deployment": _entries.deployment,
    "tool": _entries.tool,
    "team": _entries.team,
    "agent": _entries.agent,
    "tenant": _entries.tenant,
    "user": _entries.requester,
    "run": _entries.run_id,
    "thread": _entries.thread_id,
    "day": _entries.day,
    "outcome": _entries.outcome,
    "kind": _entries.kind,
}
_KINDS: dict[Dimension, str] = {"model": "model", "deployment": "model", "tool": "tool"}
"""Dimensions that only entries of one kind have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The entries that a report is about."""

    since: datetime
    until: datetime
    """The first instant that doesn't belong to it."""
    team: str = ""
    """Only this team's; empty: of all."""
    tenant: str = ""
    """Only this tenant's; empty: of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """The sums of some entries."""

    key: tuple[str, ...]
    """The values of the dimensions, in the order asked for; empty where entries have none."""
    requests: int
    """Requests to models and tools that were sent; what was asked again or of another is one more."""
    cached: int
    """Answers from the cache, for which none was sent."""
    failed: int
    """Of the requests, those that brought no answer."""
    input_tokens: int
    """Of the requests. Holds those that were read from a provider's prompt cache, or written into it."""
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    """Holds those of the reasoning."""
    reasoning_tokens: int
    cost: Micros
    saved: Micros
    """What the answers from the cache would have cost."""
    wasted: Micros
    """The part of the cost that was paid for requests that brought no answer."""

    def share_of(self, total: "Spending") -> float:
        """The share of the whole cost; 0 where nothing cost anything."""
        return self.cost / total.cost if total.cost else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCost:
    """What the runs of one team cost, those that failed included."""

    team: str
    cost: Micros
    """All that the team spent: models, tools, and the storage of its conversations."""
    completed: int
    """Runs that completed within the time."""
    ended: int
    """Runs that ended within the time, however they did."""
    first_at: datetime | None
    """The team's first entry within the time."""

    @property
    def per_completed(self) -> Micros | None:
        """The whole cost for each completed run, rounded half up; nothing where none completed."""
        return (2 * self.cost + self.completed) // (2 * self.completed) if self.completed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """What agents bring who do the work of people, counted by the query.

    A query that a person had to take over all the same was paid for and is not resolved: its cost falls on
    those that are.
    """

    cost: Decimal
    """Micro-dollars of one query to the agents."""
    human: Micros
    """What one query costs where a person answers it."""
    handed_over: Decimal = Decimal(0)
    """The share of queries that people had to take over; less than 1."""

    @property
    def cost_per_resolved(self) -> Decimal:
        """Micro-dollars for each query that no person had to take over."""
        return self.cost / (1 - self.handed_over)

    @property
    def saving(self) -> Decimal:
        """Micro-dollars that each resolved query saves; less than 0 where it costs more than a person."""
        return self.human - self.cost_per_resolved

    @property
    def percent(self) -> Decimal | None:
        """The saving against what was spent for it; nothing where nothing was spent."""
        return 100 * self.saving / self.cost_per_resolved if self.cost else None

    def saving_of(self, queries: Decimal) -> Decimal:
        """Micro-dollars that so many queries save, those among them that people take over included."""
        return self.saving * queries * (1 - self.handed_over)


def spending(
    connection: Connection, wanted: Slice, *, by: Sequence[Dimension], limit: int | None = None
) -> tuple[Spending, ...]:
    """The sums for each value of the dimensions: dearest first, by day in its order.

    By model, deployment or tool, only entries of that kind count.
    """
    keys = [_COLUMNS[dimension] for dimension in by]
    query = _sums(keys).where(_within(wanted, by)).group_by(*keys).limit(limit)
    order = keys if "day" in by else [func.sum(_entries.cost_micros).desc(), *keys]
    return tuple(_read(row, len(by)) for row in connection.execute(query.order_by(*order)))


def total(connection: Connection, wanted: Slice, *, by: Sequence[Dimension] = ()) -> Spending:
    """The sums of all entries that `spending` adds up by these dimensions."""
    return _read(connection.execute(_sums([]).where(_within(wanted, by))).one(), 0)


def cost_of_runs(connection: Connection, wanted: Slice) -> tuple[RunCost, ...]:
    """What the runs of each team cost, by the team's name.

    Money counts when it was spent and a run when it ended: over the edges of a time both differ a little.
    """
    runs = metadata.tables["runs"].c
    spent = {
        row.team: row
        for row in connection.execute(
            select(
                _entries.team, func.sum(_entries.cost_micros).label("cost"), func.min(_entries.at).label("at")
            )
            .where(_within(wanted), _entries.team != "")
            .group_by(_entries.team)
        )
    }
    ended = {
        row.team: row
        for row in connection.execute(
            select(
                runs.team,
                func.count().label("ended"),
                func.sum(case((runs.state == "completed", 1), else_=0)).label("completed"),
            )
            .where(
                runs.finished_at >= wanted.since,
                runs.finished_at < wanted.until,
                _if_named(runs.team, wanted.team),
                _if_named(runs.tenant, wanted.tenant),
            )
            .group_by(runs.team)
        )
    }
    return tuple(
        RunCost(
            team=team,
            cost=int(spent[team].cost) if team in spent else 0,
            completed=int(ended[team].completed) if team in ended else 0,
            ended=int(ended[team].ended) if team in ended else 0,
            first_at=spent[team].at if team in spent else None,
        )
        for team in sorted(spent.keys() | ended.keys())
    )


def _within(wanted: Slice, by: Sequence[Dimension] = ()) -> ColumnElement[bool]:
    kinds = {_KINDS[dimension] for dimension in by if dimension in _KINDS}
    return and_(
        _entries.at >= wanted.since,
        _entries.at < wanted.until,
        _if_named(_entries.team, wanted.team),
        _if_named(_entries.tenant, wanted.tenant),
        _entries.kind.in_(kinds) if kinds else true(),
    )


def _if_named(column: ColumnElement[str], value: str) -> ColumnElement[bool]:
    return column == value if value else true()


def _sums(keys: Sequence[ColumnElement[str]]) -> Select[*tuple[Any, ...]]:
    is_call = _entries.kind.in_(("model", "tool"))
    cached, answered = _entries.outcome == "cached", _entries.outcome.in_(("ok", "cached"))

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    def add(column: ColumnElement[int]) -> ColumnElement[int]:
        return func.coalesce(func.sum(column), 0)

    def tokens(column: ColumnElement[int]) -> ColumnElement[int]:
        return add(case((cached, 0), else_=column))

    return select(
        *keys,
        count(and_(is_call, ~cached)).label("requests"),
        count(cached).label("cached"),
        count(and_(is_call, ~answered)).label("failed"),
        tokens(_entries.input_tokens).label("input_tokens"),
        tokens(_entries.cached_input_tokens).label("cached_input_tokens"),
        tokens(_entries.cache_write_tokens).label("cache_write_tokens"),
        tokens(_entries.output_tokens).label("output_tokens"),
        tokens(_entries.reasoning_tokens).label("reasoning_tokens"),
        add(_entries.cost_micros).label("cost"),
        add(_entries.saved_micros).label("saved"),
        add(case((or_(answered, ~is_call), 0), else_=_entries.cost_micros)).label("wasted"),
    )


def _read(row: Row[Any], keys: int) -> Spending:
    # PostgreSQL's sums of large integers are decimals.
    sums = {name: int(value) for name, value in zip(row._fields[keys:], row[keys:], strict=True)}
    return Spending(key=tuple(row[:keys]), **sums)
