"""The teams that there are."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from proctor.api._caller import Running, Viewer
from proctor.api._texts import TeamName
from proctor.app import Proctor
from proctor.core import BusyThread, to_micros

router = APIRouter(tags=["teams"])


class TeamLine(BaseModel):
    """A team, and what holds for its runs."""

    name: str
    tools: list[str] = Field(description="Servers, single tools and functions that it may use.")
    simple: bool = Field(description="Whether it has a simpler form for a degraded system.")
    deadline_s: float = Field(description="For one segment of a run.")
    max_calls: int
    max_turns: int
    max_tool_calls: int | None
    max_cost_micros: int | None = Field(description="What one run may cost.")
    concurrency: int | None = Field(description="Runs at a time.")
    rate_per_minute: int | None
    busy_thread: BusyThread = Field(
        description="What becomes of a message while a run of its thread goes on."
    )
    review: str | None = Field(description="How its answers are reviewed, where the team says so.")
    purpose: str | None = Field(description="What its runs process data for.")


class TeamList(BaseModel):
    """The teams of this server."""

    teams: list[TeamLine]


@router.get("/teams", summary="List the teams of this server")
async def list_teams(_principal: Viewer, proctor: Running) -> TeamList:
    """In the order of their names."""
    return TeamList(teams=[_team(proctor, name) for name in sorted(proctor.app.teams)])


@router.get("/teams/{name}", summary="Show a team")
async def show_team(name: TeamName, _principal: Viewer, proctor: Running) -> TeamLine:
    """What holds for its runs."""
    return _team(proctor, proctor.app.find(name).name)


def _team(proctor: Proctor, name: str) -> TeamLine:
    team, settings = proctor.app.teams[name], proctor.settings.team(name)
    return TeamLine(
        name=name,
        tools=list(team.tools),
        simple=team.simple is not None,
        deadline_s=settings.deadline.total_seconds(),
        max_calls=settings.max_calls,
        max_turns=settings.max_turns,
        max_tool_calls=settings.max_tool_calls,
        max_cost_micros=None if settings.max_cost_usd is None else to_micros(settings.max_cost_usd),
        concurrency=settings.concurrency,
        rate_per_minute=settings.rate_per_minute,
        busy_thread=settings.busy_thread,
        review=settings.review.mode,
        purpose=settings.purpose,
    )
