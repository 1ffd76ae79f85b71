"""What happened in runs: a page of one log, and streams that go on where they broke off."""

import json
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Header, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from proctor.access import Principal
from proctor.api._caller import Running, Trusted, Viewer, WaitingViewer
from proctor.api._pages import Limit
from proctor.api._platform import tenant_of
from proctor.api._runs import RunId
from proctor.api._streams import CURSOR, PLACE, RUN, TOLD, Cursor, EventStream, event_json
from proctor.api._texts import Storable, Wanted
from proctor.core import EventType, NotFound
from proctor.runs import MOST_FOLLOWED, TeamRuns

router = APIRouter(tags=["events"])

LONGEST = 3_600
USUAL = 900
"""Seconds after which a stream ends: who connects again says anew who he is."""

_BEHIND = "The last `id` that was read: the stream goes on behind it, and misses and repeats nothing."

Place: TypeAlias = Annotated[str, Header(alias="Last-Event-ID", pattern=f"^({PLACE})?$", description=_BEHIND)]
Places: TypeAlias = Annotated[str, Header(alias="Last-Event-ID", pattern=f"^$|{CURSOR}", description=_BEHIND)]
Seconds: TypeAlias = Annotated[
    int,
    Query(ge=1, le=LONGEST, description="After which the stream ends with `expired`; then connect again."),
]


class EventShown(BaseModel):
    """One entry of a run's log."""

    run: str
    seq: int = Field(description="From 1, without gaps.")
    at: AwareDatetime
    type: EventType
    agent: str
    data: dict[str, Any] = Field(
        description="For whoever is a viewer alone without texts: names and numbers."
    )


class EventPage(BaseModel):
    """A part of a run's log."""

    items: list[EventShown]
    next: int | None = Field(description="Give it as `after` for the next page; none: there is no more yet.")


STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events: `id` is the place to go on from, `event` the type, `data` JSON. "
        "`token`: a piece of a model's answer, without a place, and not for whoever is a viewer alone. "
        "`end`: a run has ended, and with the last one the stream. "
        "`closing`, `expired`, `slow`, `unavailable`: connect again.",
        "content": TOLD,
    }
}


@router.get("/runs/{id}/events", summary="List a run's events", response_model=EventPage)
async def list_events(
    *,
    id: RunId,
    principal: Viewer,
    proctor: Running,
    after: Annotated[int, Query(ge=0, le=10**9, description="Behind the event with this number.")] = 0,
    limit: Limit = 50,
) -> Response:
    """The page behind `after`."""
    found = await proctor.runs.log(id, tenant=tenant_of(principal), after=after, limit=limit + 1)
    more = found[limit - 1].seq if len(found) > limit else None
    whole = _reads_texts(principal)
    # In ASCII: recorded texts may hold halves of characters.
    said = json.dumps({"items": [event_json(event, whole=whole) for event in found[:limit]], "next": more})
    return Response(said, media_type="application/json")


@router.get(
    "/runs/{id}/events/stream",
    summary="Follow a run",
    status_code=200,
    response_class=EventStream,
    responses=STREAM,
)
async def follow_run(
    *,
    id: RunId,
    principal: WaitingViewer,
    trust: Trusted,
    proctor: Running,
    last_event_id: Place = "",
    seconds: Seconds = USUAL,
) -> EventStream:
    """The run's events from the beginning, or from behind `Last-Event-ID`, until its end."""
    place = int(last_event_id or 0)
    run = await proctor.runs.get(id, tenant=tenant_of(principal))
    following, whole = proctor.runs.feed.follow({run.id: place}), _reads_texts(principal)
    return EventStream(following, trust=trust, cursor=None, seconds=seconds, whole=whole)


@router.get(
    "/events/stream",
    summary="Follow many runs, a team, or all",
    status_code=200,
    response_class=EventStream,
    responses=STREAM,
)
async def follow_runs(
    *,
    principal: WaitingViewer,
    trust: Trusted,
    proctor: Running,
    run: Annotated[
        list[Annotated[str, Field(pattern=f"^{RUN}$")]],
        Query(max_length=MOST_FOLLOWED, description="The runs' ids; the stream ends when all have ended."),
    ] = [],  # noqa: B006 - FastAPI copies it
    team: Annotated[
        Storable,
        Query(
            max_length=64,
            description="Where no run is named, all that go on or come: of this team, or of all.",
        ),
    ] = "",
    tenant: Wanted = "",
    last_event_id: Places = "",
    seconds: Seconds = USUAL,
) -> EventStream:
    """The events of all of them, each run's in order."""
    shown, cursor, feed = tenant_of(principal, tenant), Cursor(last_event_id), proctor.runs.feed
    whole = _reads_texts(principal)
    if run:
        if len(await feed.owned(run, tenant=shown)) < len(set(run)):
            raise NotFound("one of the runs isn't there")
        cursor.name(run)
        following = feed.follow(dict(cursor.places))
        return EventStream(following, trust=trust, cursor=cursor, seconds=seconds, whole=whole)
    if team:
        proctor.app.find(team)
    wanted = TeamRuns(team=team, tenant=shown)
    if cursor.mark:  # it comes from outside, and may name anything
        owned = await feed.owned(cursor.places, tenant=shown, team=team)
        cursor.places = {run_id: seq for run_id, seq in cursor.places.items() if run_id in owned}
    else:
        mark, going_on = await feed.beginning(wanted)
        cursor.mark, cursor.places = mark, dict.fromkeys(going_on, 0)
    following = feed.follow_team(wanted, dict(cursor.places), mark=cursor.mark, over=frozenset(cursor.over))
    return EventStream(following, trust=trust, cursor=cursor, seconds=seconds, whole=whole)


def _reads_texts(principal: Principal) -> bool:
    """Whether a caller reads what agents say, and are about to do, before anybody has looked at it."""
    return any(principal.may(role) for role in ("operator", "approver", "auditor"))
