"""The server as it faces the world: the site, behind all that is checked before it."""

import os
from collections.abc import Mapping

from fastapi import FastAPI
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from proctor.access import Sessions
from proctor.access.oidc import Provider
from proctor.api._door import ServerDoor
from proctor.api._headers import FREE, KnownHosts, StrictHeaders, names_of
from proctor.api._limits import Bounds
from proctor.api._problems import tell_problems
from proctor.api._scraping import metrics_route
from proctor.api._sign_in import SignIn, cookie_name
from proctor.api._site import make_site
from proctor.app import Proctor, Settings
from proctor.core import ConfigurationError, is_loopback
from proctor.notices import DecisionPage


def check_address(settings: Settings, host: str) -> None:
    """Returns where the server may listen on an address.

    Raises:
        ConfigurationError: others could reach it, and it would ask nobody who they are.
    """
    check_reach(settings, host)
    if settings.access.oidc and not (is_loopback(host) or _is_https(settings)):
        raise ConfigurationError(
            "people sign in by https, and the server isn't said to be reached by it",
            hint="Set `url` under [server] to its https address, and put a proxy there.",
        )


def check_reach(settings: Settings, host: str) -> None:
    """Returns where a process may answer on an address.

    Raises:
        ConfigurationError: others could reach it, and it would ask nobody who they are.
    """
    if not is_loopback(host) and settings.access.authentication == "none":
        raise ConfigurationError(
            f"{host} is no loopback address, and nobody would be asked who they are",
            hint='Set authentication = "required" under [access], or listen on 127.0.0.1.',
        )


def make_server(
    proctor: Proctor,
    *,
    host: str,
    page: DecisionPage | None = None,
    environ: Mapping[str, str] = os.environ,
) -> ASGIApp:
    """All that a process serves on one port: /api/v1, the façades, /metrics and /decide.

    Raises:
        ConfigurationError: the server may not listen on the address.
        MissingSetting: the environment doesn't hold the secret of the identity provider's client.
    """
    check_address(proctor.settings, host)
    settings, clock = proctor.settings, proctor.clock
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
            sessions=sessions, provider=provider, url=server.url, secure=secure, door=door
        )
    site.router.routes.append(metrics_route(proctor, door))
    if page is not None:
        site.router.routes.append(page.route)
    return _behind_checks(site, settings, host)


def make_worker_server(proctor: Proctor, *, host: str) -> ASGIApp:
    """What a worker serves on its port: /metrics, for those whose key the server would show it.

    Raises:
        ConfigurationError: the worker may not listen on the address.
    """
    settings = proctor.settings
    check_reach(settings, host)
    door = ServerDoor(
        settings.access,
        keys=proctor.keys,
        sessions=Sessions(proctor.database, settings.access, clock=proctor.clock),
        provider=None,
        cookie=cookie_name("session", secure=_is_https(settings)),
    )
    site = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    tell_problems(site)
    site.router.routes.append(metrics_route(proctor, door))
    return _behind_checks(site, settings, host)


def _behind_checks(site: ASGIApp, settings: Settings, host: str) -> ASGIApp:
    access, server = settings.access, settings.server
    names = names_of(server, host)
    app: ASGIApp = Bounds(site, longest=server.longest_body, timeout=server.timeout.total_seconds())
    everywhere = is_loopback(host) or bool(server.hosts or server.url)
    # Scrapers, too, know an address alone; and no browser holds their key.
    free = (*FREE, "/metrics") if access.authentication == "required" else FREE
    app = KnownHosts(app, names=names, everywhere=everywhere, free=free)
    app = StrictHeaders(app, https=_is_https(settings))
    if server.proxies:
        app = ProxyHeadersMiddleware(app, trusted_hosts=list(server.proxies))  # type: ignore[arg-type, assignment] # uvicorn has its own types of the same
    return app


def _is_https(settings: Settings) -> bool:
    return (settings.server.url or "").startswith("https://")
