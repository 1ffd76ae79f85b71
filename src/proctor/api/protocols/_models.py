"""The teams, where OpenAI's API has its models."""

from fastapi import APIRouter
from pydantic import BaseModel

from proctor.api._caller import Running, Viewer
from proctor.api._texts import TeamName
from proctor.api.protocols._asking import check_team
from proctor.api.protocols._errors import ANY_ERROR, OpenAIRoute

router = APIRouter(tags=["openai"], route_class=OpenAIRoute, responses=ANY_ERROR)


class Model(BaseModel):
    """A team."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str = "proctor"


class Models(BaseModel):
    """All teams."""

    object: str = "list"
    data: list[Model]


@router.get("/models", summary="List the teams")
async def list_models(_principal: Viewer, proctor: Running) -> Models:
    """The teams that `model` may name."""
    return Models(data=[Model(id=name) for name in proctor.app.teams])


@router.get("/models/{name}", summary="Show a team")
async def show_model(name: TeamName, _principal: Viewer, proctor: Running) -> Model:
    """One team."""
    check_team(proctor, name)
    return Model(id=name)
