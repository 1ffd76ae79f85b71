"""How budgets stand and will stand, on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, insert

from proctor import store
from proctor.core import BudgetRule, Micros
from proctor.ledger import (
    Budget,
    Holding,
    balances,
    forecasts,
    holdings,
    ledger_entries,
    make_budget,
    release_lost,
)
from proctor.runs import runs
from proctor.store import metadata

NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = store.make_engine(database_url)
    store.upgrade(engine)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def budget(usd: str = "1", **rule) -> Budget:
    return make_budget("b", BudgetRule(usd=usd, **rule))


def spend(connection: Connection, cost: Micros, *, at: datetime = NOON, **values) -> None:
    known = len(connection.execute(ledger_entries.select()).all())
    row = {
        "id": f"led_{known}",
        "at": at,
        "day": at.date().isoformat(),
        "run_id": "run_1",
        "team": "support",
        "agent": "clerk",
        "kind": "model",
        "deployment": "small",
        "model": "gpt",
        "tool": "",
        "input_tokens": 0,
        "output_tokens": 0,
        "cached_input_tokens": 0,
        "reasoning_tokens": 0,
        "cost_micros": cost,
    }
    connection.execute(insert(ledger_entries), row | values)


def account(connection: Connection, subject: str, period: str, **values) -> None:
    row = {
        "budget": "b",
        "subject": subject,
        "period": period,
        "taken": 0,
        "spent": 0,
        "lost": 0,
        "raised": 0,
    }
    connection.execute(insert(metadata.tables["budget_accounts"]), row | values)


def piece(connection: Connection, holder: str, **values) -> None:
    row = {"budget": "b", "subject": "", "period": "2026-03-11", "holder": holder, "at": NOON}
    connection.execute(insert(metadata.tables["budget_pieces"]), row | values)


def spent_of(connection: Connection, of: Budget, *, at: datetime = NOON, limit: int = 5) -> dict[str, Micros]:
    return {each.subject: each.spent for each in balances(connection, of, at=at, limit=limit)}


def test_a_balance_tells_what_is_spent_set_aside_lost_and_left(connection):
    spend(connection, 300_000)
    account(connection, "", "2026-03-11", taken=550_000, spent=200_000, lost=50_000, raised=500_000)
    account(connection, "", "2026-03-10", taken=999_999)
    [found] = balances(connection, budget(), at=NOON, limit=5)
    assert (found.limit, found.spent, found.set_aside, found.lost, found.left) == (
        1_500_000,
        300_000,
        200_000,
        50_000,
        950_000,
    )
    assert round(found.share, 4) == 0.2333
    assert not found.warns


def test_a_budget_that_nobody_spent_of_stands_at_nothing(connection):
    [found] = balances(connection, budget(scope="tenant", of="acme"), at=NOON, limit=5)
    assert (found.subject, found.spent, found.left, found.share) == ("acme", 0, 1_000_000, 0)


@pytest.mark.parametrize(
    ("scope", "column"),
    [
        ("tenant", "tenant"),
        ("team", "team"),
        ("agent", "agent"),
        ("model", "deployment"),
        ("user", "requester"),
        ("thread", "thread_id"),
    ],
)
def test_each_value_of_the_scope_has_its_own_balance(connection, scope, column):
    spend(connection, 1, **{column: "a"})
    spend(connection, 20, **{column: "b"})
    spend(connection, 300, **{column: "a"})
    spend(connection, 4000, **{column: ""})
    assert spent_of(connection, budget(scope=scope)) == {"a": 301, "b": 20}
    assert spent_of(connection, budget(scope=scope), limit=1) == {"a": 301}
    if scope != "thread":  # such a budget is for each of them
        assert spent_of(connection, budget(scope=scope, of="b")) == {"b": 20}


def test_a_balance_is_of_its_team_and_of_calls_alone(connection):
    spend(connection, 1, team="a")
    spend(connection, 20, team="b")
    spend(connection, 300, team="a", kind="tool")
    spend(connection, 4000, team="a", kind="storage", run_id="")
    assert spent_of(connection, budget(team="a")) == {"": 301}


def test_a_day_begins_where_the_budgets_clock_stands(connection):
    spend(connection, 1, at=datetime(2026, 3, 10, 15, 59, tzinfo=UTC))
    spend(connection, 20, at=datetime(2026, 3, 10, 16, tzinfo=UTC))
    spend(connection, 300, at=datetime(2026, 3, 11, 16, tzinfo=UTC))
    assert spent_of(connection, budget(timezone="Asia/Taipei")) == {"": 20}
    assert spent_of(connection, budget(period="month")) == {"": 321}


def test_a_budget_warns_from_its_share_on(connection):
    spend(connection, 500_000)
    assert [each.warns for each in balances(connection, budget(at=0.51), at=NOON, limit=5)] == [False]
    assert [each.warns for each in balances(connection, budget(at=0.5), at=NOON, limit=5)] == [True]


def test_the_budget_of_each_run_stands_as_its_runs_do_that_go_on(connection):
    for id, state, cost in (("run_1", "running", 7), ("run_2", "completed", 9), ("run_3", "waiting", 8)):
        row = {
            "id": id,
            "team": "support",
            "target": "",
            "tenant": "default",
            "state": state,
            "attempt": 1,
            "task": "x",
            "cost": cost,
            "events": 0,
            "cancel_requested": False,
            "created_at": NOON,
        }
        connection.execute(insert(runs), row)
    of_runs = budget(scope="run", period="run")
    assert spent_of(connection, of_runs) == {"run_3": 8, "run_1": 7}
    assert spent_of(connection, budget(scope="run", period="run", team="other")) == {"": 0}
    assert forecasts(connection, of_runs, at=NOON, limit=5) == ()


def test_a_forecast_goes_on_at_the_pace_of_the_last_seven_days(connection):
    spend(connection, 1, at=NOON - 9 * DAY)  # so the seven days are whole
    for days in range(1, 7):
        spend(connection, 100_000, at=NOON - days * DAY)
    spend(connection, 100_000, at=NOON - HOUR)
    [found] = forecasts(connection, budget(), at=NOON, limit=5)
    assert (found.past, found.over, found.per_day) == (700_000, 7 * DAY, 100_000)
    assert found.is_founded
    assert found.expected == 150_000  # twelve hours are left
    assert found.used_up_at is None
    [month] = forecasts(connection, budget(period="month", usd="2.7"), at=NOON, limit=5)
    assert month.expected == 700_001 + 2_050_000  # 20.5 days are left
    assert month.used_up_at is not None
    assert round((month.used_up_at - NOON) / DAY, 3) == 20.0


def test_a_forecast_from_less_than_seven_days_counts_from_the_first_spending(connection):
    spend(connection, 100_000, at=NOON - 2 * DAY)
    spend(connection, 300_000, at=NOON - HOUR)
    [found] = forecasts(connection, budget(), at=NOON, limit=5)
    assert (found.past, found.over, found.per_day) == (400_000, 2 * DAY, 200_000)


def test_from_less_than_a_day_nothing_is_foretold(connection):
    [nothing] = forecasts(connection, budget(), at=NOON, limit=5)
    assert (nothing.is_founded, nothing.expected, nothing.used_up_at) == (False, 0, None)
    spend(connection, 100_000, at=NOON - HOUR)
    [little] = forecasts(connection, budget(), at=NOON, limit=5)
    assert not little.is_founded


def test_a_budget_that_is_used_up_is_so_now(connection):
    spend(connection, 1_000_000, at=NOON - HOUR)
    [found] = forecasts(connection, budget(), at=NOON, limit=5)
    assert found.used_up_at == NOON


def test_who_holds_what_is_told_and_what_is_lost_can_be_given_back(connection):
    account(connection, "", "2026-03-11", taken=100, lost=30)
    piece(connection, "w1", taken=50, spent=10)
    piece(connection, "w2", taken=20, spent=20)
    piece(connection, "settled:batch:x", taken=20, spent=10)
    lost = Holding(budget="b", subject="", period="2026-03-11", holder="", amount=30)
    held = Holding(budget="b", subject="", period="2026-03-11", holder="w1", amount=40)
    assert holdings(connection) == (lost, held)
    assert holdings(connection, name="other") == ()
    assert release_lost(connection, "b", at=NOON, by="ann") == 30
    assert holdings(connection) == (held,)
