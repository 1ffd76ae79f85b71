"""What a stretch of time held, out of runs that ended in it and out of the log."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never

from sqlalchemy import ColumnElement, Connection, CursorResult, Row, Select, func, select

from proctor.core import JsonObject, Measure, MeasuredBy, MeasuredKind, ModelError, Signs, read_object
from proctor.runs._tables import MEASURED, calls, events, runs

_ROWS = 2_000
"""Rows that are taken from the database at a time."""

_LOOP = 1_000_000
"""A loop that was found weighs more than any number of calls."""

_SIGNS = ("run.started", "loop.detected", "approval.requested", "policy.verdict")

_Key = tuple[MeasuredKind, str, str, str, str, str]


@dataclass(slots=True)
class _Sum:
    """A measure that grows."""

    count: int = 0
    errors: int = 0
    refused: int = 0
    cancelled: int = 0
    input: int = 0
    output: int = 0
    seconds: list[float] = field(default_factory=list)
    costs: list[int] = field(default_factory=list)

    def measure(self, key: _Key) -> Measure:
        kind, team, tenant, agent, name, release = key
        return Measure(
            kind=kind,
            team=team,
            tenant=tenant,
            agent=agent,
            name=name,
            release=release,
            count=self.count,
            errors=self.errors,
            refused=self.refused,
            cancelled=self.cancelled,
            cost=sum(self.costs),
            input_tokens=self.input,
            output_tokens=self.output,
            seconds=tuple(sorted(self.seconds)),
            costs=tuple(sorted(self.costs)),
        )


def measures(
    connection: Connection, since: datetime, until: datetime, *, tenant: str | None = None
) -> tuple[Measure, ...]:
    """What the time from `since` to before `until` held: runs that ended in it, calls that did.

    A failed run that is resumed counts again when it ends again, and only then; one that is cancelled counts
    as that, when it was. Calls of runs whose log was erased are gone.
    """
    sums: defaultdict[_Key, _Sum] = defaultdict(_Sum)
    for row in connection.execute(_ended(since, until, tenant)):
        of = sums["run", row.team, row.tenant, "", "", row.release]
        of.count += 1
        of.errors += row.state == "failed"
        of.refused += row.state == "refused"
        of.cancelled += row.state == "cancelled"
        of.costs.append(row.cost)
        of.seconds.append((row.finished_at - row.created_at).total_seconds())
    with _streamed(connection, _logged(since, until, tenant)) as logged:
        for row in logged:
            _take(sums, row)
    return tuple(sums[key].measure(key) for key in sorted(sums))


def signs(connection: Connection, since: datetime, until: datetime) -> tuple[Signs, ...]:
    """What else the log says of the time from `since` to before `until`, team by team."""
    counts: Counter[tuple[str, str, str]] = Counter()
    lengths: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    telling = _logged(since, until, None).where(events.c.type.in_(_SIGNS))
    with _streamed(connection, telling) as told:
        for row in told:
            what = row.type
            if what == "policy.verdict":
                what = str(read_object(row.data).get("outcome"))
            counts[row.team, row.tenant, what] += 1
    for row in connection.execute(_lengths(since, until)):
        lengths[row.team, row.tenant].append(row.made)
    return tuple(
        Signs(
            team=team,
            tenant=tenant,
            started=counts[team, tenant, "run.started"],
            loops=counts[team, tenant, "loop.detected"],
            denied=counts[team, tenant, "deny"],
            escalated=counts[team, tenant, "escalate"] + counts[team, tenant, "approval.requested"],
            calls_per_run=tuple(sorted(lengths[team, tenant])),
        )
        for team, tenant in sorted({*lengths, *((team, tenant) for team, tenant, _ in counts)})
    )


def behind(
    connection: Connection,
    since: datetime,
    until: datetime,
    by: MeasuredBy,
    *,
    team: str = "",
    limit: int = 5,
) -> tuple[str, ...]:
    """The ids of runs that a number of that time comes from, the worst first; no team: of all."""
    weights: Counter[str] = Counter()
    with _streamed(connection, _logged(since, until, None)) as logged:
        for row in logged:
            if team in ("", row.team):
                weights[row.run_id] += _weight(by, row.type, read_object(row.data))
    return tuple(run_id for run_id, weight in weights.most_common(limit) if weight)


def first_start(connection: Connection) -> datetime | None:
    """When the oldest run came in; nothing where there is none."""
    query = select(runs.c.created_at).order_by(runs.c.id).limit(1)
    found: datetime | None = connection.scalar(query)
    return found


def _streamed(connection: Connection, query: Select[Any]) -> CursorResult[Any]:
    """A query's rows, some at a time. Whoever reads them closes it: else nobody does where a server goes."""
    return connection.execute(query, execution_options={"yield_per": _ROWS})


def _within(column: ColumnElement[Any], since: datetime, until: datetime) -> tuple[ColumnElement[bool], ...]:
    return column >= since, column < until


def _ended(since: datetime, until: datetime, tenant: str | None) -> Select[Any]:
    query = select(
        runs.c.team,
        runs.c.tenant,
        runs.c.release,
        runs.c.state,
        runs.c.cost,
        runs.c.created_at,
        runs.c.finished_at,
    ).where(*_within(runs.c.finished_at, since, until))
    return query if tenant is None else query.where(runs.c.tenant == tenant)


def _logged(since: datetime, until: datetime, tenant: str | None) -> Select[Any]:
    columns = runs.c.team, runs.c.tenant, runs.c.release
    own = events.c.run_id, events.c.type, events.c.agent, events.c.data
    query = (
        select(*own, *columns)
        .join_from(events, runs, runs.c.id == events.c.run_id)
        .where(MEASURED, *_within(events.c.at, since, until))
    )
    return query if tenant is None else query.where(runs.c.tenant == tenant)


def _lengths(since: datetime, until: datetime) -> Select[Any]:
    made = select(func.count()).where(calls.c.run_id == runs.c.id, calls.c.position.is_not(None))
    return select(runs.c.team, runs.c.tenant, made.scalar_subquery().label("made")).where(
        *_within(runs.c.finished_at, since, until)
    )


def _take(sums: defaultdict[_Key, _Sum], row: Row[Any]) -> None:
    data = read_object(row.data)
    match row.type:
        case "model.called":
            name = str(data["deployment"])
        case "tool.called":
            name = f"{data['server']}.{data['tool']}"
        case _ if _is_model_error(data):
            name = ""
        case _:
            return
    kind: MeasuredKind = "tool" if row.type == "tool.called" else "model"
    of = sums[kind, row.team, row.tenant, row.agent, name, row.release]
    of.count += 1
    if not name:
        of.errors += 1
        return
    of.errors += bool(data.get("error")) and not data["refused_by"]
    of.refused += bool(data.get("refused_by"))
    of.input += _number(data, "input")
    of.output += _number(data, "output")
    of.costs.append(_number(data, "cost"))
    of.seconds.append(_milliseconds(data) / 1000)


def _is_model_error(data: JsonObject) -> bool:
    """Whether an agent or an attempt at a run failed for want of a model's answer."""
    return str(data.get("code", "")).startswith(ModelError.code)


def _number(data: JsonObject, name: str) -> int:
    value = data.get(name, 0)
    return value if isinstance(value, int) else 0


def _milliseconds(data: JsonObject) -> float:
    value = data.get("ms", 0.0)
    return float(value) if isinstance(value, int | float) else 0.0


def _weight(by: MeasuredBy, type: str, data: JsonObject) -> int:
    called = type in ("model.called", "tool.called")
    match by:
        case "seconds":
            return round(_milliseconds(data)) if called else 0
        case "errors":
            broke = bool(data.get("error")) and not data.get("refused_by")
            return int(_is_model_error(data) or type == "run.failed" or broke)
        case "calls":
            return int(called)
        case "cost":
            return _number(data, "cost") if called else 0
        case "loops":
            return _LOOP if type == "loop.detected" else int(called)
        case "verdicts":
            judged = data.get("outcome") in ("deny", "escalate") or bool(data.get("refused_by"))
            return int(judged or type == "approval.requested")
        case _:
            assert_never(by)
