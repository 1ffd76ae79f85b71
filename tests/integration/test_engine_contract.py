"""What both engines promise, on a database of work that is no run and on a real Temporal server."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from proctor.core import DatabaseInUse, EngineSettings, EngineUnavailable
from proctor.engine import Chore, EmbeddedEngine, Engine, TemporalEngine
from proctor.store import Database
from servers.desk import Desk, FileLock
from servers.postgres import running_postgres
from servers.temporal import Temporal, running_temporal

GRACE = timedelta(seconds=20)
BOUND = 30
LEASE = 3
"""Seconds without a heartbeat after which Temporal gives a segment to another worker."""
TAKE_OVER = 6
"""Seconds within which the work of a worker that died goes on elsewhere (issue: durable operations)."""

KEY = int.from_bytes(b"PROC")
"""Of the advisory lock that is the right to execute."""
TAKE = text(f"SELECT pg_advisory_lock({KEY})")
_LOCK = f"FROM pg_locks WHERE locktype = 'advisory' AND objid = {KEY}"
WAITS = text(f"SELECT EXISTS (SELECT {_LOCK} AND NOT granted)")
HAD = text(f"SELECT EXISTS (SELECT {_LOCK} AND granted)")
END = text(f"SELECT pg_terminate_backend(pid) {_LOCK} AND granted")

Start = Callable[..., Awaitable[Engine[str, str]]]
Begin = Callable[[EngineSettings], Awaitable[asyncio.subprocess.Process]]


@pytest.fixture(scope="session")
def temporal() -> Iterator[Temporal]:
    with running_temporal() as server:
        yield server


@pytest.fixture
def temporal_settings(temporal: Temporal) -> EngineSettings:
    return temporal.settings(uuid4().hex)


@pytest.fixture(params=["embedded", "temporal"])
def engine_settings(request: pytest.FixtureRequest) -> EngineSettings:
    if request.param == "embedded":
        return EngineSettings(concurrency=8)
    return request.getfixturevalue("temporal_settings")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "desk.db"


@pytest.fixture
def id() -> str:
    # Temporal knows work by its id for as long as its server lives: each test has ids of its own.
    return uuid4().hex


@pytest.fixture
def desk(file: Path) -> Iterator[Desk]:
    desk = Desk(file, "here")
    yield desk
    desk.close()


@pytest.fixture
def held(file: Path) -> Iterator[Desk]:
    desk = Desk(file, "here", held=True)
    yield desk
    desk.close()


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    engines: list[Engine[str, str]] = []

    async def start(desk: Desk, settings: EngineSettings, *chores: Chore) -> Engine[str, str]:
        engine = desk.engine(settings, *chores)
        await engine.start()
        engines.append(engine)
        return engine

    yield start
    async with asyncio.timeout(BOUND):
        for engine in engines:
            if engine.running:
                await engine.stop(timedelta(0))


@pytest.fixture
async def begin_elsewhere(file: Path) -> AsyncIterator[Begin]:
    processes: list[asyncio.subprocess.Process] = []

    async def begin(settings: EngineSettings) -> asyncio.subprocess.Process:
        program = Path(__file__).parents[1] / "servers" / "engine_worker.py"
        arguments = [str(program), str(file), "elsewhere", settings.model_dump_json()]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdout=asyncio.subprocess.PIPE
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(BOUND):
        while not holds():
            await asyncio.sleep(0.01)


async def idle(engine: Engine[str, str]) -> None:
    async with asyncio.timeout(BOUND):
        await engine.idle()


async def test_submitted_work_is_executed_once(
    desk: Desk, start: Start, engine_settings: EngineSettings, id: str
) -> None:
    desk.add(id)
    engine = await start(desk, engine_settings)
    engine.submit(id)
    await idle(engine)
    assert desk.begun() == [(id, "here")]
    assert desk.states() == {id: "done"}


async def test_work_that_is_due_in_the_database_is_found(
    desk: Desk, start: Start, engine_settings: EngineSettings, id: str
) -> None:
    desk.add(f"{id}-before")
    await start(desk, engine_settings)
    await until(lambda: len(desk.begun()) == 1)
    desk.add(f"{id}-after")
    await until(lambda: set(desk.states().values()) == {"done"})
    assert desk.begun() == [(f"{id}-before", "here"), (f"{id}-after", "here")]


async def test_more_work_than_slots_is_all_done(
    desk: Desk, start: Start, engine_settings: EngineSettings, id: str
) -> None:
    desk.add(*(f"{id}-{number}" for number in range(20)))
    engine = await start(desk, engine_settings)
    await idle(engine)
    assert len(desk.begun()) == 20
    assert set(desk.states().values()) == {"done"}


async def test_an_execution_that_breaks_harms_no_other(
    file: Path, start: Start, engine_settings: EngineSettings, id: str, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(file, "here", breaks=[f"{id}-bad"])
    desk.add(f"{id}-bad", f"{id}-good")
    await start(desk, engine_settings)
    await until(lambda: desk.states()[f"{id}-good"] == "done")
    await until(lambda: f"{id}-bad broke" in caplog.text)
    desk.close()


async def test_what_an_execution_came_to_is_told_while_it_is_under_way(
    held: Desk, start: Start, engine_settings: EngineSettings, id: str
) -> None:
    held.add(id)
    engine = await start(held, engine_settings)
    await until(lambda: engine.executing(id) and bool(held.begun()))
    waiting = asyncio.create_task(engine.done(id))
    await asyncio.sleep(0)
    held.open()
    async with asyncio.timeout(BOUND):
        assert await waiting == "done"
        assert await engine.done(id) is None
    assert not engine.executing(id)


async def test_a_planned_stop_makes_work_due_again_and_the_next_start_takes_it_up(
    held: Desk, start: Start, engine_settings: EngineSettings, id: str
) -> None:
    held.add(id)
    engine = await start(held, engine_settings)
    await until(lambda: bool(held.begun()))
    before = time.monotonic()
    async with asyncio.timeout(BOUND):
        await engine.stop(GRACE)
    assert time.monotonic() - before < GRACE.total_seconds()
    assert (engine.running, held.states()) == (False, {id: "queued"})
    held.open()
    await start(held, engine_settings)
    await until(lambda: held.states() == {id: "done"})
    assert held.begun() == [(id, "here"), (id, "here")]
    assert held.cancelled == []


async def test_a_stop_cuts_off_what_takes_longer_than_its_grace(
    held: Desk, start: Start, engine_settings: EngineSettings, id: str
) -> None:
    held.add(id)
    held.heeds = False
    engine = await start(held, engine_settings)
    await until(lambda: bool(held.begun()))
    async with asyncio.timeout(BOUND):
        await engine.stop(timedelta(seconds=0.1))
    assert held.cancelled == [id]
    held.open()
    await start(held, engine_settings)
    await until(lambda: held.states() == {id: "done"})


async def test_no_more_is_executed_at_a_time_than_allowed(
    held: Desk, start: Start, engine_settings: EngineSettings, id: str
) -> None:
    ids = [f"{id}-{number}" for number in range(5)]
    engine = await start(held, engine_settings.model_copy(update={"concurrency": 2}))
    held.add(*ids)
    for each in ids:
        engine.submit(each)
    await until(lambda: len(held.begun()) == 2)
    await asyncio.sleep(0.5)  # for what must not happen
    held.open()
    await idle(engine)
    assert (held.most, len(held.begun())) == (2, 5)


async def test_a_chore_is_done_again_also_after_it_failed_and_never_beside_itself(
    desk: Desk, start: Start, engine_settings: EngineSettings, caplog: pytest.LogCaptureFixture
) -> None:
    times: list[str] = []
    enough = asyncio.Event()

    async def count() -> None:
        assert times.count("in") == times.count("out")
        times.append("in")
        await asyncio.sleep(0)
        times.append("out")
        if len(times) in (2, 4):
            raise ConnectionError("the database is away")
        if len(times) == 8:
            enough.set()

    with caplog.at_level(logging.ERROR, "proctor.engine"):
        await start(desk, engine_settings, Chore(name="count", every=timedelta(milliseconds=1), work=count))
        async with asyncio.timeout(BOUND):
            await enough.wait()
    assert [record.args[0] for record in caplog.records] == ["count"]


async def test_the_work_of_a_killed_process_is_taken_over(
    desk: Desk, start: Start, engine_settings: EngineSettings, id: str, begin_elsewhere: Begin
) -> None:
    desk.add(id)
    other = await begin_elsewhere(engine_settings)
    await until(lambda: desk.begun() == [(id, "elsewhere")])
    if engine_settings.kind == "embedded":
        with pytest.raises(DatabaseInUse):
            await desk.engine(engine_settings).start()
    else:
        await start(desk, engine_settings)
    other.kill()
    killed = time.monotonic()
    await other.wait()
    if engine_settings.kind == "embedded":
        await start(desk, engine_settings)
    await until(lambda: desk.states() == {id: "done"})
    assert time.monotonic() - killed < TAKE_OVER
    assert desk.begun() == [(id, "elsewhere"), (id, "here")]


@pytest.mark.slow
async def test_a_segment_may_take_longer_than_its_lease(
    file: Path, start: Start, temporal_settings: EngineSettings, id: str
) -> None:
    one, two = Desk(file, "one", held=True), Desk(file, "two")
    one.add(id)
    await start(one, temporal_settings.model_copy(update={"concurrency": 1}))
    await until(lambda: one.begun() == [(id, "one")])
    await start(two, temporal_settings)
    await asyncio.sleep(LEASE + 1)  # time itself is what is tried
    one.open()
    await until(lambda: one.states() == {id: "done"})
    assert one.begun() == [(id, "one")]
    for desk in (one, two):
        desk.close()


@pytest.mark.slow
async def test_a_frozen_worker_loses_its_work_and_suspends_its_segment_when_it_wakes_up(
    desk: Desk,
    start: Start,
    temporal_settings: EngineSettings,
    id: str,
    begin_elsewhere: Begin,
) -> None:
    desk.add(id)
    other = await begin_elsewhere(temporal_settings)
    await until(lambda: desk.begun() == [(id, "elsewhere")])
    await start(desk, temporal_settings)
    os.kill(other.pid, signal.SIGSTOP)
    frozen = time.monotonic()
    await until(lambda: desk.states() == {id: "done"})
    assert time.monotonic() - frozen < 2 * TAKE_OVER, (
        "one more lease goes to the frozen worker's open question"
    )
    os.kill(other.pid, signal.SIGCONT)
    assert other.stdout is not None
    async with asyncio.timeout(BOUND):
        assert await other.stdout.readline() == f"{id} queued\n".encode()
    assert desk.states() == {id: "done"}
    assert desk.begun() == [(id, "elsewhere"), (id, "here")]


async def test_work_whose_execution_broke_is_given_out_again(
    file: Path, start: Start, temporal_settings: EngineSettings, id: str
) -> None:
    desk = Desk(file, "here", breaks=[id])
    desk.add(id)
    engine = await start(desk, temporal_settings)
    await idle(engine)
    assert (desk.states(), len(desk.begun())) == ({id: "done"}, 2)
    desk.close()


async def test_what_becomes_due_during_a_segment_has_another_one(
    held: Desk, start: Start, temporal_settings: EngineSettings, id: str
) -> None:
    held.add(id)
    engine = await start(held, temporal_settings)
    await until(lambda: bool(held.begun()))
    engine.submit(id)
    await until(lambda: not engine._unsent)
    held.open("waiting")
    await until(lambda: held.states() == {id: "done"})
    await idle(engine)
    assert len(held.begun()) == 2


async def test_work_that_waited_is_taken_up_again_after_its_workflow_ended(
    held: Desk, start: Start, temporal_settings: EngineSettings, id: str
) -> None:
    held.add(id)
    engine = await start(held, temporal_settings)
    await until(lambda: bool(held.begun()))
    held.open("waiting")
    await idle(engine)
    assert held.states() == {id: "waiting"}
    engine.submit(id)
    await idle(engine)
    assert (held.states(), len(held.begun())) == ({id: "done"}, 2)


async def test_work_whose_workflow_is_lost_is_looked_after(
    desk: Desk, start: Start, temporal_settings: EngineSettings, id: str
) -> None:
    desk.add(id, state="running", taken=time.time() - 61)
    await start(desk, temporal_settings)
    await until(lambda: desk.states() == {id: "done"})


async def test_two_workers_share_the_work(
    file: Path, start: Start, temporal_settings: EngineSettings, id: str
) -> None:
    one, two = Desk(file, "one", held=True), Desk(file, "two", held=True)
    settings = temporal_settings.model_copy(update={"concurrency": 1})
    for desk in (one, two):
        await start(desk, settings)
    one.add(f"{id}-1", f"{id}-2")
    await until(lambda: len(one.begun()) == 2)
    assert {worker for _, worker in one.begun()} == {"one", "two"}
    for desk in (one, two):
        desk.open()
    await until(lambda: set(one.states().values()) == {"done"})
    one.close()
    two.close()


async def test_an_engine_without_its_server_says_so(desk: Desk) -> None:
    settings = EngineSettings(kind="temporal", address="127.0.0.1:1")
    engine = TemporalEngine(
        desk.duties(), settings, lock=FileLock(desk.file.with_suffix(".lock"), shared=True)
    )
    with pytest.raises(EngineUnavailable):
        await engine.start()
    assert not engine.running


async def test_an_unknown_namespace_is_told_at_the_start(
    desk: Desk, temporal_settings: EngineSettings
) -> None:
    nowhere = temporal_settings.model_copy(update={"namespace": "nowhere"})
    engine = TemporalEngine(
        desk.duties(), nowhere, lock=FileLock(desk.file.with_suffix(".lock"), shared=True)
    )
    with pytest.raises(EngineUnavailable):
        await engine.start()


@pytest.fixture
def fragile() -> Iterator[Temporal]:
    with running_temporal() as server:
        yield server


@pytest.mark.slow
async def test_nothing_is_lost_while_the_server_is_away(
    held: Desk, start: Start, fragile: Temporal, id: str, caplog: pytest.LogCaptureFixture
) -> None:
    before, meanwhile = f"{id}-before", f"{id}-meanwhile"
    held.add(before)
    engine = await start(held, fragile.settings(id))
    await until(lambda: bool(held.begun()))
    with caplog.at_level(logging.ERROR, "proctor.engine"):
        fragile.kill()
        held.add(meanwhile, handed=time.time())  # only the engine knows of it
        engine.submit(meanwhile)
        await until(lambda: "hand work over to Temporal: this failed" in caplog.text)
        held.open()
        await asyncio.to_thread(fragile.start)
        await until(lambda: held.states() == {before: "done", meanwhile: "done"})
    assert held.cancelled == [], "calls in progress are not cut off"
    told = [record.args for record in caplog.records]
    assert len(told) == len(set(told)), "each is told once"


async def test_an_embedded_engine_goes_on_after_its_database_was_restarted(held: Desk, id: str) -> None:
    held.add(id)
    with running_postgres() as server:
        async with asyncio.timeout(120), await Database.open(server.create_database()) as database:
            engine = EmbeddedEngine(held.duties(), lock=database.lock(), concurrency=8)
            await engine.start()
            await until(lambda: bool(held.begun()))
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            held.open()
            await until(lambda: held.states() == {id: "done"})
            assert len(held.begun()) == 1, "nobody else wanted the right, and the work was cut off"
            await engine.stop(GRACE)


async def test_an_embedded_engine_stops_when_another_process_has_its_right(held: Desk, id: str) -> None:
    held.add(id)
    with running_postgres() as server:
        async with asyncio.timeout(120), await Database.open(server.create_database()) as database:
            engine = EmbeddedEngine(held.duties(), lock=database.lock(), concurrency=8)
            await engine.start()
            await until(lambda: bool(held.begun()))
            alone = create_engine(database.engine.url, poolclass=NullPool)
            with alone.connect() as other:
                waiting = asyncio.create_task(asyncio.to_thread(other.execute, TAKE))
                with database.engine.connect() as connection:
                    await until(lambda: bool(connection.scalar(WAITS)))
                    connection.execute(END)
                await waiting
                await until(lambda: not engine.running)
                await until(lambda: held.states() == {id: "queued"})
                held.open()
            await until(lambda: held.states() == {id: "done"})
            await engine.stop(GRACE)


@asynccontextmanager
async def sharing(desk: Desk, settings: EngineSettings, url: str) -> AsyncIterator[Database]:
    """A worker that shares the right to execute on a database."""
    async with asyncio.timeout(120), await Database.open(url) as database:
        engine = TemporalEngine(desk.duties(), settings, lock=database.lock(shared=True))
        await engine.start()
        try:
            yield database
        finally:
            await engine.stop(GRACE)


async def test_a_worker_goes_on_after_its_database_was_restarted(
    held: Desk, temporal_settings: EngineSettings, id: str
) -> None:
    held.add(id)
    with running_postgres() as server:
        async with sharing(held, temporal_settings, server.create_database()) as database:
            await until(lambda: bool(held.begun()))
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            anew = create_engine(database.engine.url, poolclass=NullPool)
            with anew.connect() as connection:
                await until(lambda: bool(connection.scalar(HAD)))
            held.open()
            await until(lambda: held.states() == {id: "done"})
            assert len(held.begun()) == 1, "nobody wanted the right alone, and the work was cut off"


async def test_a_worker_takes_no_part_while_another_process_has_the_right_alone(
    file: Path, held: Desk, start: Start, temporal_settings: EngineSettings, id: str
) -> None:
    held.add(f"{id}-before")
    with running_postgres() as server, closing(Desk(file, "second")) as second:
        async with sharing(held, temporal_settings, server.create_database()) as database:
            await until(lambda: bool(held.begun()))
            alone = create_engine(database.engine.url, poolclass=NullPool)
            with alone.connect() as other:
                waiting = asyncio.create_task(asyncio.to_thread(other.execute, TAKE))
                with database.engine.connect() as connection:
                    await until(lambda: bool(connection.scalar(WAITS)))
                    connection.execute(END)
                await waiting
                await until(lambda: held.states() == {f"{id}-before": "queued"})
                held.open()
                # It serves the same queue under another right: what the first refuses comes to it.
                allowed = await start(second, temporal_settings)
                second.add(*(f"{id}-{number}" for number in range(8)))
                await until(lambda: list(held.states().values()).count("done") == 9)
                assert {worker for _, worker in held.begun()[1:]} == {"second"}
                await allowed.stop(GRACE)
            held.add(f"{id}-after")
            await until(lambda: held.states()[f"{id}-after"] == "done")
            assert held.begun()[-1] == (f"{id}-after", "here")
