"""What reports add up, on both databases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection, insert

from proctor import store
from proctor.ledger import Return, RunCost, Slice, Spending, cost_of_runs, ledger_entries, spending, total
from proctor.runs import runs

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WANTED = Slice(since=NOON, until=NOON + 30 * DAY)
NOTHING = Spending(
    key=(),
    requests=0,
    cached=0,
    failed=0,
    input_tokens=0,
    cached_input_tokens=0,
    cache_write_tokens=0,
    output_tokens=0,
    reasoning_tokens=0,
    cost=0,
    saved=0,
    wasted=0,
)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = store.make_engine(database_url)
    store.upgrade(engine)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def enter(
    connection: Connection, *, cost: int = 0, at: datetime = NOON, kind: str = "model", **values
) -> None:
    number = connection.execute(ledger_entries.select()).all()
    row = {
        "id": f"led_{len(number)}",
        "at": at,
        "day": at.date().isoformat(),
        "run_id": "run_1",
        "team": "support",
        "agent": "clerk",
        "kind": kind,
        "deployment": "small" if kind == "model" else "",
        "model": "gpt" if kind == "model" else "",
        "tool": "store.look_up" if kind == "tool" else "",
        "input_tokens": 0,
        "output_tokens": 0,
        "cached_input_tokens": 0,
        "reasoning_tokens": 0,
        "cost_micros": cost,
    }
    connection.execute(insert(ledger_entries), row | values)


def ended(connection: Connection, id: str, state: str, *, at: datetime = NOON, team: str = "support") -> None:
    row = {
        "id": id,
        "team": team,
        "target": "",
        "tenant": "default",
        "state": state,
        "attempt": 1,
        "task": "x",
        "cost": 0,
        "events": 0,
        "cancel_requested": False,
        "created_at": at,
        "finished_at": at,
    }
    connection.execute(insert(runs), row)


def costs(connection: Connection, *by, **wanted) -> dict[tuple[str, ...], int]:
    return {row.key: row.cost for row in spending(connection, replace(WANTED, **wanted), by=by)}


def test_a_report_tells_requests_tokens_cost_savings_and_waste(connection):
    tokens = {
        "input_tokens": 100,
        "cached_input_tokens": 40,
        "cache_write_tokens": 30,
        "output_tokens": 10,
        "reasoning_tokens": 4,
    }
    enter(connection, cost=70, **tokens)
    enter(connection, cost=9, outcome="model_nonsense", input_tokens=100)
    enter(connection, outcome="cached", saved_micros=70, **tokens)
    enter(connection, cost=5, kind="tool")
    enter(connection, cost=2, kind="storage", run_id="")
    expected = replace(
        NOTHING,
        key=("support",),
        requests=3,
        cached=1,
        failed=1,
        input_tokens=200,
        cached_input_tokens=40,
        cache_write_tokens=30,
        output_tokens=10,
        reasoning_tokens=4,
        cost=86,
        saved=70,
        wasted=9,
    )
    assert spending(connection, WANTED, by=("team",)) == (expected,)
    assert total(connection, WANTED) == replace(expected, key=())


def test_the_dearest_comes_first_and_days_come_in_their_order(connection):
    enter(connection, cost=1, agent="a")
    enter(connection, cost=3, agent="b", at=NOON + DAY)
    enter(connection, cost=2, agent="c", at=NOON + 2 * DAY)
    assert list(costs(connection, "agent")) == [("b",), ("c",), ("a",)]
    assert list(costs(connection, "day")) == [("2026-03-01",), ("2026-03-02",), ("2026-03-03",)]
    assert len(spending(connection, WANTED, by=("agent",), limit=2)) == 2


def test_a_report_by_model_leaves_out_what_no_model_did(connection):
    enter(connection, cost=3)
    enter(connection, cost=4, model="", outcome="model_overloaded")
    enter(connection, cost=5, kind="tool")
    assert costs(connection, "model") == {("gpt",): 3, ("small",): 4}
    assert costs(connection, "deployment") == {("small",): 7}
    assert costs(connection, "tool") == {("store.look_up",): 5}
    assert total(connection, WANTED, by=("model",)).cost == 7
    assert costs(connection, "model", "tool") == {("gpt", ""): 3, ("small", ""): 4, ("", "store.look_up"): 5}


@pytest.mark.parametrize(
    ("by", "column"),
    [
        ("team", "team"),
        ("agent", "agent"),
        ("tenant", "tenant"),
        ("user", "requester"),
        ("run", "run_id"),
        ("thread", "thread_id"),
        ("outcome", "outcome"),
    ],
)
def test_spending_is_added_up_by_each_dimension(connection, by, column):
    for value, cost in (("x", 1), ("y", 20), ("x", 300)):
        enter(connection, cost=cost, **{column: value})
    assert costs(connection, by) == {("x",): 301, ("y",): 20}


def test_two_dimensions_are_told_together(connection):
    enter(connection, cost=1, team="a")
    enter(connection, cost=2, team="b")
    enter(connection, cost=4, team="a", at=NOON + DAY)
    assert costs(connection, "day", "team") == {
        ("2026-03-01", "a"): 1,
        ("2026-03-01", "b"): 2,
        ("2026-03-02", "a"): 4,
    }


def test_a_report_is_of_its_time_team_and_tenant_alone(connection):
    enter(connection, cost=1, at=NOON - timedelta(microseconds=1))
    enter(connection, cost=2)
    enter(connection, cost=4, team="b", tenant="acme", at=WANTED.until - timedelta(microseconds=1))
    enter(connection, cost=8, at=WANTED.until)
    assert costs(connection, "team") == {("support",): 2, ("b",): 4}
    assert costs(connection, "team", team="support") == {("support",): 2}
    assert costs(connection, "team", tenant="acme") == {("b",): 4}


def test_where_nothing_was_spent_the_total_is_nothing(connection):
    assert spending(connection, WANTED, by=("team",)) == ()
    assert total(connection, WANTED) == NOTHING
    assert NOTHING.share_of(NOTHING) == 0


def test_a_completed_run_bears_the_cost_of_those_that_failed(connection):
    enter(connection, cost=100)
    enter(connection, cost=51, run_id="run_2", at=NOON + DAY)
    enter(connection, cost=4, kind="storage", run_id="")
    enter(connection, cost=9, team="", kind="storage", run_id="")
    ended(connection, "run_1", "completed")
    ended(connection, "run_2", "failed")
    ended(connection, "run_3", "completed", at=NOON + DAY)
    ended(connection, "run_4", "completed", at=NOON - DAY)
    ended(connection, "run_5", "cancelled", team="idle")
    found = cost_of_runs(connection, WANTED)
    assert found == (
        RunCost(team="idle", cost=0, completed=0, ended=1, first_at=None),
        RunCost(team="support", cost=155, completed=2, ended=3, first_at=NOON),
    )
    assert [each.per_completed for each in found] == [None, 78]  # half up


def test_the_guides_example_brings_900_percent():
    found = Return(cost=Decimal(500_000), human=5_000_000)
    assert found.percent == 900
    assert found.saving_of(Decimal(1000)) == 4_500 * 10**6


def test_a_query_that_a_person_took_over_is_paid_for_twice():
    found = Return(cost=Decimal(800_000), human=5_000_000, handed_over=Decimal("0.2"))
    assert found.cost_per_resolved == 1_000_000
    assert found.percent == 400
    # 100 queries cost $80 to the agents and $100 to people, in place of $500.
    assert found.saving_of(Decimal(100)) == 320 * 10**6


def test_agents_that_cost_more_than_people_lose_and_free_ones_have_no_rate():
    assert Return(cost=Decimal(10_000_000), human=5_000_000).percent == -50
    assert Return(cost=Decimal(0), human=5_000_000).percent is None
