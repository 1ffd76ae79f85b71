"""Who sends a request, and whether they may. Each route says by its type which role it takes."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Protocol

from fastapi import Depends, Request, Security
from fastapi.security import SecurityScopes
from fastapi.security.http import HTTPBearer

from proctor.access import Principal, Role
from proctor.app import Proctor
from proctor.core import Forbidden

_bearer = HTTPBearer(scheme_name="key", description="An API key of Proctor.", auto_error=False)


class Door(Protocol):
    """What finds out who sends a request."""

    async def enter(self, request: Request) -> Principal:
        """Who they are.

        Raises:
            Unauthenticated: nobody knows.
        """


async def _running(request: Request) -> Proctor:
    proctor: Proctor = request.app.state.proctor
    return proctor


async def _principal(request: Request) -> Principal:
    door: Door = request.app.state.door
    return await door.enter(request)


def _needs(role: Role) -> Callable[..., Awaitable[Principal]]:
    async def allowed(
        scopes: SecurityScopes,  # noqa: ARG001 - the role stands in the OpenAPI by it
        principal: Annotated[Principal, Depends(_principal)],
        _key: Annotated[object, Depends(_bearer)],
    ) -> Principal:
        if not principal.may(role):
            raise Forbidden(f"this takes the role {role}", hint="An admin gives roles.")
        return principal

    return allowed


Running = Annotated[Proctor, Depends(_running)]
Viewer = Annotated[Principal, Security(_needs("viewer"), scopes=["viewer"])]
Operator = Annotated[Principal, Security(_needs("operator"), scopes=["operator"])]
Approver = Annotated[Principal, Security(_needs("approver"), scopes=["approver"])]
Auditor = Annotated[Principal, Security(_needs("auditor"), scopes=["auditor"])]
Admin = Annotated[Principal, Security(_needs("admin"), scopes=["admin"])]
