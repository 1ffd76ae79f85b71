"""The server as it faces the world: the site, behind all that is checked before it."""

import os
from collections.abc import Mapping

from fastapi import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from proctor.access import Sessions
from proctor.access.oidc import Provider
from proctor.api._caller import Door
from proctor.api._door import ServerDoor
from proctor.api._headers import KnownHosts, StrictHeaders, names_of
from proctor.api._limits import Bounds
from proctor.api._sign_in import SignIn, cookie_name
from proctor.api._site import make_site
from proctor.app import Proctor, Settings
from proctor.core import Clock, ConfigurationError, Forbidden, SystemClock, is_loopback
from proctor.notices import DecisionPage


def check_address(settings: Settings, host: str) -> None:
    """Returns where the server may listen on an address.

    Raises:
        ConfigurationError: others could reach it, and it would ask nobody who they are.
    """
    if not is_loopback(host) and settings.access.authentication == "none":
        raise ConfigurationError(
            f"{host} is no loopback address, and nobody would be asked who they are",
            hint='Set authentication = "required" under [access], or listen on 127.0.0.1.',
        )
    if settings.access.oidc and not (is_loopback(host) or _is_https(settings)):
        raise ConfigurationError(
            "people sign in by https, and the server isn't said to be reached by it",
            hint="Set `url` under [server] to its https address, and put a proxy there.",
        )


def make_server(
    proctor: Proctor,
    *,
    host: str,
    page: DecisionPage | None = None,
    environ: Mapping[str, str] = os.environ,
    clock: Clock | None = None,
) -> ASGIApp:
    """All that a process serves on one port: /api/v1, the façades, /metrics and /decide.

    Raises:
        ConfigurationError: the server may not listen on the address.
        MissingSetting: the environment doesn't hold the secret of the identity provider's client.
    """
    check_address(proctor.settings, host)
    settings, clock = proctor.settings, clock or SystemClock()
    access, server = settings.access, settings.server
    secure = _is_https(settings)
    provider = None if access.oidc is None else Provider(access.oidc, clock=clock, environ=environ)
    sessions = Sessions(proctor.database, access, clock=clock)
    door = ServerDoor(
        access,
        keys=proctor.keys,
        sessions=sessions,
        provider=provider,
        cookie=cookie_name("session", secure=secure),
    )
    site = make_site(proctor, door=door)
    if access.authentication == "required":
        site.state.sign_in = SignIn(
            sessions=sessions, provider=provider, url=server.url, secure=secure, door=door, clock=clock
        )
    site.router.routes.append(Route("/metrics", _metrics(proctor, door)))
    if page is not None:
        site.router.routes.append(page.route)
    names = names_of(server, host)
    app: ASGIApp = Bounds(site, longest=server.longest_body, timeout=server.timeout.total_seconds())
    everywhere = is_loopback(host) or bool(server.hosts or server.url)
    app = KnownHosts(app, names=names, everywhere=everywhere)
    app = StrictHeaders(app, https=secure)
    if server.proxies:
        app = ProxyHeadersMiddleware(app, trusted_hosts=list(server.proxies))  # type: ignore[arg-type, assignment] # uvicorn has its own types of the same
    return app


def _metrics(proctor: Proctor, door: Door) -> ASGIApp:
    async def answer(request: Request) -> Response:
        if proctor.settings.server.metrics == "key":
            principal = await door.enter(request)
            if principal.tenant is not None or not principal.may("viewer"):
                raise Forbidden("metrics are of all tenants", hint="Use a viewer's key of the platform.")
        body, kind = await proctor.metrics_page.read(request.headers.get("accept", ""))
        return Response(body, media_type=kind)

    return answer  # type: ignore[return-value] # a route takes a function for an endpoint


def _is_https(settings: Settings) -> bool:
    return (settings.server.url or "").startswith("https://")
