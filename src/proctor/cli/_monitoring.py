"""`proctor monitoring`."""

import re
import shutil
import subprocess
from importlib.resources import as_file, files
from json import loads
from pathlib import Path
from typing import Annotated

from cyclopts import App as Commands
from cyclopts import Parameter
from rich.text import Text

from proctor.cli._checks import Finding, print_findings
from proctor.cli._options import Json
from proctor.cli._output import console, print_json
from proctor.core import Conflict, InvalidInput

monitoring = Commands(
    name="monitoring", help="Write out and check what Prometheus and Grafana need.", help_format="plaintext"
)

CHECKS = {
    "prometheus.yml": ("promtool", "check", "config"),
    "recording.yml": ("promtool", "check", "rules"),
    "alerts.yml": ("promtool", "check", "rules"),
    "alertmanager.yml": ("amtool", "check-config"),
}
"""What checks a file: a tool of Prometheus, with its arguments."""

BOARDS = ("board-cost.json", "board-quality.json", "board-latency.json")

SHIPPED = (*CHECKS, *BOARDS)
"""The files, in the order in which they are read."""

PATIENCE = 30
"""Seconds that a tool has."""

_DURATION = r"(?:[1-9][0-9]*(?:ms|[smhd]))"
_WINDOW = re.compile(r"(?<=[\[_])[15]m\b")
_HOLD = re.compile(rf"(?<=\bfor: ){_DURATION}$", re.MULTILINE)
_TARGETS = re.compile(r"(?<=targets: )\[\"127\.0\.0\.1:8700\"\]")

Window = Annotated[
    str | None,
    Parameter(
        help="The time over which rates, shares and quantiles are taken, as `30s`; else 5m, of bursts 1m."
    ),
]
Hold = Annotated[
    str | None, Parameter(help="How long a thing must be so before an alert fires, as `0s`; else 1m to 5m.")
]
Targets = Annotated[
    list[str] | None,
    Parameter(name="--target", negative="", help="A process to scrape, as `HOST:PORT`; any number of times."),
]


@monitoring.command
def export(
    folder: Path,
    /,
    *,
    target: Targets = None,
    window: Window = None,
    hold: Hold = None,
    replace: Annotated[bool, Parameter(negative="", help="Write over files that are there.")] = False,
    json: Json = False,
) -> None:
    """Write rules, three boards and examples of configurations into a folder.

    For Prometheus recording.yml and alerts.yml, with prometheus.yml as an example; for Alertmanager
    alertmanager.yml as an example; for Grafana board-cost.json, board-quality.json, board-latency.json.

    A shorter window or hold makes alerts faster, and rash: they are for trying things out.

    Parameters
    ----------
    folder
        Where; it is made where it is missing.
    """
    there = [name for name in SHIPPED if (folder / name).exists()]
    if there and not replace:
        raise Conflict(f"{folder / there[0]} is there already", hint="Name another folder, or add --replace.")
    texts = {name: shaped(shipped(name), target, window=window, hold=hold) for name in SHIPPED}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    if json:
        print_json({"folder": str(folder), "files": list(SHIPPED)})
        return
    out = console()
    out.print(Text(f"Wrote {', '.join(SHIPPED)} to {folder}. Next:"), soft_wrap=True)
    out.print(Text(f"  proctor monitoring check {folder}"), soft_wrap=True)
    out.print(Text(f"  prometheus --config.file {folder / 'prometheus.yml'}"), soft_wrap=True)


@monitoring.command
def check(folder: Path | None = None, /, *, json: Json = False) -> int:
    """Check the files, rules and configurations by promtool and amtool.

    Exits with 1 where one is wrong, or can't be checked because its tool isn't installed.

    Parameters
    ----------
    folder
        Where they were written to; else those that Proctor brings are checked.
    """
    with as_file(files("proctor.telemetry") / "monitoring") as own:
        there = folder or own
        findings = [_checked(there / name, *command) for name, command in CHECKS.items()]
        findings += [_read(there / name) for name in BOARDS]
    return print_findings(findings, json=json)


def shipped(name: str) -> str:
    """A file as Proctor brings it."""
    return (files("proctor.telemetry") / "monitoring" / name).read_text(encoding="utf-8")


def shaped(text: str, targets: list[str] | None, *, window: str | None, hold: str | None) -> str:
    """A file with other windows, times to hold and targets.

    Raises:
        InvalidInput: one of them can't be read.
    """
    if window is not None:
        _check(window, _DURATION, "a window is a duration, as 30s or 5m")
        text = _WINDOW.sub(window, text)
    if hold is not None:
        _check(hold, rf"0s|{_DURATION}", "a time to hold is a duration, as 0s or 2m")
        text = _HOLD.sub(hold, text)
    if targets:
        for each in targets:
            _check(each, r"[A-Za-z0-9._\[\]:-]+:[0-9]+", "a target is HOST:PORT")
        quoted = ", ".join(f'"{each}"' for each in targets)
        text = _TARGETS.sub(f"[{quoted}]", text)
    return text


def _check(value: str, form: str, what: str) -> None:
    if re.fullmatch(form, value) is None:
        raise InvalidInput(f"{what}: {value} is none")


def _missing(path: Path) -> Finding:
    return Finding(what=path.name, state="broken", found="missing", todo="proctor monitoring export")


def _read(path: Path) -> Finding:
    """A board, of which only Grafana knows more than whether it can be read."""
    try:
        loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _missing(path)
    except ValueError as error:
        return Finding(what=path.name, state="broken", found=f"not JSON: {error}")
    return Finding(what=path.name, state="ok", found="can be read")


def _checked(path: Path, tool: str, *arguments: str) -> Finding:
    program = shutil.which(tool)
    if not path.is_file():
        return _missing(path)
    if program is None:
        return Finding(
            what=path.name,
            state="unchecked",
            found="not checked",
            todo=f"{tool} isn't installed: it comes with Prometheus and Alertmanager.",
        )
    done = subprocess.run(  # noqa: S603 - the operator's own tool
        [program, *arguments, str(path)], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    if done.returncode == 0:
        return Finding(what=path.name, state="ok", found=f"{tool} takes it")
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return Finding(what=path.name, state="broken", found=said[-1].strip() if said else f"{tool} refuses it")
