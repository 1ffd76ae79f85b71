"""Alerts on the command line: what people and programs are shown, and what a silence does."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from proctor.alerts import Rule, alerts
from proctor.cli import main
from proctor.core import new_id
from proctor.store import Database

pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked")

CONFIG = """
[database]
url = "sqlite:///{path}/proctor.db"

[alerts]
roles = ["oncall"]
error_rate = 0.1

[alerts.teams.lab]
enabled = false

[roles.oncall]
members = ["ann"]
"""
AT = datetime.now(UTC) - timedelta(minutes=5)


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """What `proctor alerts` returns and prints."""
    (tmp_path / "proctor.toml").write_text(CONFIG.format(path=tmp_path))
    monkeypatch.chdir(tmp_path)

    def done(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["proctor", "alerts", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().out

    return done


@pytest.fixture
def told(call: Callable[..., tuple[int, str]]) -> Callable[..., Any]:
    """What a command that succeeds tells a program."""

    def done(*words: str) -> Any:
        code, out = call(*words, "--json")
        assert code == 0, out
        return json.loads(out)

    return done


def raise_alerts(folder: Path, *states: tuple[str, Rule]) -> Sequence[str]:
    """The ids of alerts of the team `desk`, in these states."""
    rows = [
        {
            "id": made,
            "rule": rule,
            "team": "desk",
            "state": state,
            "text": "12 errors of 80 calls in 5 min (15 %); usual at this hour 1 %",
            "value": 0.15,
            "usual": 0.01,
            "runs": "run_1 run_2",
            "began_at": AT,
            "seen_at": AT,
            "fired_at": AT,
            "resolved_at": AT if state == "resolved" else None,
        }
        for made, (state, rule) in zip(sorted(new_id("alr") for _ in states), states, strict=True)
    ]

    async def done() -> None:
        async with await Database.open(f"sqlite:///{folder}/proctor.db") as database:
            await database.commit(lambda connection: connection.execute(insert(alerts), rows))

    asyncio.run(done())
    return [str(row["id"]) for row in rows]


def ids(found: Sequence[dict[str, Any]]) -> list[str]:
    return [each["id"] for each in found]


def test_what_is_wrong_is_listed_and_what_is_over_stays_as_history(
    told: Callable[..., Any], tmp_path: Path
) -> None:
    over, firing, waiting = raise_alerts(
        tmp_path, ("resolved", "errors"), ("firing", "errors"), ("pending", "latency")
    )
    assert ids(told("list")) == [waiting, firing]
    assert ids(told("list", "--rule", "latency")) == [waiting]
    assert told("list", "--team", "lab") == []
    assert ids(told("history")) == [waiting, firing, over]
    assert ids(told("history", "--state", "resolved")) == [over]
    assert ids(told("history", "--before", waiting, "--limit", "1")) == [firing]


def test_an_alert_is_shown_with_its_numbers_and_the_runs_behind_it(
    call: Callable[..., tuple[int, str]], told: Callable[..., Any], tmp_path: Path
) -> None:
    (firing,) = raise_alerts(tmp_path, ("firing", "errors"))
    shown = told("show", firing)
    assert (shown["state"], shown["usual"], shown["runs"]) == ("firing", 0.01, ["run_1", "run_2"])
    assert datetime.fromisoformat(shown["fired_at"]) == AT
    _, out = call("show", firing)
    lines = out.splitlines()
    assert lines[:2] == ["errors of desk: firing", shown["text"]]
    assert lines[-2:] == ["run behind it: run_1", "run behind it: run_2"]
    _, out = call("list")
    assert out.split()[:6] == ["state", "team", "rule", "since", "id", "what"]
    assert out.split("\n")[2].split()[:3] == ["firing", "desk", "errors"]
    assert firing in out


def test_an_alert_that_there_is_not_is_an_error_with_a_hint(call: Callable[..., tuple[int, str]]) -> None:
    code, out = call("show", "alr_none", "--json")
    error = json.loads(out)["error"]
    assert (code != 0, error["code"]) == (True, "not_found")
    assert "proctor alerts history" in error["hint"]


def test_a_silence_hushes_what_fires_is_listed_and_ends(told: Callable[..., Any], tmp_path: Path) -> None:
    (firing,) = raise_alerts(tmp_path, ("firing", "errors"))
    words = ("--team", "de*", "--rule", "errors", "--for", "1h30m", "--reason", "maintenance", "--by", "ann")
    made = told("silence", *words)
    length = datetime.fromisoformat(made["until"]) - datetime.fromisoformat(made["at"])
    assert (made["by"], made["reason"], length) == ("ann", "maintenance", timedelta(hours=1, minutes=30))
    assert [(each["id"], each["state"]) for each in told("list")] == [(firing, "silenced")]
    assert told("silences") == [made]
    assert told("unsilence", made["id"])["id"] == made["id"]
    assert told("silences") == []
    assert told("list")[0]["state"] == "firing"


def test_a_silence_of_a_rule_that_there_is_not_is_refused(call: Callable[..., tuple[int, str]]) -> None:
    code, out = call("silence", "--rule", "erors", "--reason", "typo", "--json")
    assert (code != 0, json.loads(out)["error"]["code"]) == (True, "invalid_input")


def test_people_read_that_all_is_well_and_what_holds(call: Callable[..., tuple[int, str]]) -> None:
    assert call("list") == (0, "Nothing is wrong.\n")
    assert call("history") == (0, "There were no such alerts.\n")
    assert call("silences") == (0, "Nothing is silenced.\n")
    code, out = call("silence", "--reason", "known")
    assert (code, "holds until" in out) == (0, True)
    _, out = call("silences")
    assert out.split()[:6] == ["id", "team", "rule", "left", "by", "reason"]
    _, out = call("unsilence", out.split("\n")[2].split()[0])
    assert out.endswith("has ended: people are told again.\n")


def test_the_rules_in_force_are_those_of_the_configuration_and_of_a_team(
    call: Callable[..., tuple[int, str]], told: Callable[..., Any]
) -> None:
    rules = told("rules")
    assert (rules["enabled"], rules["roles"]) == (True, ["oncall"])
    assert rules["rules"]["error_rate"] == "more than 10.00% of calls fail"
    assert not told("rules", "--team", "lab")["enabled"]
    _, out = call("rules", "--team", "lab")
    assert out.startswith("No rule is in force")


def test_a_test_message_that_reaches_nobody_fails(call: Callable[..., tuple[int, str]]) -> None:
    code, out = call("test", "--json")
    assert (code, json.loads(out)) == (1, {"oncall": {}})
