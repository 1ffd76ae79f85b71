import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import text

from proctor.core import ConfigurationError, MissingSetting, SystemClock, VaultSettings
from proctor.privacy import Place, Scope, Vault, load_key
from proctor.privacy._keys import MARKS, Keys, mark_of, reseal
from proctor.store import Database

KEY, OTHER = "correct-horse-battery-staple-and-more", "another-key-that-is-long-enough-for-it"
HERE = Scope(id="run_1", mark="erased:1")


def outer(key: str = KEY) -> bytes:
    found = load_key(VaultSettings(key_env="KEY"), {"KEY": key})
    assert found is not None
    return found


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with asyncio.timeout(30), await Database.open(f"sqlite:///{tmp_path}/proctor.db") as opened:
        yield opened


def a_vault(database: Database, key: str = KEY) -> Vault:
    return Vault(database, Keys(outer(key)), clock=SystemClock())


def places(text_: str, *words: str) -> list[Place]:
    return [Place(kind="email", start=text_.index(word), end=text_.index(word) + len(word)) for word in words]


async def test_a_value_comes_back_where_it_was_hidden_and_nowhere_else(database: Database):
    vault = a_vault(database)
    said = "Write to ann@x.org or 安@例.cn."

    hidden = await vault.hide(said, places(said, "ann@x.org", "安@例.cn"), scope=HERE)

    assert "x.org" not in hidden
    assert hidden.startswith("Write to [email:")
    assert await vault.restore({"a": [hidden, 7, None], "b": True}, scope=HERE) == {
        "a": [said, 7, None],
        "b": True,
    }
    assert await vault.restore(hidden, scope=Scope(id="run_2", mark="erased:1")) == hidden
    assert await vault.restore("[email:000000]", scope=HERE) == "[email:000000]"
    assert await vault.hide("nothing", [], scope=HERE) == "nothing"


async def test_of_places_that_overlap_the_first_and_longest_is_hidden(database: Database):
    found = [
        Place(kind=kind, start=start, end=end)
        for kind, start, end in (("url", 2, 6), ("email", 2, 9), ("id", 8, 9))
    ]

    hidden = await a_vault(database).hide("a ann@x.o b", found, scope=HERE)

    assert hidden.startswith("a [email:")
    assert hidden.endswith("] b")
    assert hidden.count("[") == 1


async def test_two_values_never_share_a_token_and_each_keeps_its_own(database: Database):
    vault = a_vault(database)
    said = " ".join(f"value{number}" for number in range(6000))  # of 24 bits, so many collide now and then
    found = places(said, *said.split())

    hidden = await vault.hide(said, found, scope=HERE)

    assert len(set(hidden.split())) == 6000
    assert await vault.hide(said, found, scope=HERE) == hidden
    assert await vault.restore(hidden, scope=HERE) == said


async def test_the_database_alone_gives_nothing_away(database: Database, tmp_path: Path):
    hidden = await a_vault(database).hide("ann@x.org", places("ann@x.org", "ann@x.org"), scope=HERE)

    with pytest.raises(ConfigurationError):
        await a_vault(database, OTHER).restore(hidden, scope=HERE)
    files = await asyncio.to_thread(lambda: [each.read_bytes() for each in tmp_path.glob("proctor.db*")])
    assert files
    assert all(b"ann@x.org" not in held for held in files)
    with pytest.raises(MissingSetting):
        Vault(database, Keys(None), clock=SystemClock())


async def test_a_value_that_was_moved_to_another_token_is_not_taken(database: Database):
    vault = a_vault(database)
    one = await vault.hide("ann", places("ann", "ann"), scope=HERE)
    two = await vault.hide("bob", places("bob", "bob"), scope=HERE)
    swap = text("UPDATE vault SET value = (SELECT value FROM vault WHERE token = :one) WHERE token = :two")
    await database.commit(lambda c: c.execute(swap, {"one": one, "two": two}).rowcount)

    with pytest.raises(ConfigurationError):
        await vault.restore(two, scope=HERE)


async def test_without_its_key_no_value_can_be_read(database: Database):
    vault = a_vault(database)
    hidden = await vault.hide("ann", places("ann", "ann"), scope=HERE)
    shred = text("DELETE FROM privacy_keys WHERE name = :name")
    await database.commit(lambda c: c.execute(shred, {"name": HERE.key_name}).rowcount)

    assert await vault.restore(hidden, scope=HERE) == hidden


async def test_a_new_key_takes_the_place_of_an_old_one(database: Database):
    hidden = await a_vault(database).hide("ann", places("ann", "ann"), scope=HERE)

    assert await database.commit(lambda c: reseal(c, outer(), outer(OTHER))) == 1

    assert await a_vault(database, OTHER).restore(hidden, scope=HERE) == "ann"
    with pytest.raises(ConfigurationError):
        await a_vault(database).restore(hidden, scope=HERE)


async def test_marks_stay_the_same_when_a_key_comes_to_seal_them(database: Database):
    before = await database.commit(lambda c: Keys(None).ensure(c, MARKS))
    sealing = Keys(outer())
    await database.commit(sealing.seal)

    assert await database.commit(lambda c: sealing.ensure(c, MARKS)) == before
    with pytest.raises(MissingSetting):
        await database.commit(lambda c: Keys(None).ensure(c, MARKS))
    assert mark_of(before, "a", "bc") != mark_of(before, "ab", "c")


def test_a_key_comes_from_a_variable_or_a_file_and_is_long_enough(tmp_path: Path):
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")

    assert load_key(VaultSettings(), {}) is None
    assert load_key(VaultSettings(key_file=file), {}) == outer()
    for settings_, environ in (
        (VaultSettings(key_env="KEY"), {}),
        (VaultSettings(key_env="KEY"), {"KEY": "short"}),
        (VaultSettings(key_file=tmp_path / "none"), {}),
    ):
        with pytest.raises(MissingSetting):
            load_key(settings_, environ)


async def test_what_is_hidden_comes_back_whole_whatever_the_places(database: Database):
    vault, rng = a_vault(database), Random(7)
    for _ in range(60):
        said = "".join(rng.choice("ab é你😀[:]\n") for _ in range(rng.randrange(30)))
        spans = [sorted((rng.randrange(32), rng.randrange(32))) for _ in range(rng.randrange(6))]
        found = [Place(kind="phone", start=start, end=min(end, len(said))) for start, end in spans]
        hidden = await vault.hide(said, found, scope=HERE)
        assert await vault.restore(hidden, scope=HERE) == said
