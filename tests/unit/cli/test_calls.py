"""Calls of commands that can't be meant: they are refused before anything is opened."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proctor import App, Settings
from proctor.cli import main
from proctor.cli._execution import print_strange_teams
from proctor.cli._schedules import _next
from proctor.schedules import Schedule

HUGE = "9" * 20
APPROVE_OR_NOT = ["approvals", "decide", "apr_1"]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str]:
        """The exit code, and the code of the error."""
        monkeypatch.setattr(sys, "argv", ["proctor", *words, "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(str(ended.value.code)), json.loads(capsys.readouterr().out)["error"]["code"]

    return call


@pytest.mark.parametrize(
    "words",
    [
        *(
            [*words, "--limit", HUGE]
            for words in (
                ["approvals", "list"],
                ["approvals", "standing", "list"],
                ["runs", "list"],
                ["schedules", "list"],
                ["notices", "list"],
                ["degradation", "history"],
                ["threads", "list"],
                ["threads", "show", "thr_1"],
            )
        ),
        ["threads", "show", "thr_1", "--after", HUGE],
        ["serve", "--port", "99999"],
        ["worker", "--port", "-1"],
        ["worker", "--concurrency", "0"],
        APPROVE_OR_NOT,
        [*APPROVE_OR_NOT, "--approve", "--reject"],
        [*APPROVE_OR_NOT, "--respond", "No.", "--comment", "It is late."],
        [*APPROVE_OR_NOT, "--reject", "--all"],
        ["approvals", "decide", "--approve"],
    ],
)
def test_a_call_that_cannot_be_meant_is_told_so(
    command: Callable[..., tuple[int, str]], words: list[str]
) -> None:
    assert command(*words) == (64, "usage")


@pytest.mark.parametrize(
    "edit", ["", "{", "[1]", "nofile.json", '{"order": ' + "[" * 100_000 + "]" * 100_000 + "}"]
)
def test_an_edit_that_cannot_be_read_is_refused(command: Callable[..., tuple[int, str]], edit: str) -> None:
    assert command(*APPROVE_OR_NOT, "--edit", edit) == (1, "invalid_input")


def test_whoever_serves_is_told_of_a_team_that_may_be_misspelt(capsys: pytest.CaptureFixture[str]) -> None:
    app = App()
    app.team("desk")(lambda ctx: None)
    print_strange_teams(app, Settings.model_validate({"teams": {"dsek": {}, "desk": {}}}))
    told = capsys.readouterr().err
    assert "dsek" in told
    assert "Did you mean desk?" in told


@pytest.mark.parametrize(("late", "overdue"), [(-60, False), (5, False), (7200, True)])
def test_a_schedule_that_nobody_fires_is_marked(late: int, overdue: bool) -> None:  # noqa: FBT001
    now = datetime.now(UTC)
    schedule = Schedule(
        id="sch_1",
        name="daily",
        team="gone",
        target="",
        tenant="default",
        task="Report.",
        cron="0 8 * * *",
        zone="UTC",
        priority=0,
        requester="",
        created_at=now,
        next_at=now - timedelta(seconds=late),
    )
    assert str(_next(schedule)).startswith("overdue 2 h") is overdue
