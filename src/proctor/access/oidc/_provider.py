"""The identity provider: where people sign in, and whether what they bring from there is true.

Authorization code with PKCE, by OpenID Connect. Nothing of a sign-in under way is kept here: its state, nonce
and verifier are drawn from one secret that the person's browser holds for ten minutes.
"""

import asyncio
import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from httpx2 import AsyncClient, HTTPError
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from proctor.access._people import person_of
from proctor.access._secrets import is_same, new_secret
from proctor.access._values import Principal
from proctor.core import Clock, MissingSetting, OidcSettings, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from joserfc.jwk import KeySetSerialization

KNOWN = timedelta(hours=1)
"""How long what the provider publishes is believed without another look."""
LOOK = timedelta(seconds=10)
"""Between looks at what the provider publishes, whatever comes: it may be away, or have changed its keys."""
PATIENCE = 10.0
"""Seconds for an answer of the provider."""
ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
"""All with a public key: a shared secret, or none, proves nothing here."""
BROKEN = (JoseError, ValueError, TypeError, RecursionError)
"""What reading a token may raise: its header and claims are anybody's."""
_WHERE = "`issuer` under [access.oidc] says where it is."


class ProviderUnavailable(Unavailable):
    """The identity provider can't be reached, or says what can't be read."""

    code = "identity_provider_unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Published:
    """What the provider says of itself."""

    read_at: datetime
    authorization: str
    token: str
    userinfo: str | None
    keys: KeySet


class Provider:
    """One identity provider, as one process sees it."""

    def __init__(self, settings: OidcSettings, *, clock: Clock, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._clock = clock
        self._secret = _secret(settings, environ)
        self._published: _Published | None = None
        self._tried_at: datetime | None = None
        """When the last look ended, whatever came of it."""
        self._reading = asyncio.Lock()

    @staticmethod
    def begin() -> str:
        """The secret of a new sign-in, for the person's browser alone."""
        return new_secret()

    async def address(self, attempt: str, *, back: str) -> str:
        """Where a browser goes to sign in; it comes back to `back`.

        Raises:
            ProviderUnavailable: nobody knows.
        """
        published = await self._look()
        async with self._client(back) as client:
            address, _ = client.create_authorization_url(
                published.authorization,
                state=_drawn(attempt, "state"),
                nonce=_drawn(attempt, "nonce"),
                code_verifier=_drawn(attempt, "verifier"),
            )
        return str(address)

    async def redeem(self, attempt: str, *, code: str, state: str, back: str) -> Principal:
        """Who has signed in, by what their browser came back with.

        Raises:
            Unauthenticated: it isn't this browser's, or the provider doesn't stand by it.
            Forbidden: the provider knows them, and they have no role.
            ProviderUnavailable: the provider can't be asked.
        """
        if not is_same(_drawn(attempt, "state"), _ascii(state)):
            raise Unauthenticated("this sign-in was begun elsewhere, or too long ago", hint="Sign in again.")
        published = await self._look()
        async with self._client(back) as client:
            try:
                tokens = await client.fetch_token(
                    published.token, code=code, code_verifier=_drawn(attempt, "verifier")
                )
            except AuthlibBaseError as error:
                raise Unauthenticated("the provider didn't take the code", hint="Sign in again.") from error
            except (HTTPError, ValueError) as error:
                raise _away(error) from error
            claims = await self._claims(
                str(tokens.get("id_token", "")),
                audience=self._settings.client_id,
                nonce=_drawn(attempt, "nonce"),
            )
            wanted = {self._settings.name, self._settings.groups}
            if published.userinfo is not None and not wanted <= claims.keys():
                claims = await self._asked(client, published.userinfo, claims)
        return person_of(claims, self._settings)

    async def _asked(self, client: AsyncOAuth2Client, address: str, claims: dict[str, Any]) -> dict[str, Any]:
        """The claims, with what the provider tells of the person only where it is asked."""
        try:
            more = await _object(client, address)
        except (HTTPError, AuthlibBaseError, ValueError) as error:
            raise _away(error) from error
        if more.get("sub") != claims["sub"]:
            raise _invalid()
        return more | claims

    async def bearer(self, token: str) -> Principal:
        """Who sends one of the provider's access tokens.

        Raises:
            Unauthenticated: such tokens aren't taken, or it isn't valid.
            Forbidden: the provider knows them, and they have no role.
            ProviderUnavailable: the provider's keys can't be read.
        """
        if self._settings.bearer_audience is None:
            raise Unauthenticated("tokens of the identity provider aren't taken", hint="Use a key.")
        claims = await self._claims(token, audience=self._settings.bearer_audience)
        return person_of(claims, self._settings)

    async def _claims(self, token: str, *, audience: str, nonce: str | None = None) -> dict[str, Any]:
        """What a token says, where its signature, issuer, audience, times and nonce are right."""
        _check_form(token)
        try:
            decoded = jwt.decode(token, (await self._look()).keys, algorithms=ALGORITHMS)
        except BROKEN:
            # The provider may have new keys. It is asked for them at most every ten seconds.
            try:
                decoded = jwt.decode(token, (await self._look(LOOK)).keys, algorithms=ALGORITHMS)
            except BROKEN as error:
                raise _invalid() from error
        expected: dict[str, Any] = {
            "iss": {"essential": True, "value": self._settings.issuer},
            "aud": {"essential": True, "value": audience},
            "exp": {"essential": True},
            "sub": {"essential": True},
        }
        if nonce is not None:
            expected |= {"nonce": {"essential": True, "value": nonce}, "iat": {"essential": True}}
        registry = jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            leeway=round(self._settings.clock_skew.total_seconds()),
            **expected,
        )
        claims = decoded.claims
        try:
            registry.validate(claims)
        except JoseError as error:
            raise _invalid() from error
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (
            nonce is not None
            and claims.get("azp", self._settings.client_id if not several else "") != audience
        ):
            raise _invalid()
        return claims

    async def _look(self, known: timedelta = KNOWN) -> _Published:
        """What the provider publishes, read no longer ago than `known`, or as lately as it could be.

        Nobody waits for a look of somebody else's who has no need of one.
        """
        if (young := self._young(known)) is not None:
            return young
        async with self._reading:
            if (young := self._young(known)) is not None:
                return young
            now = self._clock.now()
            if self._tried_at is None or not timedelta(0) <= now - self._tried_at < LOOK:
                try:
                    self._published = await self._read(now)
                except ProviderUnavailable:
                    self._tried_at = self._clock.now()
                    if (young := self._young(KNOWN)) is not None:
                        return young
                    raise
                self._tried_at = self._clock.now()
                return self._published
        if (young := self._young(KNOWN)) is not None:
            return young
        raise ProviderUnavailable("the identity provider couldn't be asked a moment ago", hint=_WHERE)

    def _young(self, known: timedelta) -> _Published | None:
        published = self._published
        if published is None or not timedelta(0) <= self._clock.now() - published.read_at < known:
            return None
        return published

    async def _read(self, now: datetime) -> _Published:
        issuer = self._settings.issuer
        try:
            async with AsyncClient(timeout=PATIENCE) as client:
                document = await _object(
                    client, f"{issuer.rstrip('/')}/.well-known/openid-configuration", issuer
                )
                keys: KeySetSerialization = await _object(client, str(document["jwks_uri"]))  # type: ignore[assignment] # checked by its reader
                return _Published(
                    read_at=now,
                    authorization=str(document["authorization_endpoint"]),
                    token=str(document["token_endpoint"]),
                    userinfo=str(document["userinfo_endpoint"]) if "userinfo_endpoint" in document else None,
                    keys=KeySet.import_key_set(keys),
                )
        except (HTTPError, JoseError, ValueError, KeyError, TypeError) as error:
            raise _away(error) from error

    def _client(self, back: str) -> AsyncOAuth2Client:
        settings = self._settings
        method: Literal["client_secret_basic", "none"] = "client_secret_basic" if self._secret else "none"
        return AsyncOAuth2Client(
            client_id=settings.client_id,
            client_secret=self._secret,
            token_endpoint_auth_method=method,
            scope=" ".join(settings.scopes),
            redirect_uri=back,
            code_challenge_method="S256",
            timeout=PATIENCE,
        )


async def _object(client: AsyncClient, address: str, issuer: str | None = None) -> dict[str, Any]:
    answer = await client.get(address)
    answer.raise_for_status()
    found = answer.json()
    if not isinstance(found, dict) or (issuer and found.get("issuer") != issuer):
        raise ValueError(f"{address} doesn't hold what it should")
    return found


def _check_form(token: str) -> None:
    """Returns where something may be a token, by whomever: for what can't be one nobody is asked.

    Raises:
        Unauthenticated: it is none.
    """
    try:
        algorithm = jws.extract_compact(token.encode()).headers().get("alg")
    except BROKEN as error:
        raise _invalid() from error
    if algorithm not in ALGORITHMS:
        raise _invalid()


def _secret(settings: OidcSettings, environ: Mapping[str, str]) -> str | None:
    if settings.client_secret_env is None:
        return None
    secret = environ.get(settings.client_secret_env, "").strip()
    if not secret:
        raise MissingSetting(
            f"{settings.client_secret_env}, the secret of [access.oidc], isn't in the environment"
        )
    return secret


def _drawn(attempt: str, purpose: str) -> str:
    """A value that only who holds the attempt's secret can tell."""
    drawn = hmac.digest(attempt.encode("utf-8", "surrogatepass"), purpose.encode(), hashlib.sha256)
    return urlsafe_b64encode(drawn).decode().rstrip("=")


def _ascii(text: str) -> str:
    return text if text.isascii() else ""


def _invalid() -> Unauthenticated:
    return Unauthenticated("the identity provider's token isn't valid here", hint="Sign in again.")


def _away(error: Exception) -> ProviderUnavailable:
    return ProviderUnavailable(
        f"the identity provider can't be asked: {type(error).__name__}",
        hint=_WHERE,
    )
