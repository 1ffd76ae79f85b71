"""What the demo shows: each step as it is taken, and the table at the end."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.status import Status
from rich.table import Table
from rich.text import Text

from proctor.core import Event, JsonObject, canonical_json, format_usd
from proctor.deployments.support.demo._outcome import Outcome
from proctor.models.local import PullProgress

_PLAIN_WIDTH = 110
_PREPARING = ("analyst", "retriever")
"""Agents whose messages are shown as they come; the others' are the answer, which is shown at the end."""
_WHO = 15
_TEXT = 300
"""Characters of a message that are shown while it happens."""
PERSON_USD = 5
"""What a question costs that a person answers."""


class Screen:
    """Shows a demo to a person."""

    def __init__(self, file: TextIO) -> None:
        width = None if file.isatty() else _PLAIN_WIDTH
        self.console = Console(file=file, highlight=False, markup=False, width=width)
        self._status: Status | None = None

    def title(self, text: str, more: str) -> None:
        """The first lines."""
        self.console.print(Text(text, style="bold"))
        self.console.print(Text(more, style="dim"))
        self.console.print()

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """A step of the preparation; what is put into the list is shown with its time."""
        began = time.monotonic()
        said: list[str] = []
        with self.console.status(Text(f"{name} …")):
            yield said
        self._row("✓", name, "; ".join(said), f"{time.monotonic() - began:.1f} s", "green")

    @contextmanager
    def pulling(self) -> Iterator[Progress]:
        """A bar for a download."""
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as bar:
            yield bar

    @contextmanager
    def asking(self, number: str, text: str) -> Iterator[None]:
        """A question while it is worked on."""
        self.console.print()
        line = Text(f"{number}  ", style="bold cyan").append(text, style="bold")
        self.console.print(line)
        with self.console.status("") as self._status:
            self._now("the team is built")
            yield
        self._status = None

    def event(self, event: Event, seconds: float) -> None:
        """Shows what happened, where a person would want to know it."""
        data, who = event.data, event.agent or "policy"
        took = f"{float(str(data['ms'])) / 1000:.1f} s" if "ms" in data else ""
        match event.type:
            case "model.called":
                self._line(seconds, who, f"model: {data['input']}→{data['output']} tokens", took)
            case "tool.called" if not data["refused_by"]:
                self._line(seconds, who, str(data["tool"]) + (" failed" if data["error"] else ""), took)
            case "message" if who in _PREPARING:
                self._line(seconds, who, _said(who, str(data["text"])), "", "cyan")
            case "approval.requested":
                self._line(seconds, who, f"asks a person: may I call {_call(data['action'])}?", "", "yellow")
            case "approval.decided":
                style = "green" if data["decision"] == "approve" else "red"
                text = f"{data['decision']}: {data['comment']}"
                self._line(seconds, str(data["by"]), text, "", style)
            case "policy.verdict":
                rules = data["rules"]
                named = ", ".join(map(str, rules)) if isinstance(rules, list | tuple) else str(rules)
                self._line(seconds, who, f"{data['stage']}: {data['outcome']} ({named})", "", "yellow")
            case "model.retried" | "run.failed":
                self._line(seconds, who, str(data.get("error", data.get("message", ""))), "", "red")
            case _:
                pass
        self._now({"approval.requested": "a person decides"}.get(event.type, "a model reads or writes"))

    def judged(self, outcome: Outcome) -> None:
        """The answer, and whether it is right."""
        answer = Text(outcome.run.result or outcome.run.error or "(no answer)")
        self.console.print(Padding(answer, (0, 4)))
        right = not outcome.faults
        text = "right" if right else "; ".join(outcome.faults)
        mark = Text("✓ " if right else "✗ ", style="green" if right else "red")
        mark.append(f"{text}, by {outcome.question.source} ({outcome.seconds:.0f} s)")
        self.console.print(Padding(mark, (0, 4)))

    def table(self, outcomes: Sequence[Outcome]) -> None:
        """All questions with what they took."""
        made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold", expand=True)
        for name, ratio in (("question", 5), ("answer", 6)):
            made.add_column(name, ratio=ratio, overflow="fold")
        made.add_column("agents", no_wrap=True)
        for name in ("calls", "cost", "time"):
            made.add_column(name, justify="right", no_wrap=True)
        for name in ("verdict", "right"):
            made.add_column(name, no_wrap=True)
        for outcome in outcomes:
            made.add_row(
                Text(outcome.run.task),
                Text(outcome.run.result or outcome.run.error or ""),
                Text("\n".join(outcome.agents) or "-"),
                f"{outcome.count('model')} model\n{outcome.count('tool')} tool",
                format_usd(outcome.run.cost),
                f"{outcome.seconds:.0f} s",
                outcome.verdict,
                Text("no", style="red") if outcome.faults else Text("yes", style="green"),
            )
            made.add_section()
        self.console.print()
        self.console.print(made)

    def summary(self, outcomes: Sequence[Outcome], seconds: float, hint: str) -> None:
        """The last lines: how many are right, and what a question costs."""
        right = sum(not outcome.faults for outcome in outcomes)
        read, written = (sum(figures) for figures in zip(*(each.tokens for each in outcomes), strict=True))
        calls = sum(outcome.count("model") for outcome in outcomes)
        self.console.print()
        line = Text(
            f"{right} of {len(outcomes)} right", style="bold green" if right == len(outcomes) else "bold red"
        )
        line.append(
            f" in {seconds:.0f} s: {calls} model calls, {read:,} tokens read and {written:,} written.",
            style="",
        )
        self.console.print(line)
        self.console.print(Text(_return_on_investment([outcome.run.cost for outcome in outcomes])))
        self.console.print(Text(hint, style="dim"))

    def _now(self, text: str) -> None:
        if self._status is not None:
            self._status.update(Text(f"{text} …", style="dim"))

    def _line(self, seconds: float, who: str, text: str, took: str, style: str = "") -> None:
        self._row(f"{seconds:5.1f}", who, text, took, style)

    def _row(self, mark: str, who: str, text: str, took: str, style: str) -> None:
        row = Table.grid(padding=(0, 2, 0, 0), expand=True)
        row.add_column(width=6, justify="right", style="dim" if mark != "✓" else style)
        row.add_column(width=_WHO, style="bold", no_wrap=True)
        row.add_column(ratio=1, style=style if mark != "✓" else "", overflow="fold")
        row.add_column(width=8, justify="right", style="dim", no_wrap=True)
        row.add_row(mark, who, Text(text), took)
        self.console.print(row)


def show_pull(bar: Progress, name: str) -> "_Pull":
    """A listener that moves the bar."""
    return _Pull(bar, name)


class _Pull:
    def __init__(self, bar: Progress, name: str) -> None:
        self._bar = bar
        self._task = bar.add_task(name, total=None)

    def __call__(self, progress: PullProgress) -> None:
        self._bar.update(self._task, completed=progress.done_bytes, total=progress.total_bytes)


def _said(who: str, text: str) -> str:
    """A message on a line. The retriever's facts are told by their titles."""
    if who == "retriever":
        titles = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
        facts = ["the shop's database"] if "# From the shop's database" in text else []
        return f"found: {'; '.join([*titles, *facts]) or 'nothing'}"
    line = " ".join(text.split())
    return line if len(line) <= _TEXT else f"{line[:_TEXT]}…"


def _call(action: object) -> str:
    assert isinstance(action, dict)
    call: JsonObject = action
    arguments = call["arguments"]
    assert isinstance(arguments, dict)
    inner = ", ".join(f"{name}={canonical_json(value)}" for name, value in arguments.items())
    return f"{call['tool']}({inner})"


def _return_on_investment(costs: Sequence[int]) -> str:
    """A comparison with people at `PERSON_USD` a question (guide, 5.1)."""
    each = sum(costs) / len(costs)
    saved = PERSON_USD * 1_000_000 - each
    text = f"A question costs {format_usd(round(each))} here and about ${PERSON_USD:.2f} with a person: "
    text += f"{format_usd(round(saved))} saved on each."
    return text if not each else f"{text} Return on investment: {saved / each:.0%}."
