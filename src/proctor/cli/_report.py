"""What a run came to: its answer, what it took, and what is to be done where it didn't end."""

import logging
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from proctor.app import Proctor
from proctor.approvals import Approval, of_run
from proctor.cli._execution import Interrupted
from proctor.cli._output import console, duration, harmless, instant
from proctor.cli._timeline import asked
from proctor.core import Event, format_usd
from proctor.runs import Run, RunState

log = logging.getLogger("proctor.runs")

EXIT_CODES: dict[RunState, int] = {"completed": 0, "waiting": 2, "refused": 3, "failed": 1, "cancelled": 1}
MOODS: dict[RunState, str] = {
    "completed": "green",
    "waiting": "yellow",
    "refused": "red",
    "failed": "red",
    "cancelled": "yellow",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run with its log and its open questions."""

    run: Run
    events: tuple[Event, ...]
    asks: tuple[Approval, ...]
    """What it waits for."""

    @property
    def exit_code(self) -> int:
        """What the process says of the run; a run that goes on is no failure."""
        return EXIT_CODES.get(self.run.state, 0)

    def total(self, key: str, *, of: str = "model.called") -> int:
        """The sum of a figure of the run's calls."""
        return sum(int(str(event.data[key])) for event in self.events if event.type == of)

    def count(self, type: str) -> int:
        """How many events of a type there are."""
        return sum(event.type == type for event in self.events)

    @property
    def seconds(self) -> float:
        """From the start to the end, or until now."""
        return ((self.run.finished_at or datetime.now(UTC)) - self.run.created_at).total_seconds()


async def report_on(proctor: Proctor, run: Run) -> Report:
    """The report on a run."""
    events = await proctor.runs.events(run.id)
    approvals = await proctor.database.read(lambda connection: of_run(connection, run.id))
    asks = tuple(approval for approval in approvals if approval.state == "pending")
    return Report(run=run, events=events, asks=asks)


def run_json(run: Run) -> dict[str, Any]:
    """A run for programs."""
    return {
        "id": run.id,
        "team": run.team,
        "target": run.target,
        "simple": run.simple,
        "tenant": run.tenant,
        "requester": run.requester,
        "thread": run.thread_id,
        "schedule": run.schedule_id,
        "state": run.state,
        "priority": run.priority,
        "due_at": run.due_at,
        "worker": run.worker,
        "attempt": run.attempt,
        "failures": run.failures,
        "task": run.task,
        "result": run.result,
        "error": {"code": run.error_code, "message": run.error} if run.error_code else None,
        "cost_micros": run.cost,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
    }


def report_json(report: Report) -> dict[str, Any]:
    """The report for programs."""
    return run_json(report.run) | {
        "model_calls": report.count("model.called"),
        "tool_calls": report.count("tool.called"),
        "input_tokens": report.total("input"),
        "output_tokens": report.total("output"),
        "seconds": round(report.seconds, 3),
        "waits_for": [approval_json(approval) for approval in report.asks],
    }


def approval_json(approval: Approval) -> dict[str, Any]:
    """An approval for programs."""
    question, decision = approval.question, approval.decision
    return {
        "id": approval.id,
        "run": approval.run_id,
        "team": approval.team,
        "agent": approval.agent,
        "kind": question.kind,
        "role": question.role,
        "text": question.text,
        "action": question.action,
        "state": approval.state,
        "decision": decision
        and {
            "kind": decision.kind,
            "comment": decision.comment,
            "by": decision.by,
            "arguments": decision.arguments,
        },
        "requested_at": approval.requested_at,
        "decided_at": approval.decided_at,
        **_terms_json(approval),
    }


def _terms_json(approval: Approval) -> dict[str, Any]:
    terms = approval.question.terms
    return {
        "digest": approval.digest,
        "edited": approval.edited,
        "rule": terms.rule,
        "risk": terms.risk,
        "labels": terms.labels,
        "roles": approval.roles,
        "not": approval.barred,
        "quorum": approval.quorum,
        "stage": approval.stage,
        "votes": [
            {"by": vote.by, "kind": vote.kind, "stage": vote.stage, "comment": vote.comment, "at": vote.at}
            for vote in approval.votes
        ],
        "delegations": [{"by": given.by, "to": given.to, "at": given.at} for given in approval.delegations],
        "requester": approval.requester,
        "thread": approval.thread_id,
        "expires_at": approval.expires_at,
        "on_expiry": terms.on_expiry,
        "editable": terms.editable,
        "conversation": approval.conversation,
    }


def print_outcome(report: Report, *, said: str = "") -> None:
    """Prints the answer on standard output, and what it took and what is to be done on standard error.

    `said` is what the person has read just before: an answer that is the same is not shown twice.
    """
    out, err = console(), console(stderr=True)
    run = report.run
    if run.result is not None and run.state == "completed" and not (out.is_terminal and run.result == said):
        if err.is_terminal:
            err.print()
        out.print(Text(harmless(run.result) if out.is_terminal else run.result), soft_wrap=True)
    err.print()
    print_reason(report, err)
    err.print(totals(report))


def print_interruption(run_id: str, stop: Interrupted) -> int:
    """Prints how the run goes on; gives the exit code."""
    how = "It goes on in the other process; to follow it" if stop.elsewhere else "It is not lost; to go on"
    console(stderr=True).print(
        Text(f"\nStopped. {how}: proctor runs {'watch' if stop.elsewhere else 'resume'} {run_id}")
    )
    return 128 + signal.SIGINT


def print_reason(report: Report, to: Console) -> None:
    """Prints why a run is not completed, and what a person can do about it."""
    run = report.run
    if run.state == "refused":
        # What was held back on its way out says so itself.
        what = "" if report.count("output.reviewed") else "The policy refused the text. "
        to.print(Text(harmless(f"{what}{run.result or ''}".strip()), style="red"))
    elif run.state == "failed":
        to.print(Text(f"{run.error}", style="red"))
        to.print(Text(f"When that is mended: proctor runs resume {run.id}"))
    elif run.state == "queued":
        due = f", and due at {instant(run.due_at)}" if run.due_at else ""
        to.print(Text(f"Queued{due}. To execute it here: proctor runs resume {run.id}"))
    elif run.state == "waiting":
        print_questions(report.asks, to)


def print_questions(asks: Sequence[Approval], to: Console) -> None:
    """Prints what a run waits for and how to decide it."""
    for approval in asks:
        question = approval.question
        who = f" ({question.role})" if question.role else ""
        to.print(Text(f"Waits for a person{who}: {question.text}", style="yellow"))
        if question.kind == "uncertain":
            to.print(Padding(Text(asked(question.action)), (0, 0, 0, 2)))
        answers = f"--approve | {_edit(approval)}--reject | --respond TEXT"
        to.print(Text(f"  proctor approvals decide {approval.id} {answers}"), soft_wrap=True)


def _edit(approval: Approval) -> str:
    """How the action may be changed, where it may be."""
    if approval.question.terms.editable is None or approval.stage > 1:
        return ""
    return "--answer TEXT | " if approval.question.kind == "output" else "--edit JSON | "


def totals(report: Report) -> Text:
    """A line on what the run took."""
    run, models, tools = report.run, report.count("model.called"), report.count("tool.called")
    parts = [f" after {duration(report.seconds)}"]
    if models:
        tokens = f"{report.total('input')}→{report.total('output')} tok"
        parts.append(f"{models} model call{'s' * (models != 1)} ({tokens})")
    if tools:
        parts.append(f"{tools} tool call{'s' * (tools != 1)}")
    parts.append(format_usd(run.cost))
    return Text.assemble((run.state, f"bold {MOODS.get(run.state, '')}"), "  ·  ".join(parts))


def tell(out: Console, run: Run) -> None:
    """Tells of a segment's end."""
    seconds = ((run.finished_at or datetime.now(UTC)) - run.created_at).total_seconds()
    more = f": {run.error_code}" if run.error_code else ""  # its text may quote what the run is about
    text = f"{run.team}, {duration(seconds)}, {format_usd(run.cost)}{more}"
    now = datetime.now(UTC).astimezone()
    style = MOODS.get(run.state, "")
    line = Text.assemble(f"{now:%H:%M:%S}  {run.id}  ", (f"{run.state:9}", style), f"  {text}")
    out.print(line, soft_wrap=True)


def log_segment(run: Run) -> None:
    """Logs a segment's end."""
    seconds = ((run.finished_at or datetime.now(UTC)) - run.created_at).total_seconds()
    about = {
        "state": run.state,
        "seconds": round(seconds, 3),
        "cost_micros": run.cost,
        "attempt": run.attempt,
    }
    failed = {"code": run.error_code} if run.error_code else {}
    log.info("the run is %s", run.state, extra={"proctor": about | failed})
