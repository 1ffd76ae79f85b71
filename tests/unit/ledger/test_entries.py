from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import create_engine, insert

from proctor.core import ModelCall, ModelResult, ToolCall, ToolResult, ToolSpec, Usage
from proctor.ledger import Spending, ledger_entries, model_entry, spend_by, spent, tool_entry, utc_day
from proctor.testing import FakeScope

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def connection(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/ledger.db")
    ledger_entries.create(engine)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def model_row(*, id: str, cost: int, at: datetime = NOON, model: str = "m-1", **scope):
    result = ModelResult(
        message={},
        finish_reason="stop",
        usage=Usage(input=100, output=10, cached_input=40, reasoning=4),
        deployment="small",
        model=model,
        cost=cost,
    )
    call = ModelCall(scope=FakeScope(**scope), model="small", messages=())
    return model_entry(call, result, id=id, at=at)


def tool_row(*, id: str, cost: int, at: datetime = NOON, **scope):
    tool = ToolSpec(server="store", name="look_up", description="", parameters={})
    call = ToolCall(scope=FakeScope(**scope), tool=tool, arguments={})
    return tool_entry(call, ToolResult(text="", cost=cost), id=id, at=at)


def record(connection, *rows) -> None:
    connection.execute(insert(ledger_entries), rows)


def test_an_entry_says_who_spent_what_and_when():
    assert model_row(id="e1", cost=70) == {
        "id": "e1",
        "at": NOON,
        "day": "2026-03-01",
        "run_id": "run_1",
        "team": "support",
        "agent": "clerk",
        "kind": "model",
        "deployment": "small",
        "model": "m-1",
        "tool": "",
        "input_tokens": 100,
        "output_tokens": 10,
        "cached_input_tokens": 40,
        "reasoning_tokens": 4,
        "cost_micros": 70,
    }
    assert tool_row(id="e2", cost=5)["tool"] == "store.look_up"


def test_a_day_is_the_utc_day():
    east = timezone(timedelta(hours=8))
    assert utc_day(datetime(2026, 3, 2, 7, 59, tzinfo=east)) == "2026-03-01"


def test_a_days_spending_is_the_sum_of_its_entries(connection):
    record(
        connection,
        model_row(id="e1", cost=70),
        tool_row(id="e2", cost=5),
        model_row(id="e3", cost=900, at=NOON + timedelta(days=1)),
    )
    assert spent(connection, "2026-03-01") == 75
    assert spent(connection, "2026-03-02") == 900
    assert spent(connection, "2026-03-03") == 0


def test_spending_is_summed_by_team_dearest_first(connection):
    record(
        connection,
        model_row(id="e1", cost=70, team="a"),
        model_row(id="e2", cost=70, team="b"),
        tool_row(id="e3", cost=5, team="b"),
        model_row(id="e4", cost=1, team="b", at=NOON + timedelta(hours=1)),
    )
    found = spend_by(connection, since=NOON, until=NOON + timedelta(hours=1), by="team")
    tokens = {"input_tokens": 100, "output_tokens": 10, "cached_input_tokens": 40, "reasoning_tokens": 4}
    assert found == (
        Spending(key="b", calls=2, cost=75, **tokens),
        Spending(key="a", calls=1, cost=70, **tokens),
    )


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("model", ["m-2", "m-1"]),
        ("agent", ["clerk", "desk/analyst"]),
        ("day", ["2026-03-01", "2026-03-02"]),
        ("run", ["run_2", "run_1"]),
    ],
)
def test_spending_is_summed_by_each_dimension(connection, by, keys):
    record(
        connection,
        model_row(id="e1", cost=10, run_id="run_1"),
        model_row(id="e2", cost=90, run_id="run_2", model="m-2"),
        model_row(id="e3", cost=10, run_id="run_1", agent="desk/analyst", at=NOON + timedelta(days=1)),
        tool_row(id="e4", cost=5, run_id="run_2"),
    )
    found = spend_by(connection, since=NOON, until=NOON + timedelta(days=2), by=by)
    assert [spending.key for spending in found] == keys
