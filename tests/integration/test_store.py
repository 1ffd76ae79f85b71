"""The database: its schema's history, its writer, its lock."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from warnings import catch_warnings, simplefilter

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError

import proctor.app
import proctor.knowledge  # noqa: F401 - registers its tables
from proctor.core import ConfigurationError, DatabaseInUse
from proctor.store import Database, check, make_engine, metadata, upgrade

FULL_TEXT = ("knowledge_terms", "knowledge_chunks_search", "search")
"""What a database adds to the tables for searching; SQLAlchemy doesn't describe it."""


UNORDERED = ("runs_queue",)
"""Indexes whose columns' order Alembic reads on PostgreSQL only."""


def not_comparable(difference: object, dialect: str) -> bool:
    names = (*FULL_TEXT, *UNORDERED) if dialect == "sqlite" else FULL_TEXT
    return any(name in str(difference) for name in names)


async def test_the_migrations_make_the_tables_that_the_rooms_describe(database_url: str) -> None:
    async with await Database.open(database_url) as database:

        def compare(connection: Connection) -> list[object]:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            found = compare_metadata(context, metadata)
            return [each for each in found if not not_comparable(each, connection.dialect.name)]

        assert await database.read(compare) == []


def test_an_upgrade_of_a_current_schema_changes_nothing(database_url: str) -> None:
    engine = make_engine(database_url)
    assert not check(engine)
    upgrade(engine)
    assert check(engine)
    upgrade(engine)
    assert check(engine)
    engine.dispose()


def test_a_schema_of_a_newer_version_is_refused(database_url: str) -> None:
    engine = make_engine(database_url)
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError):
        upgrade(engine)
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://host/name", "no address", "sqlite://", "sqlite:///:memory:"])
def test_an_address_that_proctor_cannot_keep_runs_in_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        make_engine(url)


async def test_jobs_that_wait_together_are_committed_together(database_url: str) -> None:
    async with await Database.open(database_url) as database:
        await database.commit(lambda c: c.execute(text("CREATE TABLE things (n INTEGER)")))
        before = database.commits
        jobs = [
            database.commit(lambda c, n=n: c.execute(text("INSERT INTO things VALUES (:n)"), {"n": n}))
            for n in range(200)
        ]
        await asyncio.gather(*jobs)
        count = await database.read(lambda c: c.scalar(text("SELECT count(*) FROM things")))
        assert count == 200
        assert database.commits - before < 50


async def test_a_job_that_fails_takes_no_other_with_it(database_url: str) -> None:
    async with await Database.open(database_url) as database:
        await database.commit(lambda c: c.execute(text("CREATE TABLE things (n INTEGER PRIMARY KEY)")))

        def add(number: int) -> asyncio.Future[object]:
            return database.commit(
                lambda c: c.execute(text("INSERT INTO things VALUES (:n)"), {"n": number}).rowcount
            )

        answers = await asyncio.gather(*(add(number) for number in (1, 2, 2, 3)), return_exceptions=True)
        assert [isinstance(answer, Exception) for answer in answers] == [False, False, True, False]
        assert await database.read(lambda c: c.scalar(text("SELECT count(*) FROM things"))) == 3


async def test_the_right_to_execute_is_given_back(database_url: str) -> None:
    async with await Database.open(database_url) as database:
        first, second = database.lock(), database.lock()
        first.acquire()
        with pytest.raises(DatabaseInUse):
            second.acquire()
        first.release()
        second.acquire()
        second.release()


async def test_the_right_to_execute_can_be_shared_and_excludes_who_wants_it_alone(database_url: str) -> None:
    async with await Database.open(database_url) as database:
        alone, one, other = database.lock(), database.lock(shared=True), database.lock(shared=True)
        one.acquire()
        other.acquire()
        assert one.held()
        with pytest.raises(DatabaseInUse):
            alone.acquire()
        one.release()
        assert not one.held()
        with pytest.raises(DatabaseInUse):
            alone.acquire()
        other.release()
        alone.acquire()
        with pytest.raises(DatabaseInUse):
            one.acquire()
        assert alone.held()
        assert not one.held()
        alone.release()


async def test_who_closes_its_database_leaves_no_trace_of_its_writing(database_url: str) -> None:
    async with await Database.open(database_url) as database:
        await database.commit(lambda c: c.execute(text("CREATE TABLE things (n INTEGER)")))
    async with await Database.open(database_url) as database:
        assert await database.read(lambda c: c.scalar(text("SELECT count(*) FROM writers"))) == 0


def test_an_address_that_cannot_be_read_is_not_repeated_with_its_password() -> None:
    with pytest.raises(ConfigurationError) as raised:
        make_engine("postgresql//ann:s3cret@host/name")
    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_file_in_the_home_folder_is_found_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    engine = make_engine("sqlite:///~/kept/proctor.db")
    upgrade(engine)
    engine.dispose()
    assert (tmp_path / "kept" / "proctor.db").exists()


async def test_one_file_under_two_names_is_one_database(tmp_path: Path) -> None:
    (tmp_path / "other.db").symlink_to(tmp_path / "a.db")
    plain, linked = f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/other.db"
    async with await Database.open(plain) as one, await Database.open(linked) as two:
        held = one.lock()
        held.acquire()
        with pytest.raises(DatabaseInUse):
            two.lock().acquire()
        held.release()


async def test_the_error_of_a_statement_repeats_no_value(tmp_path: Path) -> None:
    async with await Database.open(f"sqlite:///{tmp_path}/proctor.db") as database:

        def fail(connection: Connection) -> None:
            connection.execute(
                text("INSERT INTO blobs (digest, body) VALUES (NULL, :body)"), {"body": "s3cret"}
            )

        with pytest.raises(IntegrityError) as raised:
            await database.commit(fail)
    assert "s3cret" not in str(raised.value)


async def test_functions_that_block_every_thread_of_the_loop_hold_up_no_query(database_url: str) -> None:
    go = threading.Event()
    async with await Database.open(database_url) as database:
        blocked = [asyncio.create_task(asyncio.to_thread(go.wait, 20)) for _ in range(64)]
        try:
            async with asyncio.timeout(10):
                assert await database.read(lambda c: c.scalar(text("SELECT 1"))) == 1
        finally:
            go.set()
            await asyncio.gather(*blocked)


async def test_closing_waits_for_a_read_whose_caller_has_gone(postgres_url: str) -> None:
    reads, read = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        reads.set()
        connection.execute(text("SELECT pg_sleep(0.5)"))
        read.set()

    database = await Database.open(postgres_url)
    with catch_warnings(record=True) as told:
        simplefilter("always")
        caller = asyncio.create_task(database.read(slow))
        await asyncio.to_thread(reads.wait, 20)
        caller.cancel()
        await asyncio.wait([caller])
        await database.close()
        assert read.is_set()
        gc.collect()
    assert not told


class Closing(asyncio.SelectorEventLoop):
    """Is closed just after the writer has asked whether it is."""

    def is_closed(self) -> bool:
        return threading.current_thread().name != "proctor-writer" and super().is_closed()


def test_a_loop_that_is_closed_meanwhile_ends_no_writer(tmp_path: Path) -> None:
    goes_on = threading.Event()

    async def begin() -> Database:
        database = await Database.open(f"sqlite:///{tmp_path}/proctor.db")
        database.commit(lambda _: goes_on.wait(20))
        return database

    async def use(database: Database) -> None:
        async with asyncio.timeout(20), database:
            assert await database.commit(lambda c: c.scalar(text("SELECT 1"))) == 1

    loop = Closing()
    database = loop.run_until_complete(begin())
    loop.close()
    goes_on.set()
    asyncio.run(use(database))


@asynccontextmanager
async def nobody_reads(url: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Waits until somebody wants to read the schema, who can't before the end; then all sessions must end."""
    engine = make_engine(url)
    others = text("FROM pg_stat_activity WHERE datname = current_database() AND pid NOT IN (:own, :held)")
    sessions, waiting = text(f"SELECT count(*) {others}"), text(f"SELECT wait_event_type = 'Lock' {others}")
    with catch_warnings(record=True) as told, engine.connect() as holder, engine.connect() as seen:
        simplefilter("always")
        seen.execution_options(isolation_level="AUTOCOMMIT")
        ids = {
            name: each.scalar(text("SELECT pg_backend_pid()"))
            for name, each in (("own", seen), ("held", holder))
        }
        holder.execute(text("LOCK TABLE alembic_version"))

        async def somebody_waits() -> None:
            async with asyncio.timeout(20):
                while not any(seen.scalars(waiting, ids)):
                    await asyncio.sleep(0.01)

        yield somebody_waits
        holder.rollback()
        async with asyncio.timeout(20):
            while seen.scalar(sessions, ids):
                await asyncio.sleep(0.01)
        gc.collect()
    engine.dispose()
    assert not told


async def test_an_opening_that_is_cancelled_leaves_no_connection_open(postgres_url: str) -> None:
    await (await Database.open(postgres_url)).close()
    async with nobody_reads(postgres_url) as somebody_waits:
        opening = asyncio.create_task(Database.open(postgres_url))
        await somebody_waits()
        opening.cancel()
        await asyncio.wait([opening])


async def test_a_closing_that_is_cancelled_leaves_no_connection_open(postgres_url: str) -> None:
    database = await Database.open(postgres_url)
    async with nobody_reads(postgres_url) as somebody_waits:
        reading = asyncio.create_task(
            database.read(lambda c: c.scalar(text("SELECT * FROM alembic_version")))
        )
        await somebody_waits()
        closing = asyncio.create_task(database.close())
        await asyncio.wait([closing], timeout=0.1)
        closing.cancel()
        await asyncio.wait([closing])
    assert await reading


def test_a_streamed_read_leaves_nothing_open_where_its_connection_is_lost(postgres_url: str) -> None:
    engine = make_engine(postgres_url)
    with engine.connect() as reading, engine.connect() as other, catch_warnings(record=True) as told:
        simplefilter("always")
        session = reading.scalar(text("SELECT pg_backend_pid()"))
        other.execute(text("SELECT pg_terminate_backend(:session)"), {"session": session})
        with pytest.raises(OperationalError):
            reading.execute(text("SELECT 1"), execution_options={"yield_per": 10})
        gc.collect()
    engine.dispose()
    assert not told
