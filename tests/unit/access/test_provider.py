"""What the provider's tokens cost whoever has a good one, while it is slow, away, or sent rubbish."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI, Response
from joserfc import jwt
from joserfc.jwk import KeySet

from proctor.access.oidc import Provider, ProviderUnavailable
from proctor.cli._web import web
from proctor.core import OidcSettings, Unauthenticated
from proctor.testing import FakeClock

AUDIENCE = "urn:proctor:api"


@dataclass
class Publisher:
    """A provider that publishes its keys, for as long as it answers."""

    keys: KeySet
    issuer: str = ""
    looks: int = 0
    status: int = 200
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    def token(self, keys: KeySet | None = None) -> str:
        claims = {"iss": self.issuer, "aud": AUDIENCE, "sub": "ann", "exp": 2**33, "groups": ["sre"]}
        key = (keys or self.keys).keys[0]
        return jwt.encode({"alg": "ES256", "kid": key.kid}, {**claims, "email": "ann@example.com"}, key)

    def provider(self, clock: FakeClock) -> Provider:
        grants = [{"group": "sre", "roles": ["admin"]}]
        given = {"issuer": self.issuer, "client_id": "proctor", "bearer_audience": AUDIENCE}
        settings = OidcSettings.model_validate({**given, "name": "sub", "grants": grants})
        return Provider(settings, clock=clock, environ={})


def new_keys() -> KeySet:
    return KeySet.generate_key_set("EC", "P-256", count=1, private=True)


@asynccontextmanager
async def publisher() -> AsyncIterator[Publisher]:
    made, site = Publisher(new_keys()), FastAPI()
    made.answers.set()

    @site.get("/.well-known/openid-configuration")
    async def configuration(response: Response) -> dict[str, str]:
        made.looks += 1
        made.asked.set()
        await made.answers.wait()
        response.status_code = made.status
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        return {"issuer": made.issuer, **{name: f"{made.issuer}/{name}" for name in names}}

    @site.get("/jwks_uri")
    async def keys() -> dict[str, object]:
        return dict(made.keys.as_dict(private=False))

    async with asyncio.timeout(30), web(site, host="127.0.0.1", port=0) as address:
        made.issuer = address
        yield made


async def test_rubbish_keeps_no_good_token_waiting_while_the_provider_is_slow() -> None:
    clock = FakeClock()
    async with publisher() as published:
        provider = published.provider(clock)
        await provider.bearer(published.token())
        clock.advance(11)
        published.asked.clear()
        published.answers.clear()
        unknown = asyncio.create_task(provider.bearer(published.token(new_keys())))
        await published.asked.wait()
        async with asyncio.timeout(5):
            found = await provider.bearer(published.token())
        assert not unknown.done()
        published.status = 500
        published.answers.set()
        with pytest.raises(Unauthenticated):
            await unknown
    assert found.name == "ann"


async def test_the_provider_is_asked_once_in_ten_seconds_whatever_comes() -> None:
    clock = FakeClock()
    async with publisher() as published:
        provider = published.provider(clock)
        published.status = 500
        for _ in range(3):
            with pytest.raises(ProviderUnavailable):
                await provider.bearer(published.token())
        while_away = published.looks
        clock.advance(11)
        published.status = 200
        await provider.bearer(published.token())
        for _ in range(3):
            with pytest.raises(Unauthenticated):
                await provider.bearer(published.token(new_keys()))
        clock.advance(11)
        published.keys = new_keys()
        await provider.bearer(published.token())
    assert (while_away, published.looks) == (1, 3)


def part(said: str) -> str:
    return urlsafe_b64encode(said.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "header",
    [
        '{"alg":"RS256","crit":1}',
        '{"alg":[]}',
        '{"alg":"none"}',
        '{"alg":"HS256"}',
        '{"alg":"RS256","kid":{}}',
        "[]",
        "1",
        pytest.param("[" * 40_000, id="deep"),
    ],
)
async def test_a_token_that_cant_be_read_is_refused(header: str) -> None:
    async with publisher() as published:
        provider = published.provider(FakeClock())
        with pytest.raises(Unauthenticated):
            await provider.bearer(f"{part(header)}.{part('{}')}.AAAA")


@pytest.mark.parametrize("token", ["rubbish", "a.b.c", "\ud800.a.b", f"{part('{}')}.{part('{}')}.AAAA"])
async def test_for_what_is_no_token_the_provider_isnt_asked(token: str) -> None:
    async with publisher() as published:
        with pytest.raises(Unauthenticated):
            await published.provider(FakeClock()).bearer(token)
    assert published.looks == 0
