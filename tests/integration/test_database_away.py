"""A real PostgreSQL server that stops, crashes, loses answers and returns; a file that can't be written."""

import asyncio
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import Connection, event, make_url, text

import proctor
from proctor.api import make_server
from proctor.core import DatabaseInUse, DatabaseUnavailable
from proctor.store import Database, Job
from proctor.testing import FakeClock
from servers.cutting_proxy import CuttingProxy, cutting_proxy
from servers.postgres import Postgres, running_postgres

LONG = timedelta(minutes=1)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


@pytest.fixture
def url(server: Postgres) -> str:
    return server.create_database()


@asynccontextmanager
async def opened(url: str, *, patience: timedelta = LONG) -> AsyncIterator[Database]:
    """A database with a table of things, which keep the order in which they were added."""
    async with asyncio.timeout(90), await Database.open(url, patience=patience) as database:
        await database.commit(
            lambda c: c.execute(text("CREATE TABLE IF NOT EXISTS things (place bigserial, n integer)"))
        )
        yield database


@asynccontextmanager
async def through_a_proxy(
    server: Postgres, url: str, *, patience: timedelta = LONG
) -> AsyncIterator[tuple[Database, CuttingProxy]]:
    async with cutting_proxy(server.socket) as proxy:
        network = make_url(url).set(host="127.0.0.1", port=proxy.port, query={})
        async with opened(network.render_as_string(hide_password=False), patience=patience) as database:
            yield database, proxy


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that executes a script."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def add(number: int) -> Job[int]:
    def job(connection: Connection) -> int:
        connection.execute(text("INSERT INTO things (n) VALUES (:n)"), {"n": number})
        return number

    return job


def things(connection: Connection) -> list[int]:
    return list(connection.scalars(text("SELECT n FROM things ORDER BY place")))


def restart(server: Postgres) -> None:
    server.stop()
    server.start()


def crash(server: Postgres) -> None:
    server.stop("immediate")
    server.start()


def kill(server: Postgres) -> None:
    server.kill()
    server.start()


def end_sessions(server: Postgres) -> None:
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )


@pytest.mark.parametrize("harm", [restart, crash, kill, end_sessions])
async def test_each_commit_under_load_takes_effect_once_and_in_order_though_the_server_goes(
    server: Postgres, url: str, harm: Callable[[Postgres], None]
) -> None:
    async with opened(url) as database:
        answers: list[int] = []
        done = asyncio.Event()

        async def load() -> None:
            while not done.is_set():
                first = len(answers)
                jobs = [database.commit(add(number)) for number in range(first, first + 10)]
                answers.extend(await asyncio.gather(*jobs))

        async with asyncio.TaskGroup() as group:
            group.create_task(load())
            for _ in range(3):
                await asyncio.to_thread(harm, server)
                before = len(answers)
                while len(answers) < before + 50:
                    await asyncio.sleep(0.01)
            done.set()
        assert answers == list(range(len(answers)))
        assert await database.read(things) == answers


async def test_several_processes_lose_no_commit_to_each_other_over_crashes(
    server: Postgres, url: str
) -> None:
    script = """
import asyncio, sys
from sqlalchemy import text
from proctor.store import Database

async def main(url, who):
    async with await Database.open(url) as database:
        print("ready", flush=True)
        for n in range(150):
            add = text("INSERT INTO things (n) VALUES (:n)")
            await database.commit(lambda c: c.execute(add, {"n": 1000 * who + n}) and None)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""
    async with opened(url) as database:
        writers = [start(script, url, who) for who in (1, 2, 3)]
        try:
            for writer in writers:
                assert writer.stdout is not None
                assert await asyncio.to_thread(writer.stdout.readline) == "ready\n"
            while any(writer.poll() is None for writer in writers):
                await asyncio.to_thread(crash, server)
                before = await database.read(things)
                while await database.read(things) == before and any(w.poll() is None for w in writers):
                    await asyncio.sleep(0.01)
            codes = [await asyncio.to_thread(writer.wait, 30) for writer in writers]
        finally:
            for writer in writers:
                with writer:
                    writer.kill()
        assert codes == [0, 0, 0]
        found = await database.read(things)
        for who in (1, 2, 3):
            assert [n - 1000 * who for n in found if n // 1000 == who] == list(range(150))


async def test_a_commit_whose_answer_was_lost_is_not_executed_again(server: Postgres, url: str) -> None:
    async with through_a_proxy(server, url) as (database, proxy):
        executed: list[int] = []

        def job(connection: Connection) -> int:
            executed.append(add(7)(connection))
            return len(executed)

        for number in (1, 2):  # the writer's first marked transaction here, and a later one
            proxy.fault = "answer lost"
            proxy.struck.clear()
            assert await database.commit(job) == number
            assert proxy.struck.is_set()
        assert await database.read(things) == [7, 7]


async def test_a_commit_that_never_arrived_is_executed_again(server: Postgres, url: str) -> None:
    async with through_a_proxy(server, url) as (database, proxy):
        executed: list[int] = []

        def job(connection: Connection) -> int:
            executed.append(add(7)(connection))
            return len(executed)

        proxy.fault = "request lost"
        assert await database.commit(job) == 2
        assert await database.read(things) == [7]


async def test_a_commit_lost_in_a_crash_is_not_taken_for_another_one_with_its_number(
    server: Postgres, url: str
) -> None:
    async with through_a_proxy(server, url) as (database, proxy), opened(url) as other:
        proxy.fault = "held"
        committed = database.commit(add(1))
        await proxy.struck.wait()
        await asyncio.to_thread(crash, server)
        # PostgreSQL gives this one the number of the lost transaction, and says of it `committed`.
        await other.commit(add(2))
        proxy.cut.set()
        assert await committed == 1
        assert await database.read(things) == [2, 1]


async def test_queries_wait_for_a_server_that_is_away(server: Postgres, url: str) -> None:
    async with opened(url) as database:
        await database.commit(add(1))
        await asyncio.to_thread(server.stop)
        reads = [asyncio.create_task(database.read(things)) for _ in range(8)]
        await asyncio.to_thread(server.start)
        assert await asyncio.gather(*reads) == [[1]] * 8


async def test_after_the_patience_work_is_refused_and_the_next_finds_the_database_again(
    server: Postgres, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    place = str(server.socket.parent)
    async with opened(url, patience=timedelta(seconds=0.3)) as database:
        await asyncio.to_thread(server.stop)
        try:
            refused = await asyncio.gather(
                *(database.commit(add(number)) for number in range(20)),
                database.read(things),
                return_exceptions=True,
            )
        finally:
            await asyncio.to_thread(server.start)
        assert {type(error) for error in refused} == {DatabaseUnavailable}
        assert not any(place in str(said) for said in (*refused, *caplog.messages))  # drivers name hosts
        assert re.search(r"is tried again \(\w+( \w{5})?\)$", caplog.text, re.MULTILINE)
        assert await database.commit(add(99)) == 99
        assert await database.read(things) == [99]


async def test_work_after_a_commit_that_nobody_knows_of_is_not_taken_for_it(
    server: Postgres, url: str
) -> None:
    async with through_a_proxy(server, url, patience=timedelta(seconds=0.3)) as (database, proxy):
        proxy.fault, proxy.away = "answer lost", True
        with pytest.raises(DatabaseUnavailable):
            await database.commit(add(1))
        proxy.away = False
        assert await database.commit(add(2)) == 2
        assert await database.read(things) == [1, 2]


async def test_a_database_that_is_away_at_the_opening_is_named_so_or_waited_for(
    server: Postgres, url: str
) -> None:
    place = str(server.socket.parent)
    await asyncio.to_thread(server.stop)
    with pytest.raises(DatabaseUnavailable) as away:
        await Database.open(url)
    assert place in str(away.value)
    opening = asyncio.create_task(Database.open(url, wait=LONG))
    await asyncio.to_thread(server.start)
    async with asyncio.timeout(30):
        await (await opening).close()


async def test_closing_waits_no_longer_than_a_moment_for_a_server_that_is_away(
    server: Postgres, url: str
) -> None:
    async with opened(url) as database:
        await asyncio.to_thread(server.stop)
        try:
            committed = database.commit(add(1))
            async with asyncio.timeout(20):
                await database.close()
        finally:
            await asyncio.to_thread(server.start)
        with pytest.raises(DatabaseUnavailable):
            await committed


async def test_closing_waits_no_longer_than_a_moment_for_a_network_that_is_dead(
    server: Postgres, url: str
) -> None:
    async with through_a_proxy(server, url) as (database, proxy):
        proxy.fault = "held"
        committed = database.commit(add(1))
        await proxy.struck.wait()
        waiting = database.commit(add(2))
        async with asyncio.timeout(12):
            await database.close()
        for future in (committed, waiting):
            with pytest.raises(DatabaseUnavailable):
                await future
        proxy.cut.set()


async def test_two_transactions_that_lock_each_other_out_both_take_effect(url: str) -> None:
    async with opened(url) as one, opened(url) as two:
        await one.commit(add(1))
        await one.commit(add(2))
        met = threading.Barrier(2)

        def change(first: int, second: int) -> Job[None]:
            def job(connection: Connection) -> None:
                for number in (first, second):
                    connection.execute(text("UPDATE things SET n = n + 10 WHERE place = :n"), {"n": number})
                    with suppress(threading.BrokenBarrierError):  # the second attempt meets nobody
                        met.wait(0.5)

            return job

        await asyncio.gather(one.commit(change(1, 2)), two.commit(change(2, 1)))
        assert sorted(await one.read(things)) == [21, 22]


async def test_a_right_is_lost_with_its_server_and_can_be_taken_again(server: Postgres, url: str) -> None:
    async with opened(url) as database, opened(url) as other:
        lock = database.lock()
        await asyncio.to_thread(lock.acquire)
        assert await asyncio.to_thread(lock.held)
        await asyncio.to_thread(server.stop)
        assert not await asyncio.to_thread(lock.held)
        with pytest.raises(DatabaseUnavailable):
            await asyncio.to_thread(lock.acquire)
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(lock.acquire)
        assert await asyncio.to_thread(lock.held)
        await asyncio.to_thread(end_sessions, server)
        taken = other.lock()
        await asyncio.to_thread(taken.acquire)
        assert not await asyncio.to_thread(lock.held)
        with pytest.raises(DatabaseInUse):
            await asyncio.to_thread(lock.acquire)
        taken.release()


async def test_processes_that_start_at_once_on_an_empty_server_all_start(server: Postgres) -> None:
    url = server.create_database()
    script = f"""
import asyncio
from proctor.store import Database
async def main():
    await (await Database.open({url!r})).close()
asyncio.run(main())
"""
    starting = [start(script) for _ in range(3)]
    try:
        assert [await asyncio.to_thread(process.wait, 60) for process in starting] == [0, 0, 0]
    finally:
        for process in starting:
            with process:
                process.kill()


def small(database: Database, pragma: str) -> None:
    """Bounds the file's connections as a full disk or an impatient system would."""

    @event.listens_for(database.engine, "checkout")
    def bound(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA {pragma}")


async def test_a_file_that_is_locked_or_full_is_told_from_a_defect(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/proctor.db"
    async with asyncio.timeout(30), await Database.open(url) as database:
        small(database, "busy_timeout=50")
        await database.commit(lambda c: c.execute(text("CREATE TABLE things (n)")))
        with sqlite3.connect(tmp_path / "proctor.db", isolation_level=None) as shell:
            shell.execute("BEGIN IMMEDIATE")
            jobs = [database.commit(lambda c: c.execute(text("INSERT INTO things VALUES (1)"))) for _ in "ab"]
            refused = await asyncio.gather(*jobs, return_exceptions=True)
            shell.execute("ROLLBACK")
        shell.close()
        assert {type(error) for error in refused} == {DatabaseUnavailable}

        assert not await database.is_ready(within=LONG)
        while not await database.is_ready(within=LONG):  # it tries by itself; the test's own time bounds it
            await asyncio.sleep(0.01)
        assert await database.read(lambda c: c.execute(text("SELECT count(*) FROM writers")).scalar()) == 0

        small(database, "max_page_count=1")
        with pytest.raises(DatabaseUnavailable) as raised:
            await database.commit(lambda c: c.execute(text("INSERT INTO things VALUES (zeroblob(99999))")))
        assert raised.value.retryable
        assert raised.value.hint
        assert not await database.is_ready(within=LONG)


async def test_a_database_is_ready_as_long_as_it_answers_with_the_schema_that_is_needed(
    server: Postgres, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    within = timedelta(seconds=5)
    async with opened(url) as database:
        assert all(await asyncio.gather(*(database.is_ready(within=within) for _ in range(9))))
        server.stop()
        try:
            assert not await database.is_ready(within=within)
            assert not await database.is_ready(within=timedelta(0))
        finally:
            server.start()
        while not await database.is_ready(within=within):  # the test's own time bounds it
            pass
        await database.commit(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '0001'")))
        assert not await database.is_ready(within=within)
        assert not await database.is_ready(within=within)
    told = [each.message for each in caplog.records if "isn't ready" in each.message]
    assert ["schema" in each for each in told] == [False, True]


FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON things EXECUTE FUNCTION full_disk();
"""


async def test_a_database_that_can_be_read_and_not_written_is_not_ready(url: str) -> None:
    async with opened(url) as database:
        await database.commit(lambda c: c.execute(text(FULL)))
        assert await database.is_ready(within=LONG)
        waiting = database.commit(add(1))
        while await database.is_ready(within=LONG):  # the test's own time bounds it
            await asyncio.sleep(0.01)
        assert not waiting.done()
        await database.apart(lambda c: c.execute(text("DROP TRIGGER full_disk ON things")))
        await waiting
        assert await database.is_ready(within=LONG)


async def test_metrics_are_told_while_the_database_is_away_to_whoever_has_read_them_before(
    server: Postgres, url: str
) -> None:
    settings = proctor.Settings.model_validate(
        {"database": {"url": url}, "access": {"authentication": "required"}}
    )
    clock = FakeClock()
    opened_proctor = proctor.open(proctor.App(), settings=settings, executes=False, environ={}, clock=clock)
    async with asyncio.timeout(90), opened_proctor as running:
        keys = [
            {"authorization": f"Bearer {made.token}"}
            for made in (
                await running.keys.create("prometheus", roles=["viewer"], by="root"),
                await running.keys.create("other", roles=["viewer"], by="root", tenant="acme"),
                await running.keys.create("never", roles=["viewer"], by="root"),
            )
        ]
        transport = httpx2.ASGITransport(make_server(running, host="127.0.0.1", environ={}))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            before = [(await client.get("/metrics", headers=key)).status_code for key in keys[:2]]
            server.stop()
            try:
                clock.advance(10)  # for a moment each key is believed without a look
                away = await asyncio.gather(*(client.get("/metrics", headers=key) for key in (*keys, {})))
            finally:
                server.start()
    assert before == [200, 403]
    assert [each.status_code for each in away] == [200, 503, 503, 401]
    assert "proctor_release" in away[0].text
    assert [each.json()["code"] for each in away[1:3]] == ["database_unavailable"] * 2
