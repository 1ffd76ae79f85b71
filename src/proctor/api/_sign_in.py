"""How people sign in and out, and how the first admin gets a key."""

import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import APIRouter, Query, Request, Response, status
from fastapi.responses import RedirectResponse
from pydantic import Field

from proctor.access import KEY_NAME, Sessions, spend_setup
from proctor.access.oidc import Provider
from proctor.api._caller import Running, Viewer
from proctor.api._door import ServerDoor, address_of
from proctor.api._keys import KeyMade
from proctor.api._texts import Sent
from proctor.core import NotFound, Unauthenticated

router = APIRouter(tags=["session"])

CALLBACK = "/api/v1/session/callback"
ATTEMPT = 600
"""Seconds that somebody has to sign in."""
_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
"""A place on this server: what begins with two slashes is another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """What signing in takes."""

    sessions: Sessions
    provider: Provider | None
    url: str | None
    """How people reach the server; else as their request does."""
    secure: bool
    """Whether cookies go by https alone."""
    door: ServerDoor

    @property
    def cookie(self) -> str:
        """The name of the session's cookie."""
        return cookie_name("session", secure=self.secure)

    @property
    def attempt_cookie(self) -> str:
        """The name of the cookie of a sign-in under way."""
        return cookie_name("sign_in", secure=self.secure)

    def back(self, request: Request) -> str:
        """Where the identity provider sends people back to."""
        return f"{self.url or str(request.base_url).rstrip('/')}{CALLBACK}"

    def put(self, response: Response, name: str, value: str, *, age: int | None = None) -> None:
        """Gives a cookie to a browser, out of reach of scripts and of other sites' requests."""
        response.set_cookie(
            name, value, max_age=age, path="/", httponly=True, secure=self.secure, samesite="lax"
        )

    def take(self, response: Response, name: str) -> None:
        """Takes a cookie from a browser."""
        response.delete_cookie(name, path="/", httponly=True, secure=self.secure, samesite="lax")


class Setup(Sent):
    """What the first start takes."""

    token: str = Field(max_length=200, description="As `proctor serve` has printed it.")
    name: str = Field(default="admin", pattern=KEY_NAME, description="Of the first admin's key.")


def cookie_name(what: str, *, secure: bool) -> str:
    """A cookie's name. `__Host-` has browsers make sure that no other host has set it."""
    return f"{'__Host-' if secure else ''}proctor_{what}"


def _found(request: Request) -> SignIn:
    sign_in: SignIn | None = getattr(request.app.state, "sign_in", None)
    if sign_in is None:
        raise NotFound("nobody signs in here", hint="The server asks nobody who they are.")
    return sign_in


def _with_provider(request: Request) -> tuple[SignIn, Provider]:
    sign_in = _found(request)
    if sign_in.provider is None:
        raise NotFound("people don't sign in here", hint="Configure [access.oidc].")
    return sign_in, sign_in.provider


@router.post("/setup", status_code=status.HTTP_201_CREATED, summary="Make the first admin's key")
async def set_up(setup: Setup, request: Request, proctor: Running) -> KeyMade:
    """Takes the token that the first start has printed, once and within the hour."""
    sign_in = _found(request)
    address = address_of(request)
    await sign_in.door.check(address)
    # Counted before it is known, so that tries at one moment are counted too. The right one comes once.
    await sign_in.door.failed(address)
    made = await spend_setup(proctor.database, setup.token, name=setup.name, clock=proctor.clock)
    return KeyMade.model_validate(made.told())


@router.get(
    "/session/sign-in",
    status_code=status.HTTP_302_FOUND,
    response_class=RedirectResponse,
    summary="Sign in",
)
async def sign_in(
    request: Request,
    then: Annotated[
        str, Query(alias="next", max_length=1_000, description="A path of this server to go to afterwards.")
    ] = "/",
) -> RedirectResponse:
    """Sends a browser to the identity provider."""
    with_cookies, provider = _with_provider(request)
    attempt = provider.begin()
    response = RedirectResponse(
        await provider.address(attempt, back=with_cookies.back(request)), status_code=status.HTTP_302_FOUND
    )
    place = then if _PATH.fullmatch(then) else "/"
    with_cookies.put(response, with_cookies.attempt_cookie, f"{attempt}.{quote(place, safe='')}", age=ATTEMPT)
    return response


@router.get(
    "/session/callback",
    status_code=status.HTTP_303_SEE_OTHER,
    response_class=RedirectResponse,
    summary="Come back from the identity provider",
)
async def callback(
    request: Request,
    code: Annotated[str, Query(max_length=4_000)] = "",
    state: Annotated[str, Query(max_length=1_000)] = "",
) -> RedirectResponse:
    """Opens a session for whom the identity provider vouches, if this browser has asked for it."""
    with_cookies, provider = _with_provider(request)
    address = address_of(request)
    await with_cookies.door.check(address)
    attempt, _, place = request.cookies.get(with_cookies.attempt_cookie, "").partition(".")
    place = unquote(place)
    if not (attempt and code and state):
        await with_cookies.door.failed(address)
        raise Unauthenticated("nobody has begun to sign in here", hint="Begin at /api/v1/session/sign-in.")
    try:
        principal = await provider.redeem(attempt, code=code, state=state, back=with_cookies.back(request))
    except Unauthenticated:
        await with_cookies.door.failed(address)
        raise
    if before := request.cookies.get(with_cookies.cookie):
        await with_cookies.sessions.close(before)
    response = RedirectResponse(
        place if _PATH.fullmatch(place) else "/", status_code=status.HTTP_303_SEE_OTHER
    )
    with_cookies.put(response, with_cookies.cookie, await with_cookies.sessions.open(principal))
    with_cookies.take(response, with_cookies.attempt_cookie)
    return response


@router.delete("/session", status_code=status.HTTP_204_NO_CONTENT, summary="Sign out")
async def sign_out(request: Request, _: Viewer) -> Response:
    """Ends the session at once; who came with a key has none."""
    response = Response(status_code=status.HTTP_204_NO_CONTENT)
    with_cookies: SignIn | None = getattr(request.app.state, "sign_in", None)
    if with_cookies is not None:
        if secret := request.cookies.get(with_cookies.cookie):
            await with_cookies.sessions.close(secret)
        with_cookies.take(response, with_cookies.attempt_cookie)
        with_cookies.take(response, with_cookies.cookie)
    return response
