"""What claims of an identity provider let a person do, and how long a session lasts."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from proctor.access import Keys, Principal, Sessions, shut_out
from proctor.access._people import person_of
from proctor.audit import Wanted, page
from proctor.core import AccessSettings, Forbidden, NotFound, OidcSettings, Unauthenticated
from proctor.store import Database
from proctor.testing import FakeClock

SETTINGS = OidcSettings.model_validate(
    {
        "issuer": "https://login.example.com",
        "client_id": "proctor",
        "grants": [
            {"group": "sre", "roles": ["operator"]},
            {"group": "owners", "roles": ["admin"], "tenant": "acme"},
            {"group": "deciders", "roles": ["approver"]},
            {"group": "acme", "roles": ["viewer"], "tenant": "acme"},
        ],
    }
)


def claims(*groups: str, **more: Any) -> dict[str, Any]:
    return {"email": "ann@example.com", "email_verified": True, "groups": list(groups), **more}


def test_roles_of_a_tenants_groups_are_joined():
    person = person_of(claims("deciders", "sre"), SETTINGS)

    assert (person.name, person.roles, person.tenant) == ("ann@example.com", {"operator", "approver"}, None)


def test_a_role_in_one_tenant_is_none_in_another():
    person = person_of(claims("sre", "owners"), SETTINGS)

    assert (person.roles, person.tenant) == ({"operator"}, None)


@pytest.mark.parametrize(
    "said",
    [
        claims(),
        claims("other"),
        claims("sre", email_verified=False),
        {**claims("sre"), "email": ""},
        {**claims("sre"), "email": 7},
        {**claims("sre"), "email": "key:deploy"},
        {**claims("sre"), "email": "link:sre"},
        {**claims("sre"), "groups": {"sre": True}},
        {"email": "ann@example.com", "groups": ["sre"]},
    ],
)
def test_whom_nobody_vouches_for_may_not_enter(said: dict[str, Any]):
    with pytest.raises(Forbidden):
        person_of(said, SETTINGS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"authentication": "none"},
        {"oidc": {"issuer": "http://login.example.com", "client_id": "proctor"}},
        {"oidc": {"issuer": "https://a", "client_id": "proctor", "bearer_audience": "proctor"}},
        {"oidc": {"issuer": "https://a", "client_id": "proctor", "scopes": ["email"]}},
    ],
)
def test_settings_that_would_let_others_in_are_refused(wrong: dict[str, Any]):
    whole = {"authentication": "required", "oidc": {"issuer": "https://a", "client_id": "p"}, **wrong}
    with pytest.raises(ValidationError):
        AccessSettings.model_validate(whole)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(database_url) as opened, asyncio.timeout(30):
        yield opened


@pytest.fixture
def sessions(database: Database, clock: FakeClock) -> Sessions:
    return Sessions(database, AccessSettings(), clock=clock)


ANN = Principal(name="ann", kind="person", roles=frozenset({"operator"}), tenant="acme")


async def test_a_session_lasts_while_it_is_used_and_no_longer_than_it_may(
    sessions: Sessions, clock: FakeClock
):
    secret = await sessions.open(ANN)
    for _ in range(23):
        clock.advance(1800)
        assert await sessions.find(secret) == ANN
    clock.advance(1800)

    with pytest.raises(Unauthenticated):
        await sessions.find(secret)


async def test_a_session_that_nobody_uses_is_over(sessions: Sessions, clock: FakeClock):
    secret = await sessions.open(ANN)
    clock.advance(3601)

    with pytest.raises(Unauthenticated):
        await sessions.find(secret)


async def test_who_has_signed_out_is_out_here_and_elsewhere(
    sessions: Sessions, database: Database, clock: FakeClock
):
    elsewhere = Sessions(database, AccessSettings(), clock=clock)
    secret = await sessions.open(ANN)
    await elsewhere.find(secret)

    await sessions.close(secret)

    with pytest.raises(Unauthenticated):
        await sessions.find(secret)
    clock.advance(2)
    with pytest.raises(Unauthenticated):
        await elsewhere.find(secret)
    said = await database.read(lambda connection: page(connection, Wanted(actor="ann", tenant="acme")))
    assert [entry.action for entry in said] == ["session.began", "session.ended"]


async def test_who_is_shut_out_is_out_by_every_key_and_session_and_nobody_else_is(
    sessions: Sessions, database: Database, clock: FakeClock
):
    keys = Keys(database, clock=clock)
    own = await keys.create("laptop", roles=["viewer"], person="Ann", by="root")
    programs = await keys.create("ann", roles=["viewer"], by="root")
    theirs = [await sessions.open(ANN), await sessions.open(ANN)]
    bobs = await sessions.open(replace(ANN, name="bob"))
    for secret in theirs:
        await sessions.find(secret)

    done = await shut_out(database, "ann", by="root", clock=clock)

    assert ([key.id for key in done.keys], done.sessions) == ([own.key.id], 2)
    clock.advance(2)
    for secret in theirs:
        with pytest.raises(Unauthenticated):
            await sessions.find(secret)
    with pytest.raises(Unauthenticated):
        await keys.find(own.token)
    assert (await keys.find(programs.token)).name == "key:ann"
    assert (await sessions.find(bobs)).name == "bob"
    said = await database.read(lambda connection: page(connection, Wanted(actor="root")))
    assert [entry.action for entry in said[2:]] == ["session.ended", "session.ended", "key.revoked"]
    with pytest.raises(NotFound):
        await shut_out(database, "ann", by="root", clock=clock)
