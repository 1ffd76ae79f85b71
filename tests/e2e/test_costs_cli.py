"""`proctor costs`, `proctor budget` and `proctor roi` as people and programs use them."""

import csv
import io
import sqlite3

import pytest

from e2e.test_cli import Terminal, endpoint, terminal  # noqa: F401 - fixtures
from servers.openai_endpoint import Endpoint, completion, says

pytestmark = pytest.mark.slow  # each test starts several commands

USAGE = {"prompt_tokens": 1000, "completion_tokens": 100}
COST = 1000 * 3 + 100 * 15
"""Micro-dollars of one run: the terminal's prices are dollars for a million tokens."""


@pytest.fixture
def spent(terminal: Terminal, endpoint: Endpoint) -> Terminal:  # noqa: F811
    """A terminal after two runs of the desk."""
    for name in ("ann", "=cmd|' /C calc'!A0"):
        endpoint.replies = [says(completion("Done.", usage=USAGE))]
        terminal("run", "desk.py:desk", "Anything", "--by", name)
    return terminal


def test_costs_are_told_to_people_and_programs(spent: Terminal):
    out, _ = spent("costs")
    assert "per run" in out
    assert "$0.004500" in out
    report = spent.json("costs", "--by", "day,user")
    assert [row["cost_micros"] for row in report["rows"]] == [COST, COST]
    assert report["total"]["requests"] == 2
    assert report["total"]["input_tokens"] == 2000
    assert report["runs"] == [
        {
            "team": "desk",
            "completed": 2,
            "ended": 2,
            "cost_micros": 2 * COST,
            "cost_per_completed_micros": COST,
        }
    ]
    assert spent.json("costs", "--team", "other")["rows"] == []


def test_a_spreadsheet_executes_nothing(spent: Terminal):
    out, _ = spent("costs", "--by", "user", "--format", "csv")
    rows = {row["user"]: row for row in csv.DictReader(io.StringIO(out))}
    assert set(rows) == {"ann", "'=cmd|' /C calc'!A0"}
    assert rows["ann"]["cost_usd"] == "0.004500"
    assert rows["ann"]["share"] == "0.500000"


def test_the_books_are_checked(spent: Terminal):
    assert spent.json("costs", "audit") == {"agrees": True, "differences": [], "last": None}
    with sqlite3.connect(spent.folder / "proctor.db") as sql:
        first = sql.execute("SELECT min(id) FROM ledger_entries").fetchone()
        sql.execute("UPDATE ledger_entries SET cost_micros = cost_micros + 1 WHERE id = ?", first)
    sql.close()
    [found] = spent.json("costs", "audit", code=1)["differences"]
    assert (found["cost"], found["entered"], found["off"]) == (COST, COST + 1, 1)
    out, _ = spent("costs", "audit", code=1)
    assert found["run_id"] in out
    findings = spent.json("db", "check", code=1)["findings"]
    assert [each["what"] for each in findings if each["state"] == "broken"] == ["costs"]


def test_storage_is_measured_when_asked(spent: Terminal):
    kept = {each["what"]: each for each in spent.json("costs", "storage")}
    assert kept["conversations"]["bytes"] > 1000
    assert kept["conversations"]["cost_micros"] == 0
    dear = {"PROCTOR_STORAGE__USD_PER_GB_MONTH": "1000"}
    kept = {each["what"]: each for each in spent.json("costs", "storage", **dear)}
    assert kept["conversations"]["cost_micros"] == kept["conversations"]["bytes"]


def test_the_return_on_a_teams_runs_is_computed(spent: Terminal):
    found = spent.json("roi", "--team", "desk", "--human-usd", "0.045")
    assert (found["usd_per_query"], found["return_percent"]) == (0.0045, 900)
    assert (found["completed_runs"], found["queries_per_month"]) == (2, 60)
    assert found["saved_usd_per_month"] == 2.43
    assert spent.json("roi", "--team", "none", "--human-usd", "1", code=1)["error"]["code"] == "not_found"


def test_the_guides_example_needs_no_data(terminal: Terminal):  # noqa: F811
    out, _ = terminal("roi", "--cost-usd", "0.50", "--human-usd", "5.00")
    assert "900 %" in out
    assert "saves $9.00 for each dollar" in out
    found = terminal.json(
        "roi", "--cost-usd", "0.8", "--human-usd", "5", "--handed-over", "20%", "--queries", "100"
    )
    assert found["usd_per_resolved_query"] == 1
    assert found["return_percent"] == 400
    assert found["saved_usd_per_month"] == 320


def test_a_budget_is_set_shown_and_removed(spent: Terminal):
    spent("budget", "set", "people", "--usd", "0.009", "--scope", "user", "--outcome", "warn", "--by", "ann")
    out, _ = spent("budget", "set", "people", "--at", "0.4", "--timezone", "Asia/Taipei")
    assert out == "Budget people: $0.009 a day (Asia/Taipei) for each user, then warn.\n"
    budgets = {each["name"]: each for each in spent.json("budget", "show")}
    assert budgets["daily"]["balances"][0]["spent_micros"] == 2 * COST
    assert (budgets["people"]["outcome"], budgets["people"]["limit_micros"]) == ("warn", 9000)
    [ann] = [each for each in budgets["people"]["balances"] if each["subject"] == "ann"]
    assert (ann["spent_micros"], ann["left_micros"], ann["warns"]) == (COST, COST, True)
    out, _ = spent("budget", "show", "people")
    assert "warns" in out
    out, _ = spent("budget", "show", "people", "--format", "csv")
    rows = {row["subject"]: row for row in csv.DictReader(io.StringIO(out))}
    assert (rows["ann"]["spent_usd"], rows["ann"]["warns"]) == ("0.004500", "True")
    [forecast, _] = spent.json("budget", "forecast", "people")
    assert not forecast["is_founded"]
    assert spent.json("budget", "remove", "people") == {"removed": "people", "holds_again": False}
    assert spent.json("budget", "show", "people", code=1)["error"]["code"] == "not_found"


def test_a_budget_that_is_set_stands_above_the_configured_one(terminal: Terminal):  # noqa: F811
    terminal("budget", "set", "daily", "--usd", "7")
    [daily] = terminal.json("budget", "show", "daily")
    assert (daily["limit_micros"], daily["origin"]) == (7_000_000, "set")
    assert terminal.json("budget", "remove", "daily")["holds_again"]
    [daily] = terminal.json("budget", "show", "daily")
    assert (daily["limit_micros"], daily["origin"]) == (100_000_000, "configuration")
    assert terminal.json("budget", "remove", "daily", code=1)["error"]["code"] == "not_found"


def test_a_budget_that_cannot_be_read_stops_a_start_until_it_is_removed(terminal: Terminal):  # noqa: F811
    terminal("budget", "set", "odd", "--usd", "7")
    with sqlite3.connect(terminal.folder / "proctor.db") as sql:
        sql.execute('UPDATE budgets SET rule = \'{"usd": "7", "scope": "planet"}\'')
    sql.close()
    for arguments in (("run", "desk.py:desk", "Hello"), ("budget", "show")):
        error = terminal.json(*arguments, code=1)["error"]
        assert error["code"] == "configuration"
        assert "proctor budget remove odd" in error["hint"]
    terminal("budget", "remove", "odd")
    assert terminal.json("run", "desk.py:desk", "Hello")["state"] == "completed"


def test_a_budget_that_was_set_holds_for_the_first_call_of_a_process(terminal: Terminal):  # noqa: F811
    terminal("budget", "set", "none", "--usd", "0")
    assert terminal.json("run", "desk.py:desk", "Hello", code=1)["error"]["code"] == "budget_exceeded"


def test_what_a_dead_worker_held_of_a_budget_that_was_set_is_settled_by_the_ledger(terminal: Terminal):  # noqa: F811
    terminal("budget", "set", "desk", "--usd", "7")
    run = terminal.json("run", "desk.py:desk", "Hello")
    with sqlite3.connect(terminal.folder / "proctor.db") as sql:
        sql.execute(
            "INSERT INTO budget_pieces "
            "SELECT budget, subject, period, ?, 1000, 0, '2026-01-01 00:00:00.000000' "
            "FROM budget_accounts WHERE budget = 'desk'",
            (run["worker"],),
        )
    sql.close()
    [held] = terminal.json("budget", "reconcile")["held"]
    assert (held["budget"], held["holder"]) == ("desk", None)
    assert held["amount_micros"] == 1000 - run["cost_micros"]


def test_nothing_is_left_to_settle_after_an_orderly_end(spent: Terminal):
    assert spent.json("budget", "reconcile", "--release") == {"released_micros": 0, "held": []}


def test_a_wrong_call_is_told_what_is_wrong(terminal: Terminal):  # noqa: F811
    for arguments in (("costs", "--by", "weather"), ("roi", "--human-usd", "5"), ("budget", "set", "b")):
        assert terminal.json(*arguments, code=64)["error"]["code"] == "usage"
