"""How a stretch of time went, in figures."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from math import ceil
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from proctor.api._caller import Running, Viewer
from proctor.api._platform import tenant_of
from proctor.api._texts import Since, Until, Wanted, period
from proctor.core import Measure, MeasuredKind
from proctor.runs import measures

router = APIRouter(tags=["metrics"])

USUAL, LONGEST = timedelta(hours=1), timedelta(days=1)
"""Each call of the time is read: for longer times there is Prometheus."""

By = Literal["team", "tenant", "agent", "name", "release", "all"]


class Quantiles(BaseModel):
    """Seconds within which so many were done, by nearest rank."""

    p50: float
    p95: float
    p99: float


class Figures(BaseModel):
    """What one kind of work came to."""

    kind: MeasuredKind
    key: str = Field(description="The team, agent, deployment or tool, release or tenant; empty for all.")
    count: int = Field(description="Runs that ended, or calls that were answered.")
    errors: int
    refused: int
    cancelled: int
    error_rate: float
    completion_rate: float | None = Field(description="Completed of all that ended; of runs alone.")
    cost_micros: int
    input_tokens: int
    output_tokens: int
    seconds: Quantiles | None = Field(description="None where nothing has a duration.")


class Summary(BaseModel):
    """Figures of a stretch of time."""

    since: AwareDatetime
    until: AwareDatetime
    by: By
    figures: list[Figures]


@router.get("/metrics/summary", summary="Show counts, rates, quantiles and costs of a stretch of time")
async def summarise(
    *,
    principal: Viewer,
    proctor: Running,
    since: Since = None,
    until: Until = None,
    by: Annotated[By, Query(description="`name`: deployments of models, and tools.")] = "team",
    team: Wanted = "",
    tenant: Wanted = "",
) -> Summary:
    """The last hour where no time is given, and at most the day before `until`. Sums are exact."""
    begin, end = period(since, until, now=proctor.clock.now(), usual=USUAL, most=LONGEST)
    whose = tenant_of(principal, tenant)
    found = await proctor.database.read_long(
        lambda connection: summed(measures(connection, begin, end, tenant=whose), by, team)
    )
    return Summary(since=begin, until=end, by=by, figures=found)


def summed(found: Sequence[Measure], by: By, team: str = "") -> list[Figures]:
    """The figures for each value of a dimension, runs, models and tools apart."""
    groups: defaultdict[tuple[MeasuredKind, str], list[Measure]] = defaultdict(list)
    for each in found:
        if team in ("", each.team):
            groups[each.kind, _key(each, by)].append(each)
    return [_figures(kind, key, group) for (kind, key), group in sorted(groups.items())]


def _key(measure: Measure, by: By) -> str:
    match by:
        case "all":
            return ""
        case "team" | "tenant" | "agent" | "name" | "release":
            return str(getattr(measure, by))


def _figures(kind: MeasuredKind, key: str, group: Sequence[Measure]) -> Figures:
    count, errors = sum(each.count for each in group), sum(each.errors for each in group)
    refused, cancelled = sum(each.refused for each in group), sum(each.cancelled for each in group)
    completed = (count - errors - refused - cancelled) / count if kind == "run" and count else None
    seconds = sorted(second for each in group for second in each.seconds)
    return Figures(
        kind=kind,
        key=key,
        count=count,
        errors=errors,
        refused=refused,
        cancelled=cancelled,
        error_rate=round(errors / count, 6) if count else 0.0,
        completion_rate=None if completed is None else round(completed, 6),
        cost_micros=sum(each.cost for each in group),
        input_tokens=sum(each.input_tokens for each in group),
        output_tokens=sum(each.output_tokens for each in group),
        seconds=Quantiles(p50=_at(seconds, 0.5), p95=_at(seconds, 0.95), p99=_at(seconds, 0.99))
        if seconds
        else None,
    )


def _at(sorted_seconds: Sequence[float], share: float) -> float:
    return round(sorted_seconds[ceil(share * len(sorted_seconds)) - 1], 6)
