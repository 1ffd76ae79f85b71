"""What was spent."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import Connection

from proctor.api._caller import Running, Viewer
from proctor.api._platform import PlatformAuditor, PlatformViewer, tenant_of
from proctor.api._texts import Since, Until, Wanted, period
from proctor.ledger import (
    Dimension,
    Slice,
    Spending,
    Storage,
    cost_of_runs,
    last_audit,
    reconcile_ledger,
    spending,
    total,
)

router = APIRouter(tags=["costs"])

USUAL = timedelta(days=30)
MOST_ROWS = 1_000
MOST_DIMENSIONS = 2


class Sums(BaseModel):
    """The sums of some entries of the ledger."""

    requests: int = Field(description="Requests to models and tools that were sent.")
    cached: int = Field(description="Answers from the cache, for which none was sent.")
    failed: int = Field(description="Of the requests, those that brought no answer.")
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_micros: int
    saved_micros: int = Field(description="What the answers from the cache would have cost.")
    wasted_micros: int = Field(description="What was paid for requests that brought no answer.")
    share: float = Field(description="Of the whole cost.")


class CostRow(Sums):
    """The sums for one value of each dimension."""

    key: list[str] = Field(description="The values, in the order of `by`; empty where entries have none.")


class RunCosts(BaseModel):
    """What the runs of a team cost, those that failed included."""

    team: str
    completed: int
    ended: int
    cost_micros: int
    cost_per_completed_micros: int | None


class Costs(BaseModel):
    """What was spent in a period."""

    since: AwareDatetime
    until: AwareDatetime
    by: list[Dimension]
    rows: list[CostRow] = Field(description="Dearest first; by day in its order.")
    total: Sums
    runs: list[RunCosts]


class KeptLine(BaseModel):
    """What is kept of one thing, and what that costs."""

    what: str
    tenant: str
    team: str
    bytes: int
    cost_micros: int = Field(description="A month.")


class Stored(BaseModel):
    """What is kept."""

    kept: list[KeptLine]


class Off(BaseModel):
    """A run about whose cost the run itself, its journal and the ledger don't agree."""

    run: str
    cost_micros: int | None = Field(description="What the run says; none: there is no such run.")
    called_micros: int = Field(description="What its recorded calls say.")
    wasted_micros: int = Field(description="What its log says of requests that brought no answer.")
    entered_micros: int = Field(description="What the ledger says.")


class Reconciled(BaseModel):
    """Whether the ledger agrees with the journal, to the micro-dollar."""

    agrees: bool
    differences: list[Off]
    last_at: AwareDatetime | None = Field(description="The last check by schedule.")
    last_differences: int | None


@router.get("/costs", summary="Show what was spent, and what a completed run costs")
async def show_costs(
    *,
    principal: Viewer,
    proctor: Running,
    by: Annotated[
        list[Dimension], Query(min_length=1, max_length=MOST_DIMENSIONS, description="One or two dimensions.")
    ] = ["team"],  # noqa: B006 - FastAPI copies it
    since: Since = None,
    until: Until = None,
    team: Wanted = "",
    tenant: Wanted = "",
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows at most.")] = 50,
) -> Costs:
    """The sums by one or two dimensions; of the last 30 days, where no time is given."""
    begin, end = period(since, until, now=proctor.clock.now(), usual=USUAL)
    wanted = Slice(since=begin, until=end, team=team, tenant=tenant_of(principal, tenant) or "")
    dimensions = list(dict.fromkeys(by))

    def load(connection: Connection) -> Costs:
        whole = total(connection, wanted, by=dimensions)
        return Costs(
            since=begin,
            until=end,
            by=dimensions,
            rows=[
                CostRow(key=list(row.key), **_sums(row, whole).model_dump())
                for row in spending(connection, wanted, by=dimensions, limit=limit)
            ],
            total=_sums(whole, whole),
            runs=[
                RunCosts(
                    team=each.team,
                    completed=each.completed,
                    ended=each.ended,
                    cost_micros=each.cost,
                    cost_per_completed_micros=each.per_completed,
                )
                for each in cost_of_runs(connection, wanted)
            ],
        )

    return await proctor.database.read_long(load)


@router.get("/costs/storage", summary="Measure what is kept now, and what that costs a month")
async def show_storage(_principal: PlatformViewer, proctor: Running) -> Stored:
    """Conversations by tenant and team, and knowledge."""
    measuring = Storage(
        proctor.database, clock=proctor.clock, usd_per_gb_month=proctor.settings.storage.usd_per_gb_month
    )
    kept = [
        KeptLine(
            what=each.what,
            tenant=each.tenant,
            team=each.team,
            bytes=each.bytes,
            cost_micros=measuring.cost_of_month(each.bytes),
        )
        for each in await measuring.measure()
    ]
    return Stored(kept=kept)


@router.get("/costs/reconciliation", summary="Check that the ledger agrees with the journal")
async def reconcile_costs(_principal: PlatformAuditor, proctor: Running) -> Reconciled:
    """Reads both whole. Workers do the same once a day."""

    def load(connection: Connection) -> Reconciled:
        found, last = reconcile_ledger(connection), last_audit(connection)
        return Reconciled(
            agrees=not found,
            differences=[
                Off(
                    run=each.run_id,
                    cost_micros=each.cost,
                    called_micros=each.called,
                    wasted_micros=each.wasted,
                    entered_micros=each.entered,
                )
                for each in found
            ],
            last_at=last.at if last else None,
            last_differences=last.differences if last else None,
        )

    return await proctor.database.read_long(load)


def _sums(row: Spending, whole: Spending) -> Sums:
    return Sums(
        requests=row.requests,
        cached=row.cached,
        failed=row.failed,
        input_tokens=row.input_tokens,
        cached_input_tokens=row.cached_input_tokens,
        cache_write_tokens=row.cache_write_tokens,
        output_tokens=row.output_tokens,
        reasoning_tokens=row.reasoning_tokens,
        cost_micros=row.cost,
        saved_micros=row.saved,
        wasted_micros=row.wasted,
        share=round(row.share_of(whole), 6),
    )
