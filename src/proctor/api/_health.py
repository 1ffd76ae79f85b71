"""Whether the server lives, and whether it can work; and who asks."""

from datetime import timedelta
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from proctor.access import Role
from proctor.api._caller import Running, Viewer
from proctor.core import Unavailable

router = APIRouter(tags=["health"])

PATIENCE = timedelta(seconds=2)
"""For a database to answer."""


class Health(BaseModel):
    """That the process answers."""

    status: Literal["ok"]


class Me(BaseModel):
    """Who asks, as the server knows them."""

    name: str
    kind: Literal["key", "person", "local"]
    roles: list[Role]
    tenant: str | None = Field(description="None: of the platform, and all tenants' things are to be seen.")


class NotReady(Unavailable):
    """The server can't work now."""

    code = "not_ready"


@router.head("/health", include_in_schema=False)
@router.get("/health", summary="Whether the process answers")
async def health() -> Health:
    """Answers as long as the process does; says nothing of what it depends on."""
    return Health(status="ok")


@router.head("/ready", include_in_schema=False)
@router.get("/ready", summary="Whether the server can work")
async def ready(proctor: Running) -> Health:
    """Answers 200 as long as the database does and has the schema needed, and the engine runs; else 503."""
    executes = proctor.settings.engine.kind == "embedded"
    if (executes and not proctor.engine.running) or not await proctor.database.is_ready(within=PATIENCE):
        raise NotReady("not ready", hint="The server's log tells why.")
    return Health(status="ok")


@router.get("/me", summary="Who asks")
async def me(principal: Viewer) -> Me:
    """The caller's name, roles and tenant."""
    return Me(
        name=principal.name, kind=principal.kind, roles=sorted(principal.roles), tenant=principal.tenant
    )
