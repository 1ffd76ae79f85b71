"""Keys: found, rotated, revoked, and never told again."""

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from proctor.access import Keys, offer_setup, spend_setup
from proctor.audit import audit_entries
from proctor.core import AccessGrant, Conflict, InvalidInput, NotFound, Unauthenticated
from proctor.store import Database
from proctor.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(database_url) as opened, asyncio.timeout(30):
        yield opened


@pytest.fixture
def keys(database: Database, clock: FakeClock) -> Keys:
    return Keys(database, clock=clock)


async def actions(database: Database) -> list[tuple[str, str]]:
    query = select(audit_entries.c.action, audit_entries.c.actor).order_by(audit_entries.c.seq)
    return await database.read(lambda connection: [tuple(row) for row in connection.execute(query)])


async def test_whoever_holds_a_key_is_known_by_its_name_and_roles(keys: Keys):
    made = await keys.create("deploy", roles=["operator"], by="ann", tenant="acme")

    found = await keys.find(made.token)

    assert (found.name, found.kind, found.roles, found.tenant) == ("key:deploy", "key", {"operator"}, "acme")
    assert found.may("viewer")
    assert not found.may("approver")
    assert not found.sees("other")


@pytest.mark.parametrize("name", ["acme/branch", " ", "", "\u200b", "a" * 65])
async def test_keys_and_groups_are_of_no_tenant_that_no_run_could_have(keys: Keys, name: str):
    with pytest.raises(InvalidInput):
        await keys.create("deploy", roles=["operator"], by="ann", tenant=name)
    with pytest.raises(ValidationError, match="tenant"):
        AccessGrant(group="sre", roles=("viewer",), tenant=name)


async def test_a_persons_own_key_decides_in_their_name(keys: Keys):
    made = await keys.create("laptop", roles=["approver"], by="root", person="ann@example.com")

    assert (await keys.find(made.token)).name == "ann@example.com"


@pytest.mark.parametrize(
    "name", ["key:deploy", "link:desk", "standing:x", "expiry", "a\nb", "KEY:x", "Proctor", "setup"]
)
async def test_no_key_decides_in_the_name_of_a_program_or_of_proctor(keys: Keys, name: str):
    with pytest.raises(InvalidInput):
        await keys.create("laptop", roles=["approver"], by="root", person=name)


@pytest.mark.parametrize(
    "token",
    ["", "pk_", "pk_x_y", "Bearer", "pk_\ud800", "pk_" + "0" * 26 + "_" + "A" * 43, "pk_" + "0" * 10_000],
)
async def test_what_is_no_key_opens_nothing(keys: Keys, token: str):
    with pytest.raises(Unauthenticated):
        await keys.find(token)


async def test_another_secret_with_a_keys_id_opens_nothing(keys: Keys):
    made = await keys.create("deploy", roles=["operator"], by="ann")
    other = await keys.create("other", roles=["admin"], by="ann")

    with pytest.raises(Unauthenticated):
        await keys.find(made.token[:30] + other.token[30:])
    assert not keys.knows(made.token[:30] + other.token[30:])


async def test_a_key_expires(keys: Keys, clock: FakeClock):
    made = await keys.create("deploy", roles=["operator"], by="ann", life=timedelta(hours=1))
    await keys.find(made.token)

    clock.advance(3600)

    with pytest.raises(Unauthenticated):
        await keys.find(made.token)
    assert (await keys.get(made.key.id)).state(clock.now()) == "expired"


async def test_a_revoked_key_opens_nothing_here_at_once_and_elsewhere_within_seconds(
    keys: Keys, database: Database, clock: FakeClock
):
    made = await keys.create("deploy", roles=["operator"], by="ann")
    elsewhere = Keys(database, clock=clock)
    await keys.find(made.token)
    await elsewhere.find(made.token)

    await keys.revoke(made.key.id, by="ben")
    await keys.revoke(made.key.id, by="ben")

    with pytest.raises(Unauthenticated):
        await keys.find(made.token)
    clock.advance(2)
    with pytest.raises(Unauthenticated):
        await elsewhere.find(made.token)
    assert await actions(database) == [("key.created", "ann"), ("key.revoked", "ben")]


async def test_a_rotated_key_goes_on_beside_its_successor_for_the_overlap(
    keys: Keys, database: Database, clock: FakeClock
):
    made = await keys.create("deploy", roles=["operator"], by="ann", tenant="acme", life=timedelta(days=9))
    clock.advance(86_400)

    after = await keys.rotate(made.key.id, by="ann", overlap=timedelta(hours=1))

    assert await keys.find(made.token) == await keys.find(after.token)
    assert after.key.expires_at == clock.now() + timedelta(days=9)
    clock.advance(3600)
    with pytest.raises(Unauthenticated):
        await keys.find(made.token)
    await keys.find(after.token)
    assert (await keys.get(made.key.id)).successor == after.key.id
    with pytest.raises(Conflict):
        await keys.rotate(made.key.id, by="ann")
    assert [action for action, _ in await actions(database)] == ["key.created", "key.rotated"]


async def test_a_name_is_one_keys_at_a_time(keys: Keys):
    made = await keys.create("deploy", roles=["operator"], by="ann")
    with pytest.raises(Conflict):
        await keys.create("deploy", roles=["viewer"], by="ann")
    await keys.revoke(made.key.id, by="ann")

    await keys.create("deploy", roles=["viewer"], by="ann")


async def test_when_a_key_was_used_is_noted_coarsely(keys: Keys, database: Database, clock: FakeClock):
    made = await keys.create("deploy", roles=["operator"], by="ann")
    await keys.find(made.token)
    first = clock.now()
    commits = database.commits

    clock.advance(60)
    await keys.find(made.token)

    assert (await keys.get(made.key.id)).used_at == first
    assert database.commits == commits
    clock.advance(600)
    await keys.find(made.token)
    assert (await keys.get(made.key.id)).used_at == clock.now()


async def test_keys_are_listed_page_by_page(keys: Keys):
    made = [(await keys.create(f"k{number}", roles=["viewer"], by="ann")).key.id for number in range(3)]

    first = await keys.page(limit=2)
    rest = await keys.page(limit=2, before=first[-1].id)

    assert sorted([key.id for key in (*first, *rest)]) == sorted(made)
    with pytest.raises(NotFound):
        await keys.get("key_nope")


async def test_the_setup_token_makes_one_admin_and_no_second_one(
    keys: Keys, database: Database, clock: FakeClock
):
    older = await offer_setup(database, clock=clock)
    token = await offer_setup(database, clock=clock)
    assert older
    assert token
    with pytest.raises(Unauthenticated):
        await spend_setup(database, older, name="admin", clock=clock)

    tries = [spend_setup(database, token, name=f"admin{number}", clock=clock) for number in range(5)]
    made = await asyncio.gather(*tries, return_exceptions=True)

    (won,) = [each for each in made if not isinstance(each, BaseException)]
    assert all(isinstance(each, Unauthenticated) for each in made if isinstance(each, BaseException))
    assert (await keys.find(won.token)).roles == {"admin"}
    assert await offer_setup(database, clock=clock) is None
    assert await actions(database) == [("key.created", "setup")]


async def test_a_setup_token_is_worth_nothing_after_an_hour_or_beside_an_admin(
    keys: Keys, database: Database, clock: FakeClock
):
    token = await offer_setup(database, clock=clock)
    clock.advance(3600)
    with pytest.raises(Unauthenticated):
        await spend_setup(database, token or "", name="admin", clock=clock)

    token = await offer_setup(database, clock=clock)
    await keys.create("root", roles=["admin"], by="ann")
    with pytest.raises(Unauthenticated):
        await spend_setup(database, token or "", name="admin", clock=clock)


async def test_a_wrong_setup_token_and_a_revoked_key_take_no_commit(
    keys: Keys, database: Database, clock: FakeClock
):
    key = (await keys.create("deploy", roles=["operator"], by="ann")).key
    revoked = await keys.revoke(key.id, by="ann")
    free = threading.Event()
    busy = database.commit(lambda _connection: free.wait(20))
    try:
        async with asyncio.timeout(10):
            with pytest.raises(Unauthenticated):
                await spend_setup(database, "setup_no", name="admin", clock=clock)
            with pytest.raises(NotFound):
                await keys.revoke("key_none", by="ann")
            again = await keys.revoke(key.id, by="ann")
    finally:
        free.set()
        await busy

    assert again == revoked
