"""`proctor runs`."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from cyclopts import App as Commands
from rich.text import Text

from proctor.app import Loaded, Proctor, load_settings
from proctor.cli._execution import Interrupted, carry_on, load_to_execute, stop_signals
from proctor.cli._live import Live, Silent
from proctor.cli._options import ConfigFile, Frozen, Json, Limit, this_user
from proctor.cli._output import (
    age,
    console,
    duration,
    fields,
    harmless,
    instant,
    one_line,
    print_json,
    print_table,
    put,
)
from proctor.cli._reading import reading, with_proctor
from proctor.cli._report import (
    MOODS,
    Report,
    print_interruption,
    print_outcome,
    print_reason,
    report_json,
    report_on,
    run_json,
    totals,
)
from proctor.cli._timeline import lines, print_lines
from proctor.core import format_usd
from proctor.runs import RecordedCall, Run, RunState

runs = Commands(name="runs", help="List, show, watch, resume and cancel runs.", help_format="plaintext")


@runs.command(name="list")
def list_runs(
    *,
    state: RunState | None = None,
    team: str | None = None,
    limit: Limit = 20,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """List the newest runs.

    Parameters
    ----------
    state
        Only runs in this state.
    team
        Only runs of this team.
    limit
        At most so many.
    """
    found = with_proctor(config, lambda proctor: proctor.runs.page(state=state, team=team, limit=limit))
    if json:
        print_json([run_json(run) for run in found])
    else:
        _print_list(found)


@runs.command
def show(id: str, /, *, config: ConfigFile = None, json: Json = False) -> None:
    """Show a run: its timeline, its answer, and what it took.

    Parameters
    ----------
    id
        The run's id, as `proctor runs list` shows it.
    """

    async def load(proctor: Proctor) -> tuple[Report, Sequence[RecordedCall]]:
        run = await proctor.runs.get(id)
        return await report_on(proctor, run), await proctor.runs.calls(id)

    report, calls = with_proctor(config, load)
    if json:
        events = [
            {"seq": event.seq, "at": event.at, "type": event.type, "agent": event.agent, "data": event.data}
            for event in report.events
        ]
        print_json(report_json(report) | {"events": events})
        return
    out, run = console(), report.run
    put(fields(_head(run)), out)
    out.print()
    print_lines(lines(report.events, calls), out, since=run.created_at)
    out.print()
    if run.state == "completed" and run.result is not None:
        out.print(Text("answer", style="dim"))
        out.print(Text(harmless(run.result)), soft_wrap=True)
        out.print()
    print_reason(report, out)
    out.print(totals(report))


@runs.command
def watch(id: str, /, *, config: ConfigFile = None) -> int:
    """Follow a run that another process executes, until it ends.

    Parameters
    ----------
    id
        The run's id.
    """
    return asyncio.run(_watch(id, load_settings(config)))


@runs.command
def resume(id: str, /, *, frozen: Frozen = False, config: ConfigFile = None, json: Json = False) -> int:
    """Go on with a run that failed, was queued, or lost its process.

    It goes on where it stood: no recorded call is made again. Where another process serves the database, that
    process takes it up, and you follow it.

    Parameters
    ----------
    id
        The run's id.
    """
    return asyncio.run(resumed(id, load_to_execute(config, frozen=frozen), json=json))


@runs.command
def cancel(id: str, /, *, config: ConfigFile = None, json: Json = False) -> None:
    """Stop a run for good.

    Parameters
    ----------
    id
        The run's id.
    """
    run = with_proctor(config, lambda proctor: proctor.runs.cancel(id, by=this_user()))
    if json:
        print_json(run_json(run))
    elif run.state == "cancelled":
        console().print(Text(f"Run {id} is cancelled."))
    else:
        console().print(Text(f"Run {id} is asked to stop; its process cancels the calls in progress."))


async def resumed(id: str, loaded: Loaded, *, json: bool) -> int:
    """The exit code of a run that goes on here, or in the process that serves the database."""
    view = Silent() if json else Live()
    async with reading(loaded) as proctor:
        run = await proctor.resume(id, by=this_user())
    try:
        await carry_on(run, loaded.settings, view)
    except Interrupted as stop:
        return print_interruption(id, stop)
    async with reading(loaded) as proctor:
        report = await report_on(proctor, await proctor.runs.get(id))
    if json:
        print_json(report_json(report))
    else:
        print_outcome(report, said=view.said)
    return report.exit_code


async def _watch(id: str, loaded: Loaded) -> int:
    view = Live()
    async with reading(loaded) as proctor:
        run = await proctor.runs.get(id)
        with stop_signals() as stopped:
            following = asyncio.create_task(view.follow(proctor.runs.watch(id), since=run.created_at))
            stopping = asyncio.create_task(stopped.wait())
            await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in (following, stopping):
                task.cancel()
            await asyncio.gather(following, stopping, return_exceptions=True)
        report = await report_on(proctor, await proctor.runs.get(id))
    if stopped.is_set():
        return print_interruption(id, Interrupted(elsewhere=True))
    print_outcome(report, said=view.said)
    return report.exit_code


def _head(run: Run) -> dict[str, str]:
    """What is known of a run beside its events, as far as that says something."""
    return {
        "run": run.id,
        "team": run.team + (f"  ({run.target})" if run.target else "") + "  in simple form" * run.simple,
        "tenant": run.tenant if run.tenant != "default" else "",
        "asked for by": run.requester,
        "thread": f"{run.thread_id}  (proctor threads show {run.thread_id})" if run.thread_id else "",
        "schedule": run.schedule_id or "",
        "priority": str(run.priority) if run.priority else "",
        "started": instant(run.created_at),
        "due": instant(run.due_at) if run.due_at and run.state == "queued" else "",
        "worker": run.worker or "",
        "attempts": str(run.attempt) if run.attempt > 1 else "",
        "failures": f"{run.failures} in a row" if run.failures else "",
        "task": run.task,
    }


def _print_list(found: Sequence[Run]) -> None:
    if not found:
        console().print("There are no such runs.")
        return
    now = datetime.now(UTC)
    rows = [
        (
            run.id,
            Text(run.state, style=MOODS.get(run.state, "")),
            run.team,
            age((now - run.created_at).total_seconds()),
            duration((run.finished_at - run.created_at).total_seconds()) if run.finished_at else "",
            format_usd(run.cost),
            one_line(run.task, 200),
        )
        for run in found
    ]
    columns = ("run", "state", "team", "age", "took", "cost", "task")
    print_table(console(), columns, rows, right=("age", "took", "cost"), overflow="ellipsis")
