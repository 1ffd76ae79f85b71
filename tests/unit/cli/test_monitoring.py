"""What Prometheus and Grafana need, written out and checked."""

import json
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from proctor.cli import main
from proctor.cli._monitoring import BOARDS, CHECKS, SHIPPED, shipped

Call = Callable[..., tuple[int, dict[str, object]]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*words: str) -> tuple[int, dict[str, object]]:
        """The exit code, and what was printed."""
        monkeypatch.setattr(sys, "argv", ["proctor", "monitoring", *words, "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(str(ended.value.code)), json.loads(capsys.readouterr().out)

    return call


def states(told: dict[str, object]) -> dict[str, str]:
    findings = told["findings"]
    assert isinstance(findings, list)
    return {finding["what"]: finding["state"] for finding in findings}


def test_an_export_holds_what_is_shipped_and_writes_over_nothing(command: Call, tmp_path: Path) -> None:
    folder = tmp_path / "monitoring"
    assert command("export", str(folder)) == (0, {"folder": str(folder), "files": list(SHIPPED)})
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        name: shipped(name) for name in SHIPPED
    }
    (folder / "alerts.yml").write_text("my own")
    code, told = command("export", str(folder))
    assert (code, told["error"]["code"]) == (1, "conflict")  # type: ignore[index]
    assert (folder / "alerts.yml").read_text() == "my own"
    assert command("export", str(folder), "--replace")[0] == 0
    assert (folder / "alerts.yml").read_text() == shipped("alerts.yml")


def test_an_export_has_the_windows_and_targets_that_were_asked_for(command: Call, tmp_path: Path) -> None:
    words = ("--window", "30s", "--hold", "10s", "--target", "one:8700", "--target", "two:8700")
    command("export", str(tmp_path), *words)
    alerts, recording = ((tmp_path / name).read_text() for name in ("alerts.yml", "recording.yml"))
    assert 'targets: ["one:8700", "two:8700"]' in (tmp_path / "prometheus.yml").read_text()
    assert "proctor:response_time_seconds:p99_30s > 5" in alerts
    assert "record: proctor:response_time_seconds:p99_30s" in recording
    assert alerts.count("for: 10s") == shipped("alerts.yml").count("for: ")
    assert "${quantile}_30s" in (tmp_path / "board-latency.json").read_text()
    assert "5m" not in recording


@pytest.mark.parametrize("words", [["--window", "soon"], ["--hold", "1 s"], ["--target", "nowhere"]])
def test_what_cannot_be_read_is_refused_before_anything_is_written(
    command: Call, tmp_path: Path, words: list[str]
) -> None:
    code, told = command("export", str(tmp_path / "new"), *words)
    assert (code, told["error"]["code"]) == (1, "invalid_input")  # type: ignore[index]
    assert not (tmp_path / "new").exists()


def test_what_a_check_could_not_look_at_counts_for_nothing(
    command: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, told = command("check")
    assert (code, told["ok"]) == (1, False)
    assert states(told) == dict.fromkeys(CHECKS, "unchecked") | dict.fromkeys(BOARDS, "ok")
    monkeypatch.setattr(sys, "argv", ["proctor", "monitoring", "check"])
    with pytest.raises(SystemExit):
        main()
    assert "4 of 7 could not be checked." in capsys.readouterr().out


def test_a_check_tells_what_a_tool_finds_wrong_and_what_is_missing(
    command: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools, folder = tmp_path / "bin", tmp_path / "monitoring"
    tools.mkdir()
    shell = shutil.which("sh")
    for name in ("promtool", "amtool"):
        tool = tools / name
        tool.write_text(
            f"#!{shell}\nfor last; do :; done\n"
            'case "$last" in *alerts.yml) echo "line 3" >&2; exit 1;; esac\n'
        )
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    command("export", str(folder))
    (folder / "recording.yml").unlink()
    (folder / "board-cost.json").write_text("{")
    monkeypatch.setenv("PATH", str(tools))
    code, told = command("check", str(folder))
    assert code == 1
    assert states(told) == {
        "prometheus.yml": "ok",
        "recording.yml": "broken",
        "alerts.yml": "broken",
        "alertmanager.yml": "ok",
        "board-cost.json": "broken",
        "board-quality.json": "ok",
        "board-latency.json": "ok",
    }
