"""What is checked before every request, and what browsers may do with answers."""

from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proctor.api._problems import refusal
from proctor.core import LOOPBACK_NAMES, Forbidden, InvalidInput, ServerSettings, is_loopback

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")

FREE = ("/decide/", "/api/v1/health", "/api/v1/ready")
"""What is asked for by any name: who has a decision link needs no more, and probes know an address alone."""

_STRICT = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
"""Set where an answer doesn't say otherwise."""


class WrongHost(InvalidInput):
    """The request calls the server by a name that isn't its own."""

    code = "wrong_host"
    status = 421


class CrossSite(Forbidden):
    """Another site's page sends a request in the name of whoever looks at it."""

    code = "cross_site"


class StrictHeaders:
    """Tells browsers to keep nothing, guess nothing, show nothing in frames and load nothing else."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""

        async def send_strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _STRICT.items():
                    headers.setdefault(name, value)
                if self._https:
                    headers.setdefault("strict-transport-security", "max-age=31536000")
            await send(message)

        await self._app(scope, receive, send_strictly)


class KnownHosts:
    """Refuses requests that call the server by a name that isn't its own.

    Else a page of somebody else's could let its own name point to this machine, and would be taken by the
    browser for a page of this server. Paths that begin as a free one are let through.
    """

    def __init__(
        self, app: ASGIApp, *, names: Collection[str], everywhere: bool, free: tuple[str, ...]
    ) -> None:
        self._app = app
        self._names = names
        self._everywhere = everywhere
        self._free = free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] == "http" and self._everywhere and not scope["path"].startswith(self._free):
            name = host_of(Headers(scope=scope).get("host", ""))
            if name not in self._names:
                wrong = WrongHost(
                    "the server isn't called so", hint="`hosts` under [server] lists further names."
                )
                await refusal(wrong, scope)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def names_of(settings: ServerSettings, host: str) -> frozenset[str]:
    """The names by which requests may call the server."""
    of_url = () if settings.url is None else (urlsplit(settings.url).hostname or "",)
    of_loopback: Iterable[str] = LOOPBACK_NAMES if is_loopback(host) else ()
    own = (name.lower() for name in (*of_url, *settings.hosts, host))
    return frozenset((*own, *of_loopback))


def host_of(header: str) -> str:
    """The name in a Host header or an origin, without port and brackets; empty where it can't be read."""
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


def check_same_site(method: str, headers: Headers, *, needs_proof: bool) -> None:
    """Returns where a request that bears no key of its own comes from this server's own pages.

    Browsers say where a request comes from, and pages can't change what they say. Programs that are no
    browsers say nothing: with `needs_proof`, for cookies, which only browsers send, nothing isn't enough.

    Raises:
        CrossSite: it comes from elsewhere, or nobody says from where.
    """
    if method in SAFE_METHODS:
        return
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        allowed = site in ("same-origin", "none")
    elif origin is not None:
        allowed = origin.partition("://")[2].lower() == headers.get("host", "").lower()
    else:
        allowed = not needs_proof
    if not allowed:
        raise CrossSite("the request comes from another site's page", hint="Programs use a key.")
