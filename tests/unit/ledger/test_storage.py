"""What is kept, measured day by day, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection, insert, select, update

import proctor.knowledge  # noqa: F401 - registers its tables
from proctor.ledger import Kept, Storage, ledger_entries
from proctor.runs import blobs, calls, events, runs, thread_states
from proctor.store import Database, metadata
from proctor.testing import FakeClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRICE = Decimal(30_000)
"""Dollars for a gigabyte and month: a micro-dollar for a byte and day."""
LARGE = '{"$blob":"0123456789abcdef0123456789abcdef"}'


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    yield database
    await database.close()


def run(connection: Connection, id: str, *, task: str, team="support", tenant="default", ended=True) -> None:
    row = {
        "id": id,
        "team": team,
        "target": "",
        "tenant": tenant,
        "state": "completed" if ended else "waiting",
        "attempt": 1,
        "task": task,
        "cost": 0,
        "events": 0,
        "cancel_requested": False,
        "created_at": NOON,
        "finished_at": NOON if ended else None,
    }
    connection.execute(insert(runs), row)


def call(connection: Connection, run_id: str, request: str, outcome: str | None) -> None:
    row = {
        "run_id": run_id,
        "agent": "clerk",
        "kind": "model",
        "fingerprint": f"{request}{outcome}"[:16],
        "occurrence": 0,
        "attempt": 1,
        "request": request,
        "outcome": outcome,
        "cost": 0,
        "started_at": NOON,
    }
    connection.execute(insert(calls), row)


def storage(database: Database, clock: FakeClock, price: Decimal = PRICE) -> Storage:
    return Storage(database, clock=clock, usd_per_gb_month=price)


async def entries(database: Database) -> list[tuple[str, str, str, int, int]]:
    of = ledger_entries.c
    query = select(of.day, of.tenant, of.team, of.bytes, of.cost_micros).where(of.kind == "storage")
    rows = await database.read(lambda connection: connection.execute(query).all())
    return sorted(tuple(row) for row in rows)


async def test_all_that_is_kept_of_a_conversation_counts_in_bytes(database: Database):
    def fill(connection: Connection) -> None:
        run(connection, "run_1", task="12345")
        call(connection, "run_1", "1234567", "123")
        connection.execute(update(runs).values(result="問題"))  # 6 bytes
        event = {"run_id": "run_1", "seq": 1, "at": NOON, "type": "message", "agent": "", "data": "1234"}
        connection.execute(insert(events), event)
        thread = {"id": "t", "team": "support", "tenant": "default", "turns": 1, "created_at": NOON}
        connection.execute(insert(metadata.tables["threads"]), thread)
        connection.execute(
            insert(thread_states), {"thread_id": "t", "run_id": "run_1", "turn": 1, "state": "1" * 100}
        )
        run(connection, "run_2", task="12", tenant="acme")
        run(connection, "run_3", task="1", tenant="acme", team="analysis", ended=False)

    await database.commit(fill)
    assert await storage(database, FakeClock(NOON)).measure() == (
        Kept(what="knowledge", tenant="", team="", bytes=0),
        Kept(what="conversations", tenant="acme", team="analysis", bytes=1),
        Kept(what="conversations", tenant="acme", team="support", bytes=2),
        Kept(what="conversations", tenant="default", team="support", bytes=5 + 10 + 6 + 4 + 100),
    )


async def test_a_large_value_counts_once_for_each_run_that_refers_to_it(database: Database):
    def fill(connection: Connection) -> None:
        digest = LARGE.split('"')[3]
        connection.execute(insert(blobs), {"digest": digest, "body": "1" * 1000})
        run(connection, "run_1", task="")
        call(connection, "run_1", LARGE, LARGE)
        call(connection, "run_1", '{"a":1}', LARGE)
        run(connection, "run_2", task="", team="other")
        call(connection, "run_2", "", LARGE)

    await database.commit(fill)
    kept = {each.team: each.bytes for each in await storage(database, FakeClock(NOON)).measure()}
    assert kept == {"": 0, "other": 1000 + len(LARGE), "support": 1000 + 3 * len(LARGE) + 7}


async def test_knowledge_counts_with_its_vectors(database: Database):
    def fill(connection: Connection) -> None:
        source = {
            "id": 1,
            "collection": "c",
            "name": "n",
            "digest": "",
            "title": "t",
            "language": "en",
            "updated": NOON,
        }
        chunk = {
            "source": 1,
            "position": 0,
            "title": "t",
            "text": "12345",
            "terms": "12",
            "embedding": bytes(16),
        }
        connection.execute(insert(metadata.tables["knowledge_sources"]), source)
        connection.execute(insert(metadata.tables["knowledge_chunks"]), chunk)

    await database.commit(fill)
    [knowledge] = await storage(database, FakeClock(NOON)).measure()
    assert knowledge == Kept(what="knowledge", tenant="", team="", bytes=3 + 1 + 5 + 2 + 16)


async def test_a_run_that_ended_is_measured_once_and_again_where_it_was_resumed(database: Database):
    await database.commit(lambda connection: run(connection, "run_1", task="12345"))
    clock = FakeClock(NOON)
    assert (await storage(database, clock).measure())[1].bytes == 5
    # Nobody changes a run that has ended: that it isn't read again shows in this.
    await database.commit(lambda connection: connection.execute(update(runs).values(task="1")))
    assert (await storage(database, clock).measure())[1].bytes == 5
    await database.commit(lambda connection: connection.execute(update(runs).values(finished_at=None)))
    assert (await storage(database, clock).measure())[1].bytes == 1
    later = NOON + timedelta(hours=1)
    await database.commit(lambda connection: connection.execute(update(runs).values(finished_at=later)))
    assert (await storage(database, clock).measure())[1].bytes == 1


async def test_many_runs_are_measured_page_by_page(database: Database):
    def fill(connection: Connection) -> None:
        for number in range(450):
            run(connection, f"run_{number:03}", task="12", ended=number % 3 > 0)

    await database.commit(fill)
    for _ in range(2):
        assert (await storage(database, FakeClock(NOON)).measure())[1].bytes == 900


async def test_storage_is_entered_once_a_day_though_several_workers_try(database: Database):
    def fill(connection: Connection) -> None:
        run(connection, "run_1", task="1" * 700)
        run(connection, "run_2", task="1" * 300, tenant="acme")

    await database.commit(fill)
    clock = FakeClock(NOON)
    workers = [storage(database, clock) for _ in range(3)]

    async def look() -> None:
        await asyncio.wait_for(asyncio.gather(*(worker.look() for worker in workers)), 30)

    await look()
    assert await entries(database) == []  # a process that is about to end measures nothing
    clock.advance(300)
    await look()
    await look()
    first = [
        ("2026-03-01", "", "", 0, 0),
        ("2026-03-01", "acme", "support", 300, 300),
        ("2026-03-01", "default", "support", 700, 700),
    ]
    assert await entries(database) == first
    clock.advance(86_400)
    await database.commit(lambda connection: run(connection, "run_3", task="1" * 50))
    await look()
    assert (await entries(database))[3:] == [
        ("2026-03-02", "", "", 0, 0),
        ("2026-03-02", "acme", "support", 300, 300),
        ("2026-03-02", "default", "support", 750, 750),
    ]


async def test_without_a_price_nothing_is_measured(database: Database):
    await database.commit(lambda connection: run(connection, "run_1", task="1"))
    clock = FakeClock(NOON)
    free = storage(database, clock, Decimal(0))
    clock.advance(300)
    await free.look()
    assert await entries(database) == []


async def test_thirty_days_cost_what_the_month_costs(database: Database):
    priced = storage(database, FakeClock(NOON), Decimal("0.25"))
    assert priced.cost_of_month(4 * 10**9) == 1_000_000
    assert priced.cost_of_day(120 * 10**9) == 1_000_000
