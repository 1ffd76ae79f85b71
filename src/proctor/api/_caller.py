"""Who sends a request, and whether they may. Each route says by its type which role it takes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Annotated, Protocol

from fastapi import Depends, Request, Security
from fastapi.security import SecurityScopes
from fastapi.security.http import HTTPBearer

from proctor.access import Principal, Role
from proctor.api._waits import Waits
from proctor.app import Proctor
from proctor.core import DatabaseUnavailable, Forbidden, RateLimited

TRUSTED = 2.0
"""Seconds for which a key or session is believed without another look."""

_bearer = HTTPBearer(scheme_name="key", description="An API key of Proctor.", auto_error=False)


class Door(Protocol):
    """What finds out who sends a request."""

    async def enter(self, request: Request) -> Principal:
        """Who they are.

        Raises:
            Unauthenticated: nobody knows.
        """

    async def recall(self, request: Request) -> None:
        """Returns where whoever was let in with a request would be let in with it still.

        Raises:
            Unauthenticated: they wouldn't.
            RateLimited: nobody looks, as too many have failed from where they are.
        """


class Trust:
    """That who was let in with a request would be let in with it still: for answers that last."""

    def __init__(self, recall: Callable[[], Awaitable[None]]) -> None:
        self._recall = recall
        self._looked = asyncio.get_running_loop().time()

    async def renew(self) -> None:
        """Returns where they may be told more. While nobody can tell they may.

        Raises:
            Unauthenticated: their key or session holds no more.
        """
        loop = asyncio.get_running_loop()
        if loop.time() - self._looked < TRUSTED:
            return
        with suppress(TimeoutError, DatabaseUnavailable, RateLimited):
            async with asyncio.timeout(TRUSTED):
                await self._recall()
        self._looked = loop.time()


async def _running(request: Request) -> Proctor:
    proctor: Proctor = request.app.state.proctor
    return proctor


async def _principal(request: Request) -> Principal:
    door: Door = request.app.state.door
    return await door.enter(request)


async def _trust(request: Request) -> Trust:
    door: Door = request.app.state.door
    return Trust(partial(door.recall, request))


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


def _waits_as(role: Role) -> Callable[..., AsyncIterator[Principal]]:
    async def waiting(
        request: Request, principal: Annotated[Principal, Security(_needs(role), scopes=[role])]
    ) -> AsyncIterator[Principal]:
        waits: Waits = request.app.state.waits
        with waits.one(principal):  # until the answer is sent
            yield principal

    return waiting


Running = Annotated[Proctor, Depends(_running)]
Trusted = Annotated[Trust, Depends(_trust)]
Viewer = Annotated[Principal, Security(_needs("viewer"), scopes=["viewer"])]
Operator = Annotated[Principal, Security(_needs("operator"), scopes=["operator"])]
Approver = Annotated[Principal, Security(_needs("approver"), scopes=["approver"])]
Auditor = Annotated[Principal, Security(_needs("auditor"), scopes=["auditor"])]
Admin = Annotated[Principal, Security(_needs("admin"), scopes=["admin"])]
WaitingViewer = Annotated[Principal, Depends(_waits_as("viewer"))]
WaitingOperator = Annotated[Principal, Depends(_waits_as("operator"))]
"""The same for what lasts: nobody has too much of it open at a time."""
