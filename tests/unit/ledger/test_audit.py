"""Whether the ledger agrees with the journal, on both databases."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, insert, update

from proctor.ledger import Audit, Audited, Difference, last_audit, ledger_entries, reconcile_ledger
from proctor.runs import calls, events, runs
from proctor.store import Database
from proctor.testing import FakeClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    yield database
    await database.close()


def keep(connection: Connection, id: str, *, cost: int, called=(), wasted=(), entered=(), state="completed"):
    run = {
        "id": id,
        "team": "support",
        "target": "",
        "tenant": "default",
        "state": state,
        "attempt": 1,
        "task": "x",
        "cost": cost,
        "events": len(wasted),
        "cancel_requested": False,
        "created_at": NOON,
    }
    connection.execute(insert(runs), run)
    for number, amount in enumerate(called):
        call = {
            "run_id": id,
            "agent": "clerk",
            "kind": "model",
            "fingerprint": str(number),
            "occurrence": 0,
            "attempt": 1,
            "request": "{}",
            "cost": amount,
            "started_at": NOON,
        }
        connection.execute(insert(calls), call)
    for number, amount in enumerate(wasted):
        data = json.dumps({"deployment": "small", "outcome": "model_nonsense", "cost": amount})
        event = {"run_id": id, "seq": number, "at": NOON, "type": "call.wasted", "agent": "", "data": data}
        connection.execute(insert(events), event)
    for number, amount in enumerate(entered):
        connection.execute(insert(ledger_entries), entry(f"{id}_{number}", id, amount))


def entry(id: str, run_id: str, cost: int) -> dict[str, object]:
    return {
        "id": id,
        "at": NOON,
        "day": "2026-03-01",
        "run_id": run_id,
        "team": "support",
        "agent": "clerk",
        "kind": "model" if run_id else "storage",
        "deployment": "",
        "model": "",
        "tool": "",
        "input_tokens": 0,
        "output_tokens": 0,
        "cached_input_tokens": 0,
        "reasoning_tokens": 0,
        "cost_micros": cost,
    }


async def test_books_that_agree_to_the_micro_dollar_show_no_difference(database: Database):
    def fill(connection: Connection) -> None:
        keep(connection, "run_1", cost=0)
        keep(connection, "run_2", cost=111, called=(100, 1), wasted=(4, 6), entered=(100, 4, 6, 1))
        connection.execute(insert(ledger_entries), entry("sto_1", "", 77))  # storage belongs to no run

    await database.commit(fill)
    assert await database.read(reconcile_ledger) == ()


async def test_each_kind_of_difference_is_found_and_names_its_run(database: Database):
    def fill(connection: Connection) -> None:
        keep(connection, "run_1", cost=10, called=(10,), entered=(11,))
        keep(connection, "run_2", cost=10, called=(9,), entered=(10,))
        keep(connection, "run_3", cost=11, called=(10,), entered=(10,))
        keep(connection, "run_4", cost=10, called=(10,), wasted=(3,), entered=(10,))
        keep(connection, "run_5", cost=13, called=(10,), wasted=(2,), entered=(13,))
        connection.execute(insert(ledger_entries), entry("led_1", "run_nowhere", 5))

    await database.commit(fill)
    assert await database.read(reconcile_ledger) == (
        Difference(run_id="run_1", cost=10, called=10, wasted=0, entered=11),
        Difference(run_id="run_2", cost=10, called=9, wasted=0, entered=10),
        Difference(run_id="run_3", cost=11, called=10, wasted=0, entered=10),
        Difference(run_id="run_4", cost=10, called=10, wasted=3, entered=10),
        Difference(run_id="run_5", cost=13, called=10, wasted=2, entered=13),
        Difference(run_id="run_nowhere", cost=None, called=0, wasted=0, entered=5),
    )
    assert [each.off for each in await database.read(reconcile_ledger)] == [1, 1, 0, -3, 1, 5]


async def test_a_run_in_progress_is_compared_only_in_what_is_committed_together(database: Database):
    def fill(connection: Connection) -> None:
        keep(connection, "run_1", cost=10, called=(9,), wasted=(7,), entered=(10,), state="running")
        keep(connection, "run_2", cost=10, called=(10,), entered=(9,), state="running")

    await database.commit(fill)
    assert [each.run_id for each in await database.read(reconcile_ledger)] == ["run_2"]


async def test_one_of_several_workers_audits_each_day(database: Database, caplog: pytest.LogCaptureFixture):
    await database.commit(lambda connection: keep(connection, "run_1", cost=1, called=(1,), entered=(2,)))
    clock, told = FakeClock(NOON), []
    workers = [
        Audit(database, clock=clock, worker=f"w{number}", on_differences=told.append) for number in range(3)
    ]

    async def look() -> None:
        await asyncio.wait_for(asyncio.gather(*(worker.look() for worker in workers)), 30)

    await look()
    assert await database.read(last_audit) is None  # a process that is about to end audits nothing
    clock.advance(300)
    await look()
    await look()
    assert told == [1]
    assert [record.message.partition(": ")[2] for record in caplog.records] == [
        "run_1 cost $0.000001, its calls $0.000001, the ledger says $0.000002"
    ]
    audited = await database.read(last_audit)
    assert audited is not None
    assert audited == Audited(
        day="2026-03-01", at=NOON + timedelta(minutes=5), worker=audited.worker, differences=1
    )
    clock.advance(86_400)
    await database.commit(lambda connection: connection.execute(update(ledger_entries).values(cost_micros=1)))
    await look()
    assert told == [1]
    audited = await database.read(last_audit)
    assert audited is not None
    assert (audited.day, audited.differences) == ("2026-03-02", 0)
