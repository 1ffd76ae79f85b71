"""The door of the server: finds out who sends a request, by key, by session, or by where they are."""

import getpass

from fastapi import Request
from starlette.datastructures import Headers

from proctor.access import Keys, Principal, Sessions
from proctor.access.oidc import Provider
from proctor.api._headers import FORWARDED, check_same_site
from proctor.api._limits import Rates
from proctor.core import AccessSettings, Unauthenticated

SCHEME = "bearer "
KEY = "pk_"


class ServerDoor:
    """The door as `[access]` configures it."""

    def __init__(
        self,
        settings: AccessSettings,
        *,
        keys: Keys,
        sessions: Sessions,
        provider: Provider | None,
        cookie: str,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._sessions = sessions
        self._provider = provider
        self._cookie = cookie
        self._rates = Rates(settings)
        self._local = local_caller()

    async def enter(self, request: Request) -> Principal:
        """Who they are.

        Raises:
            Unauthenticated: nobody knows.
            CrossSite: a page of another site sends the request in their name.
            RateLimited: they ask too often, or have tried to authenticate too often.
            DatabaseUnavailable: nobody can tell at the moment.
        """
        address = address_of(request)
        try:
            principal = await self._find(request, address)
        except Unauthenticated:
            if request.headers.get("authorization") or request.cookies.get(self._cookie):
                await self._rates.failed(address)
            raise
        if principal.kind != "local":
            await self._rates.take(principal)
        return principal

    async def recall(self, request: Request) -> None:
        """Returns where whoever was let in with a request would be let in with it still. It counts as none.

        Raises:
            Unauthenticated: they wouldn't.
            CrossSite: neither.
            RateLimited: too many have failed from where they are, and nobody here knows their key or session.
            DatabaseUnavailable: nobody can tell at the moment.
        """
        await self._find(request, address_of(request))

    async def check(self, address: str) -> None:
        """Returns where an address may still try to say who it is.

        Raises:
            RateLimited: it has failed too often.
        """
        await self._rates.check(address)

    async def failed(self, address: str) -> None:
        """Counts a try that failed."""
        await self._rates.failed(address)

    async def _find(self, request: Request, address: str) -> Principal:
        headers = request.headers
        token = _bearer(headers)
        anybody = self._settings.authentication == "none"
        if token is not None and not (anybody and not token.startswith(KEY)):
            return await self._by_token(token, address)
        secret = request.cookies.get(self._cookie)
        if secret and not anybody:
            if not self._sessions.knows(secret):
                await self._rates.check(address)
            principal = await self._sessions.find(secret)
            check_same_site(request.method, headers, needs_proof=True)
            return principal
        if anybody:
            if any(name in headers for name in FORWARDED):
                raise Unauthenticated(
                    "the request comes through a proxy, and the server is open to this machine alone",
                    hint='Set authentication = "required" under [access].',
                )
            check_same_site(request.method, headers, needs_proof=False)
            return self._local
        raise Unauthenticated("the request says not who sends it", hint="Send `Authorization: Bearer KEY`.")

    async def _by_token(self, token: str, address: str) -> Principal:
        # Who can prove who they are gets in, however many others fail at the same address: whoever was known
        # before, and whoever the provider has signed a token for. To check that takes no database.
        if token.startswith(KEY) or self._provider is None:
            if not self._keys.knows(token):
                await self._rates.check(address)
            return await self._keys.find(token)
        try:
            return await self._provider.bearer(token)
        except Unauthenticated:
            await self._rates.check(address)
            raise


def address_of(request: Request) -> str:
    """From where a request comes, as far as proxies that are believed say."""
    return request.client.host if request.client else ""


def _bearer(headers: Headers) -> str | None:
    given = headers.get("authorization")
    if given is None:
        return None
    if not given.lower().startswith(SCHEME):
        raise Unauthenticated("the request authenticates in an unknown way", hint="Use `Bearer KEY`.")
    return given[len(SCHEME) :].strip()


def local_caller() -> Principal:
    """Who runs this process, for whoever reaches it on this machine alone."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "local"
    return Principal(name=user, kind="local", roles=frozenset({"admin"}), tenant=None)
