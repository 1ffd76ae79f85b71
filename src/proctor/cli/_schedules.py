"""`proctor schedules`."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import App as Commands
from cyclopts import Parameter
from rich.text import Text

from proctor.app import load_app, load_settings, open_proctor, split_target
from proctor.cli._execution import whole_place
from proctor.cli._options import ConfigFile, Json, Limit, this_user
from proctor.cli._output import age, console, fields, instant, one_line, print_json, print_table, put
from proctor.cli._reading import with_proctor
from proctor.cli._run import read_task
from proctor.schedules import OVERDUE, Schedule, due_times

schedules = Commands(name="schedules", help="Run teams by the clock.", help_format="plaintext")

COMING = 3
"""Due times that `show` tells."""


@schedules.command
def add(
    name: str,
    target: str,
    text: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    cron: str,
    zone: str = "UTC",
    tenant: str = "default",
    priority: int = 0,
    by: str | None = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Run a team by the clock: once for each due time, by whatever process serves its application then.

    Times that were missed, because no such process was there, are caught up by one run.

    Parameters
    ----------
    name
        What the schedule is called.
    target
        The team, as `module:team` or `file.py:team`.
    text
        What the team is to do; `-` or nothing reads it from standard input.
    cron
        Minute, hour, day of the month, month and weekday: "0 8 * * MON-FRI".
    zone
        The time zone of these, as Europe/Berlin.
    tenant
        Whose the runs are.
    priority
        The greater, the sooner its runs are taken up.
    by
        Who asks for the runs; else the user of this machine.
    """
    place, team = split_target(target)
    task = read_task(text)
    settings = load_settings(config).settings
    app = load_app(place)

    async def work() -> Schedule:
        whole = f"{whole_place(place)}:{team}"
        async with open_proctor(app, settings=settings, target=whole, executes=False) as proctor:
            return await proctor.schedules.add(
                name,
                team,
                task,
                cron=cron,
                zone=zone,
                tenant=tenant,
                priority=priority,
                requester=this_user() if by is None else by,
                by=this_user(),
            )

    _tell(asyncio.run(work()), json=json)


@schedules.command(name="list")
def list_schedules(
    *, after: str = "", limit: Limit = 50, config: ConfigFile = None, json: Json = False
) -> None:
    """List the schedules by name.

    Parameters
    ----------
    after
        Only those behind this name.
    limit
        At most so many.
    """
    found = with_proctor(config, lambda proctor: proctor.schedules.page(after=after, limit=limit))
    if json:
        print_json([_summary(schedule) for schedule in found])
        return
    if not found:
        console().print("There are no schedules.")
        return
    now = datetime.now(UTC)
    rows = [
        (
            schedule.name,
            _next(schedule),
            schedule.cron,
            schedule.zone,
            schedule.team,
            f"{age((now - schedule.last_at).total_seconds())} ago" if schedule.last_at else "",
            one_line(schedule.task, 200),
        )
        for schedule in found
    ]
    columns = ("schedule", "next", "cron", "zone", "team", "last", "task")
    print_table(console(), columns, rows, right=("last",), overflow="ellipsis")


@schedules.command
def show(name: str, /, *, config: ConfigFile = None, json: Json = False) -> None:
    """Show a schedule, when it is due next, and its last run.

    Parameters
    ----------
    name
        The schedule's name.
    """
    schedule = with_proctor(config, lambda proctor: proctor.schedules.get(name))
    coming: tuple[datetime, ...] = ()
    if schedule.next_at is not None:
        later = max(schedule.next_at, datetime.now(UTC))
        coming = (schedule.next_at, *due_times(schedule.cron, schedule.zone, later, COMING - 1))
    if json:
        print_json(_summary(schedule) | {"coming": coming})
        return
    put(
        fields(
            {
                "schedule": schedule.name,
                "team": schedule.team + (f"  ({schedule.target})" if schedule.target else ""),
                "tenant": schedule.tenant if schedule.tenant != "default" else "",
                "priority": str(schedule.priority) if schedule.priority else "",
                "due": f"{schedule.cron}  ({schedule.zone})",
                "next": Text("\n").join(Text(instant(at)) for at in coming) if coming else _next(schedule),
                "last": instant(schedule.last_at) if schedule.last_at else "",
                "last run": f"{schedule.last_run_id}  (proctor runs show {schedule.last_run_id})"
                if schedule.last_run_id
                else "",
                "added": instant(schedule.created_at)
                + (f" by {schedule.requester}" * bool(schedule.requester)),
                "task": schedule.task,
            }
        ),
        console(),
    )


@schedules.command
def pause(name: str, /, *, config: ConfigFile = None, json: Json = False) -> None:
    """Stop a schedule for a while. What is due meanwhile is left out, and not caught up.

    Parameters
    ----------
    name
        The schedule's name.
    """
    _tell(with_proctor(config, lambda proctor: proctor.schedules.pause(name, by=this_user())), json=json)


@schedules.command
def resume(name: str, /, *, config: ConfigFile = None, json: Json = False) -> None:
    """Let a paused schedule go on, with its next due time.

    Parameters
    ----------
    name
        The schedule's name.
    """
    _tell(with_proctor(config, lambda proctor: proctor.schedules.resume(name, by=this_user())), json=json)


@schedules.command
def remove(name: str, /, *, config: ConfigFile = None, json: Json = False) -> None:
    """Remove a schedule. Its runs stay.

    Parameters
    ----------
    name
        The schedule's name.
    """
    schedule = with_proctor(config, lambda proctor: proctor.schedules.remove(name, by=this_user()))
    if json:
        print_json(_summary(schedule))
    else:
        console().print(Text(f"Schedule {schedule.name} is removed."))


@schedules.command(name="run-now")
def run_now(name: str, /, *, by: str | None = None, config: ConfigFile = None, json: Json = False) -> None:
    """Queue a run of a schedule at once, also of a paused one. Its due times stay as they are.

    Parameters
    ----------
    name
        The schedule's name.
    by
        Who asks for the run; else the user of this machine.
    """
    user = this_user()
    requester = user if by is None else by
    run = with_proctor(config, lambda proctor: proctor.schedules.run_now(name, requester=requester, by=user))
    if json:
        print_json({"id": run.id, "state": run.state})
    else:
        console().print(Text(run.id))


def _tell(schedule: Schedule, *, json: bool) -> None:
    if json:
        print_json(_summary(schedule))
    elif schedule.next_at is None:
        console().print(Text(f"Schedule {schedule.name} is paused."))
    else:
        console().print(Text(f"Schedule {schedule.name} is due next at {instant(schedule.next_at)}."))


def _next(schedule: Schedule) -> Text:
    if schedule.next_at is None:
        return Text("paused", style="yellow")
    late = datetime.now(UTC) - schedule.next_at
    if late < OVERDUE:
        return Text(instant(schedule.next_at))
    return Text(f"overdue {age(late.total_seconds())}", style="red")


def _summary(schedule: Schedule) -> dict[str, object]:
    return {
        "id": schedule.id,
        "name": schedule.name,
        "team": schedule.team,
        "target": schedule.target,
        "tenant": schedule.tenant,
        "task": schedule.task,
        "cron": schedule.cron,
        "zone": schedule.zone,
        "priority": schedule.priority,
        "requester": schedule.requester,
        "created_at": schedule.created_at,
        "next_at": schedule.next_at,
        "last_at": schedule.last_at,
        "last_run_id": schedule.last_run_id,
    }
