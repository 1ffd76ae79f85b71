"""The level of degradation: where the system stands, and holding it by hand."""

from datetime import timedelta
from typing import Any, cast

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from proctor.api._caller import Running
from proctor.api._pages import After, Limit, Page, page_of
from proctor.api._platform import PlatformOperator, PlatformViewer
from proctor.api._texts import Sent, Shown, Storable, Whole
from proctor.degradation import Hold, Level, describe

router = APIRouter(tags=["degradation"])

LONGEST = 30 * 86_400
"""Seconds: a month."""


class HeldLevel(BaseModel):
    """A level that somebody holds."""

    level: Level
    since: AwareDatetime
    until: AwareDatetime
    reason: str
    by: str


class WorkerLine(Shown):
    """Where a worker stands."""

    worker: str
    level: Level
    seen_at: AwareDatetime


class Stands(BaseModel):
    """Where the system stands."""

    level: Level = Field(description="The level that new runs meet.")
    means: str
    hold: HeldLevel | None
    workers: list[WorkerLine]


class ToHold(Sent):
    """Which level is held, and how long."""

    level: Whole = Field(
        ge=0,
        le=4,
        description="0 normal, 1 fallback models, 2 simple teams, 3 read-only tools, 4 no new runs.",
    )
    seconds: Whole = Field(default=1_800, ge=1, le=LONGEST)
    reason: Storable = Field(default="", max_length=1_000, description="It stays in the history.")


class Released(BaseModel):
    """Whether a level was held."""

    released: bool


class LevelChange(Shown):
    """A change of one worker's level."""

    id: str
    at: AwareDatetime
    worker: str
    level: Level
    previous: Level
    rule: str
    detail: dict[str, Any]


@router.get("/degradation", summary="Show the level that new runs meet, and where each worker stands")
async def show_level(_principal: PlatformViewer, proctor: Running) -> Stands:
    """What is held, else where the best worker stands."""
    outlook = await proctor.degradation.outlook()
    return Stands(
        level=outlook.level,
        means=describe(outlook.level),
        hold=_held(outlook.hold) if outlook.hold else None,
        workers=[WorkerLine.model_validate(each) for each in outlook.workers],
    )


@router.put("/degradation/hold", summary="Hold a level in all processes for a while")
async def hold_level(body: ToHold, principal: PlatformOperator, proctor: Running) -> HeldLevel:
    """What all processes take within 2 s, whatever their rules say; afterwards the rules go on from there."""
    span = timedelta(seconds=body.seconds)
    hold = await proctor.degradation.hold(
        cast("Level", body.level), span=span, reason=body.reason, by=principal.name
    )
    return _held(hold)


@router.delete("/degradation/hold", summary="Let the rules decide again")
async def release_level(principal: PlatformOperator, proctor: Running) -> Released:
    """Whether a level was held."""
    return Released(released=await proctor.degradation.release(by=principal.name))


@router.get("/degradation/history", summary="List changes of the level, newest first")
async def list_passages(
    _principal: PlatformViewer, proctor: Running, after: After = "", limit: Limit = 50
) -> Page[LevelChange]:
    """The page behind `after`."""
    found = await proctor.degradation.history(before=after, limit=limit + 1)
    return page_of(found, limit, LevelChange.model_validate)


def _held(hold: Hold) -> HeldLevel:
    return HeldLevel(level=hold.level, since=hold.at, until=hold.until, reason=hold.reason, by=hold.by)
