"""The chain of entries: what is written, and what is found where somebody changed it."""

import atexit
import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from proctor import audit
from proctor.audit import Head, Signer, Verified, Wanted
from proctor.core import AuditSettings, ConfigurationError, Conflict, MissingSetting
from proctor.store import Database, make_engine, upgrade

BEGUN = datetime(2026, 11, 23, 8, tzinfo=UTC)
SIGNER, STRANGER = Signer(bytes(32)), Signer(bytes(range(32)))
MANY = 12


def enter(connection: Connection, number: int, *, who: str = "ann") -> None:
    audit.append(
        connection,
        at=BEGUN + timedelta(seconds=number),
        actor=who,
        action="budget.set",
        thing=f"budget-{number}",
        data={"usd": number},
    )


@cache
def _empty() -> Path:
    """A database without an entry: to migrate one takes longer than all that is done with it here."""
    file = Path(mkdtemp()) / "empty.db"
    atexit.register(shutil.rmtree, file.parent)
    engine = make_engine(f"sqlite:///{file}")
    upgrade(engine)
    engine.dispose()
    return file


@dataclass
class Kept:
    """A record in a file of its own, and the head that was kept outside."""

    file: Path
    head: Head

    def tamper(self, *statements: str) -> None:
        """What somebody does who has the file: the triggers are in nobody's way."""
        connection = sqlite3.connect(self.file)
        connection.executescript(
            "DROP TRIGGER IF EXISTS audit_entries_update; DROP TRIGGER IF EXISTS audit_entries_delete;"
        )
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    def rows(self) -> list[dict[str, object]]:
        connection = sqlite3.connect(self.file)
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute("SELECT * FROM audit_entries ORDER BY seq")]
        connection.close()
        return found

    def put(self, rows: list[dict[str, object]]) -> None:
        """Puts rows in the place of all that there are, as they stand."""
        self.tamper("DELETE FROM audit_entries")
        connection = sqlite3.connect(self.file)
        for row in rows:
            names = ", ".join(row)
            marks = ", ".join("?" for _ in row)
            connection.execute(f"INSERT INTO audit_entries ({names}) VALUES ({marks})", tuple(row.values()))
        connection.commit()
        connection.close()

    def rechain(self) -> None:
        """Makes all hashes right again, and the database's own head too: the best that a forger can do."""
        from proctor.audit._values import genesis, linked

        rows = self.rows()
        connection = sqlite3.connect(self.file)
        ((chain,),) = connection.execute("SELECT chain FROM audit_head").fetchall()
        connection.close()
        last = genesis(chain)
        for number, row in enumerate(rows, start=1):
            row["seq"], row["previous"] = number, last
            at = datetime.fromisoformat(str(row["at"])).replace(tzinfo=UTC)
            told = {name: str(row[name]) for name in ("actor", "action", "thing", "tenant", "data")}
            last = row["hash"] = linked(last, seq=number, at=at, **told)
        self.put(rows)
        self.tamper(f"UPDATE audit_head SET seq = {len(rows)}, hash = '{last}'")

    def verified(self, *heads: Head) -> Verified:
        engine = make_engine(f"sqlite:///{self.file}")
        with engine.connect() as connection:
            found = audit.verify(connection, heads=heads, trusted={SIGNER.public})
        engine.dispose()
        return found

    def kinds(self, *heads: Head) -> set[str]:
        return {fault.kind for fault in self.verified(*heads).faults}


def make(file: Path, *, entries: int = MANY) -> Kept:
    engine = make_engine(f"sqlite:///{file}")
    shutil.copy(_empty(), file)
    for number in range(1, entries + 1):
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            enter(connection, number)
            connection.commit()
    with engine.connect() as connection:
        position = audit.stands(connection)
    engine.dispose()
    assert position is not None
    return Kept(file=file, head=audit.sign(position, SIGNER, BEGUN))


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return make(tmp_path / "proctor.db")


def test_a_record_that_nobody_touched_is_sound(kept: Kept) -> None:
    found = kept.verified(kept.head)
    assert found == Verified(entries=MANY, heads=1, faults=(), unproven=())


def test_without_heads_it_is_said_what_is_not_proven(kept: Kept) -> None:
    (sentence,) = kept.verified().unproven
    assert "cut off" in sentence
    assert "--heads" in sentence


def test_entries_newer_than_the_newest_head_are_said_to_be_unproven(kept: Kept) -> None:
    engine = make_engine(f"sqlite:///{kept.file}")
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        enter(connection, MANY + 1)
        connection.commit()
    engine.dispose()
    found = kept.verified(kept.head)
    assert found.sound
    assert found.unproven[0].startswith(f"Entries {MANY + 1} to {MANY + 1}")


TAMPERINGS: dict[str, tuple[Callable[[Kept], None], str]] = {
    "an edited actor": (
        lambda k: k.tamper("UPDATE audit_entries SET actor = 'bob' WHERE seq = 4"),
        "changed",
    ),
    "edited details": (lambda k: k.tamper("UPDATE audit_entries SET data = '{}' WHERE seq = 4"), "changed"),
    "an edited time": (
        lambda k: k.tamper("UPDATE audit_entries SET at = '2026-01-01 00:00:00.000000' WHERE seq = 4"),
        "changed",
    ),
    "another form of the same time": (
        # It sorts behind all others, and no period would hold the entry.
        lambda k: k.tamper(
            "UPDATE audit_entries SET at = replace(replace(at, '-', ''), ' ', 'T') WHERE seq = 4"
        ),
        "changed",
    ),
    "a time zone behind the time": (
        lambda k: k.tamper("UPDATE audit_entries SET at = at || '+05:00' WHERE seq = 4"),
        "changed",
    ),
    "a value that is no time": (
        lambda k: k.tamper("UPDATE audit_entries SET at = 'never' WHERE seq = 4"),
        "changed",
    ),
    "bytes that are no text": (
        lambda k: k.tamper("UPDATE audit_entries SET actor = CAST(x'ff' AS TEXT) WHERE seq = 4"),
        "unreadable",
    ),
    "an edited hash": (lambda k: k.tamper("UPDATE audit_entries SET hash = 'aa' WHERE seq = 4"), "changed"),
    "a deleted entry": (lambda k: k.tamper("DELETE FROM audit_entries WHERE seq = 4"), "gap"),
    "the deleted first entry": (lambda k: k.tamper("DELETE FROM audit_entries WHERE seq = 1"), "gap"),
    "a deleted and renumbered entry": (
        lambda k: k.tamper(
            "DELETE FROM audit_entries WHERE seq = 4", "UPDATE audit_entries SET seq = seq - 1 WHERE seq > 4"
        ),
        "link",
    ),
    "two entries in another order": (
        lambda k: k.tamper(
            "UPDATE audit_entries SET seq = -1 WHERE seq = 4",
            "UPDATE audit_entries SET seq = 4 WHERE seq = 5",
            "UPDATE audit_entries SET seq = 5 WHERE seq = -1",
        ),
        "link",
    ),
    "an inserted entry": (
        lambda k: k.tamper(
            "UPDATE audit_entries SET seq = seq + 100 WHERE seq > 4",
            "INSERT INTO audit_entries SELECT 5, at, 'bob', action, thing, tenant, data, hash, hash"
            " FROM audit_entries WHERE seq = 4",
            "UPDATE audit_entries SET seq = seq - 99 WHERE seq > 100",
        ),
        "changed",
    ),
    "an entry behind the last": (
        lambda k: k.tamper(
            f"INSERT INTO audit_entries SELECT seq + 1, at, 'bob', action, thing, tenant, data, hash, hash"
            f" FROM audit_entries WHERE seq = {MANY}"
        ),
        "changed",
    ),
    "a cut tail": (lambda k: k.tamper("DELETE FROM audit_entries WHERE seq > 9"), "head"),
    "a head that is another one": (lambda k: k.tamper("UPDATE audit_head SET hash = 'aa'"), "head"),
    "a head that is gone": (lambda k: k.tamper("DELETE FROM audit_head"), "head"),
    "everything gone": (
        lambda k: k.tamper("DELETE FROM audit_entries", "DELETE FROM audit_head"),
        "replaced",
    ),
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_tampering_is_found(kept: Kept, how: str) -> None:
    tamper, kind = TAMPERINGS[how]
    tamper(kept)
    assert kind in kept.kinds(kept.head)


def test_the_fault_tells_where_the_chain_breaks_first(kept: Kept) -> None:
    kept.tamper("UPDATE audit_entries SET actor = 'bob' WHERE seq = 7")
    first = kept.verified().faults[0]
    assert (first.kind, first.seq) == ("changed", 7)


def test_a_cut_tail_with_its_head_mended_is_found_by_a_head_outside_alone(kept: Kept) -> None:
    kept.tamper("DELETE FROM audit_entries WHERE seq > 9")
    kept.rechain()
    assert kept.verified().sound
    assert kept.kinds(kept.head) == {"cut"}


def test_a_chain_that_was_made_anew_after_an_edit_is_found_by_a_head_outside_alone(kept: Kept) -> None:
    kept.tamper("UPDATE audit_entries SET actor = 'bob' WHERE seq = 4")
    kept.rechain()
    assert kept.verified().sound
    assert kept.kinds(kept.head) == {"replaced"}


def test_an_older_copy_of_the_whole_record_is_found(tmp_path: Path, kept: Kept) -> None:
    for number in (1, 2, 3):
        older = make(tmp_path / f"older-{number}.db", entries=number)
        shutil.copy(older.file, kept.file)
    assert "replaced" in kept.kinds(kept.head)


def test_a_backup_that_was_put_back_is_found(tmp_path: Path) -> None:
    kept = make(tmp_path / "proctor.db", entries=3)
    backup = shutil.copy(kept.file, tmp_path / "backup.db")
    engine = make_engine(f"sqlite:///{kept.file}")
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        enter(connection, 4)
        connection.commit()
        position = audit.stands(connection)
    engine.dispose()
    assert position is not None
    later = audit.sign(position, SIGNER, BEGUN)
    shutil.copy(backup, kept.file)
    assert kept.kinds(kept.head, later) == {"cut"}


def test_two_databases_that_were_swapped_are_found(tmp_path: Path, kept: Kept) -> None:
    other = make(tmp_path / "other.db")
    assert kept.kinds(other.head) == {"replaced"}
    assert other.kinds(kept.head) == {"replaced"}


def test_a_head_of_a_stranger_counts_for_nothing(kept: Kept) -> None:
    engine = make_engine(f"sqlite:///{kept.file}")
    with engine.connect() as connection:
        position = audit.stands(connection)
    engine.dispose()
    assert position is not None
    forged = audit.sign(position, STRANGER, BEGUN)
    assert kept.kinds(forged) == {"signature"}


COLUMNS = ("at", "actor", "action", "thing", "tenant", "data", "previous", "hash")
VALUES = st.one_of(st.text("ab0:-\n", max_size=4), st.integers(0, 9), st.none(), st.binary(max_size=3))


def disturb(rows: list[dict[str, object]], data: st.DataObject) -> None:
    place = st.integers(0, len(rows) - 1)
    one, other = data.draw(place), data.draw(place)
    match data.draw(st.sampled_from(["edit", "delete", "swap", "copy", "cut"])):
        case "edit":
            rows[one][data.draw(st.sampled_from(COLUMNS))] = data.draw(VALUES)
        case "delete":
            del rows[one]
        case "swap":
            rows[one], rows[other] = rows[other], rows[one]
        case "copy":
            rows.insert(one, dict(rows[other]))
        case "cut":
            del rows[one:]


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_tampering_goes_unseen(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    kept = make(tmp_path_factory.mktemp("record") / "proctor.db", entries=6)
    rows = kept.rows()
    before = json.dumps(rows, default=str)
    for _ in range(data.draw(st.integers(1, 3))):
        if rows:
            disturb(rows, data)
    for number, row in enumerate(rows, start=1):
        row["seq"] = number
    rows = [row for row in rows if None not in row.values()]
    if json.dumps(rows, default=str) == before:
        return
    kept.put(rows)
    if data.draw(st.booleans()) and rows and all(_is_whole(row) for row in rows):
        kept.rechain()
        if json.dumps(kept.rows()[: kept.head.seq], default=str) == before:
            # What is added at the end, rightly chained, is as good as what was appended: no head knows it.
            assert bool(kept.verified(kept.head).unproven) is (len(rows) > kept.head.seq)
            return
    assert not kept.verified(kept.head).sound


def _is_whole(row: dict[str, object]) -> bool:
    try:
        datetime.fromisoformat(str(row["at"]))
    except ValueError:
        return False
    return all(isinstance(value, str) for name, value in row.items() if name != "seq")


async def test_the_database_itself_refuses_to_change_an_entry(database_url: str) -> None:
    async with await Database.open(database_url) as database:
        await database.commit(lambda connection: enter(connection, 1))
        for statement in ("UPDATE audit_entries SET actor = 'bob'", "DELETE FROM audit_entries"):
            with pytest.raises(Exception, match="never changed"):
                await database.commit(lambda connection, said=statement: connection.execute(text(said)))
        assert (await database.read(audit.verify)).sound


async def test_a_transaction_that_fails_leaves_no_entry(database_url: str) -> None:
    def fails(connection: Connection) -> None:
        enter(connection, 2)
        connection.execute(text("INSERT INTO audit_head (one, chain, seq, hash) VALUES (1, '', 0, '')"))

    async with await Database.open(database_url) as database:
        await database.commit(lambda connection: enter(connection, 1))
        with pytest.raises(IntegrityError):
            await database.commit(fails)
        await database.commit(lambda connection: enter(connection, 3))
        found = await database.read(lambda connection: audit.page(connection, Wanted()))
        assert [(entry.seq, entry.thing) for entry in found] == [(1, "budget-1"), (2, "budget-3")]
        assert (await database.read(audit.verify)).sound


async def test_any_text_can_be_entered_and_is_verified(database_url: str) -> None:
    def odd(connection: Connection) -> None:
        audit.append(
            connection,
            at=BEGUN,
            actor="a\0b\ud800" * 100,
            action="run.read",
            thing="\u202e|'\"",
            data={"é\0": ["\ud800", 1.5, None, True, 10**30]},
        )

    async with await Database.open(database_url) as database:
        await database.commit(odd)
        found = await database.read(audit.verify)
        (entry,) = await database.read(lambda connection: audit.page(connection, Wanted()))
    assert found.sound
    assert entry.details == {"é\0": ["\ud800", 1.5, None, True, 10**30]}


async def test_entries_are_found_by_who_what_and_when(tmp_path: Path) -> None:
    async with await Database.open(f"sqlite:///{tmp_path}/proctor.db") as database:
        for number in range(1, 6):
            await database.commit(
                lambda connection, n=number: enter(connection, n, who="ann" if n % 2 else "bob")
            )

        async def numbers(wanted: Wanted, **more: int) -> list[int]:
            found = await database.read(lambda connection: audit.page(connection, wanted, **more))
            return [entry.seq for entry in found]

        assert await numbers(Wanted(actor="bob")) == [2, 4]
        assert await numbers(Wanted(action="budget")) == [1, 2, 3, 4, 5]
        assert await numbers(Wanted(action="budge")) == []
        assert await numbers(Wanted(thing="budget-3")) == [3]
        since, until = BEGUN + timedelta(seconds=2), BEGUN + timedelta(seconds=4)
        assert await numbers(Wanted(since=since, until=until)) == [2, 3]
        assert await numbers(Wanted(), after=2, limit=2) == [3, 4]


def exported(kept: Kept, to: Path, wanted: Wanted = Wanted(), signer: Signer | None = SIGNER) -> Path:  # noqa: B008 - a value
    engine = make_engine(f"sqlite:///{kept.file}")
    with engine.connect() as connection, to.open("wb") as out:
        audit.export(connection, out.write, wanted, signer=signer, by="ann", at=BEGUN)
    engine.dispose()
    return to


def test_an_export_proves_itself_without_the_database(kept: Kept, tmp_path: Path) -> None:
    file = exported(kept, tmp_path / "export.jsonl")
    found = audit.verify_export(file, trusted={SIGNER.public})
    assert found == Verified(entries=MANY, heads=0, faults=(), unproven=())


def test_a_changed_entry_of_an_export_is_no_fault_of_its_signature(kept: Kept, tmp_path: Path) -> None:
    file = exported(kept, tmp_path / "export.jsonl", Wanted(thing="budget-3"))
    file.write_text(file.read_text().replace('"thing":"budget-3"', '"thing":"budget-4"'))
    faults = audit.verify_export(file, trusted={SIGNER.public}).faults
    assert [fault.kind for fault in faults] == ["changed", "changed"]


@pytest.mark.parametrize("entries", ["NaN", '"1"', "2"])
def test_a_changed_manifest_bears_no_signature(kept: Kept, tmp_path: Path, entries: str) -> None:
    file = exported(kept, tmp_path / "export.jsonl", Wanted(thing="budget-3"))
    file.write_text(file.read_text().replace('"entries":1', f'"entries":{entries}'))
    faults = audit.verify_export(file, trusted={SIGNER.public}).faults
    assert [fault.kind for fault in faults] == ["changed", "signature"]


def test_a_part_of_the_record_says_that_it_is_one(kept: Kept, tmp_path: Path) -> None:
    file = exported(kept, tmp_path / "export.jsonl", Wanted(thing="budget-3"))
    found = audit.verify_export(file, trusted={SIGNER.public})
    assert (found.entries, found.sound) == (1, True)
    assert "part" in found.unproven[0]


def test_an_unsigned_export_says_so_and_is_refused_where_a_key_is_known(kept: Kept, tmp_path: Path) -> None:
    file = exported(kept, tmp_path / "export.jsonl", signer=None)
    assert audit.verify_export(file).sound
    assert "isn't signed" in audit.verify_export(file).unproven[0]
    assert [fault.kind for fault in audit.verify_export(file, trusted={SIGNER.public}).faults] == [
        "signature"
    ]


@given(data=st.data())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_changed_export_goes_unseen(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("export")
    kept = make(folder / "proctor.db", entries=4)
    file = exported(kept, folder / "export.jsonl")
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    match data.draw(st.sampled_from(["byte", "line", "order", "cut", "append"])):
        case "byte":
            place = data.draw(st.integers(len(lines[0]), len(whole) - 2))
            changed = whole[:place] + bytes([data.draw(st.integers(32, 126))]) + whole[place + 1 :]
        case "line":
            del lines[data.draw(st.integers(1, len(lines) - 1))]
            changed = b"".join(lines)
        case "order":
            one, other = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
            lines[one], lines[other] = lines[other], lines[one]
            changed = b"".join(lines)
        case "cut":
            changed = whole[: data.draw(st.integers(len(lines[0]), len(whole) - 2))]
        case _:
            changed = whole + lines[data.draw(st.integers(1, len(lines) - 1))]
    if changed == whole:
        return
    file.write_bytes(changed)
    assert not audit.verify_export(file, trusted={SIGNER.public}).sound


def test_a_key_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "audit.key"
    made = audit.make_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    found = audit.load_signer(AuditSettings(key_file=file))
    assert found is not None
    assert found.public == made.public
    with pytest.raises(Conflict):
        audit.make_key(file)
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="others may read"):
        audit.load_signer(AuditSettings(key_file=file))


def test_a_key_comes_from_the_environment_as_well() -> None:
    import base64

    environ = {"AUDIT": base64.b64encode(bytes(32)).decode()}
    found = audit.load_signer(AuditSettings(key_env="AUDIT"), environ)
    assert found is not None
    assert found.public == SIGNER.public
    with pytest.raises(MissingSetting):
        audit.load_signer(AuditSettings(key_env="AUDIT"), {})
    with pytest.raises(ConfigurationError):
        audit.load_signer(AuditSettings(key_env="AUDIT"), {"AUDIT": "too short"})
    assert audit.load_signer(AuditSettings()) is None


def test_heads_without_a_key_are_refused() -> None:
    with pytest.raises(ValidationError, match="signed"):
        AuditSettings.model_validate({"heads": "heads.jsonl"})
    assert AuditSettings.model_validate({"heads": "h.jsonl", "key_env": "K"}).heads == ("h.jsonl",)


def test_a_line_that_is_no_head_is_told(kept: Kept, tmp_path: Path) -> None:
    file = tmp_path / "heads.jsonl"
    line = json.dumps(kept.head.as_json())
    file.write_text(f'{line}\n{{"seq": 3}}\nnot json\n{line}\n')
    heads, faults = audit.read_heads(file)
    assert heads == (kept.head, kept.head)
    assert [fault.kind for fault in faults] == ["heads", "heads"]
