"""`proctor run --patient` and `proctor models batches`, as people use them."""

import sqlite3
from contextlib import closing

from e2e.test_cli import Terminal, endpoint, terminal  # noqa: F401 - fixtures


def test_a_patient_run_is_queued_for_whoever_executes_runs(terminal: Terminal):  # noqa: F811
    out, _ = terminal("run", "desk.py:desk", "--patient", "Summarise yesterday")
    with closing(sqlite3.connect(terminal.folder / "proctor.db")) as database:
        assert database.execute("SELECT id, state, pace FROM runs").fetchall() == [
            (out.strip(), "queued", "patient")
        ]


def test_without_batches_their_list_says_so(terminal: Terminal):  # noqa: F811
    assert terminal.json("models", "batches") == {"waiting": [], "batches": []}
    out, _ = terminal("models", "batches")
    assert out == "There are no batches.\n"
    shown, _ = terminal("models", "batches", "--help")
    assert "patient runs" in shown
