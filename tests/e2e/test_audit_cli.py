"""`proctor audit` as people and programs use it."""

import json
import sqlite3
import stat

import pytest

from e2e.test_cli import Terminal, endpoint, terminal  # noqa: F401 - fixtures

SECTION = """
[audit]
key_file = "audit.key"
heads = "heads.jsonl"
"""


@pytest.mark.slow
def test_a_record_is_kept_checked_exported_and_reported(terminal: Terminal):  # noqa: F811
    made = terminal.json("audit", "key", "audit.key")
    assert stat.S_IMODE((terminal.folder / "audit.key").stat().st_mode) == 0o600
    with (terminal.folder / "proctor.toml").open("a", encoding="utf-8") as file:
        file.write(SECTION)
    terminal("budget", "set", "big", "--usd", "5", "--period", "day", "--by", "mia")
    terminal("budget", "set", "small", "--usd", "1", "--period", "day", "--by", "mia")
    head = json.loads(terminal("audit", "heads", "--sign")[0])
    assert (head["seq"], head["key"]) == (2, made["public_key"])

    listed = terminal.json("audit", "list", "--actor", "mia")
    assert [(each["seq"], each["thing"]) for each in listed] == [(2, "small"), (1, "big")]
    found = terminal.json("audit", "verify")
    assert (found["sound"], found["entries"], found["heads"], found["unproven"]) == (True, 2, 1, [])

    terminal("audit", "export", "--to", "export.jsonl")
    checked = terminal.json("audit", "verify", "export.jsonl", "--key", made["public_key"])
    assert (checked["sound"], checked["entries"]) == (True, 3)
    report = terminal.json("audit", "report", "--last", "1d")
    assert [(each["actor"], each["times"]) for each in report["changes"]] == [("mia", 2)]
    assert "## Changes" in terminal("audit", "report", "--last", "1d")[0]
    assert terminal.json("audit", "inspect", "--last", "1d")["findings"] == []

    file = sqlite3.connect(terminal.folder / "proctor.db")
    file.executescript("DROP TRIGGER audit_entries_delete; DELETE FROM audit_entries WHERE seq = 2;")
    file.close()
    broken = terminal.json("audit", "verify", code=1)
    assert (broken["sound"], broken["faults"][0]["kind"], broken["faults"][0]["seq"]) == (False, "gap", 3)
    assert "signature" not in terminal("audit", "heads", code=1)[0], "what is broken isn't signed"
    found = terminal.json("audit", "inspect", "--last", "1d", code=1)
    assert {each["kind"] for each in found["findings"]} == {"record"}
    assert all(each["todo"] for each in found["findings"])
