"""`/metrics`: the figures of all tenants, told also while the database is away."""

import asyncio

from fastapi import Request, Response
from starlette.routing import Route

from proctor.api._caller import Door
from proctor.app import Proctor
from proctor.core import DatabaseUnavailable, Forbidden, Unauthenticated, digest

PATIENCE = 2.0
"""Seconds for the database to say who asks: Prometheus gives up after 10."""


def metrics_route(proctor: Proctor, door: Door) -> Route:
    """The page, for viewers of the platform, or for everybody where it is open.

    While nobody can tell who asks, keys that have read it before read it: it is then that it is needed.
    """
    admitted: set[str] = set()

    async def admit(request: Request) -> None:
        given = request.headers.get("authorization", "")
        key = digest(given)
        try:
            async with asyncio.timeout(PATIENCE):
                principal = await door.enter(request)
        except (TimeoutError, DatabaseUnavailable) as error:
            if key in admitted:
                return
            raise DatabaseUnavailable("nobody can tell who asks: the database is away") from error
        except Unauthenticated:
            admitted.discard(key)
            raise
        if principal.tenant is not None or not principal.may("viewer"):
            raise Forbidden("metrics are of all tenants", hint="Use a viewer's key of the platform.")
        if given:
            admitted.add(key)

    async def answer(request: Request) -> Response:
        if proctor.settings.server.metrics == "key":
            await admit(request)
        body, kind = await proctor.metrics_page.read(request.headers.get("accept", ""))
        return Response(body, media_type=kind)

    return Route("/metrics", answer)
