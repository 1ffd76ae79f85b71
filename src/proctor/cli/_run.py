"""`proctor run`."""

import asyncio
import os
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from proctor.app import (
    App,
    Proctor,
    Settings,
    StartOptions,
    load_app,
    load_settings,
    open_proctor,
    split_target,
)
from proctor.cli._execution import Interrupted, follow, frozen_in, print_loose_packages, whole_place
from proctor.cli._live import Live, Silent, View
from proctor.cli._options import ConfigFile, Frozen, Json, read_duration, this_user
from proctor.cli._output import console, print_json
from proctor.cli._report import print_interruption, print_outcome, report_json, report_on
from proctor.core import InvalidInput
from proctor.policies import read_text
from proctor.runs import Run
from proctor.telemetry import set_up_logs
from proctor.tools import check_packages

NEW_THREAD = "new"
LIKE_AN_OPTION = re.compile(r"--?[a-z][a-z-]*")


def run(
    target: str,
    text: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    detach: Annotated[bool, Parameter(negative="")] = False,
    patient: Annotated[bool, Parameter(negative="")] = False,
    at: str | None = None,
    in_: Annotated[str | None, Parameter(name="--in")] = None,
    priority: int = 0,
    tenant: str = "default",
    by: str | None = None,
    subject: str = "",
    thread: str | None = None,
    frozen: Frozen = False,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Run a team on a text and follow it.

    The timeline goes to standard error and the answer to standard output. Ctrl-C doesn't lose the run: it
    stops at its next call and goes on with `proctor runs resume`.

    Exit code: 0 completed, 1 failed or cancelled, 2 waits for a person, 3 refused by policy.

    Parameters
    ----------
    target
        The team, as `module:team` or `file.py:team`.
    text
        What the team is to do; `-` or nothing reads it from standard input.
    detach
        Only queue the run, for `proctor serve` or a later `proctor runs resume`.
    patient
        Only queue it, and let its model calls take the provider's cheaper way, which may take hours.
    at
        Queue it, and begin not before this time: 2026-12-01T08:00+01:00, or without the zone in your own.
    in_
        Queue it, and begin after so long: 90s, 30min, 2h, 1d12h.
    priority
        The greater, the sooner it is taken up; 0 is usual.
    tenant
        Whose run it is.
    by
        Who asks for it; else the user of this machine.
    subject
        The person whom it is about, for consent, exports and erasure.
    thread
        The conversation that the text belongs to; `new` opens one.
    """
    place, team = split_target(target)
    task = read_task(text)
    settings = load_settings(config).settings
    settings = frozen_in(settings) if frozen else settings
    set_up_logs(settings.telemetry, "terminal")
    check_packages(settings.tools, settings.trust)
    app = load_app(place)
    if not json:
        print_loose_packages(settings)
    whole = f"{whole_place(place)}:{team}"
    user = this_user()
    options = StartOptions(tenant=tenant, priority=priority, requester=user if by is None else by, by=user)
    begins = read_time(at, in_, datetime.now(UTC).astimezone())
    if begins is not None:
        options["at"] = begins
    if thread is not None:
        options["thread"] = thread
    if subject:
        options["subject"] = subject
    if patient:
        options["pace"] = "patient"
    detach = detach or patient
    return asyncio.run(_run(app, settings, whole, team, task, options=options, detach=detach, json=json))


async def _run(
    app: App,
    settings: Settings,
    target: str,
    team: str,
    task: str,
    *,
    options: StartOptions,
    detach: bool,
    json: bool,
) -> int:
    view = Silent() if json else Live()
    async with open_proctor(app, settings=settings, target=target, executes=False) as proctor:
        if options.get("thread") == NEW_THREAD:
            options["thread"] = (await proctor.open_thread(team, tenant=options["tenant"])).id
        started = await proctor.start(team, task, **options)
        if started.thread_id is not None:
            await _note_thread(proctor, started, view)
        queued = detach or started.due_at is not None
        try:
            run = started if queued else await follow(proctor, started, view)
        except Interrupted as stop:
            return print_interruption(started.id, stop)
        report = await report_on(proctor, replace(run, result=await proctor.answer(run)))
    if json:
        print_json(report_json(report))
    elif run.state == "queued":
        console().print(Text(run.id))
    else:
        print_outcome(report, said=view.said)
    return report.exit_code


async def _note_thread(proctor: Proctor, run: Run, view: View) -> None:
    """Tells how the conversation goes on, and what it waits for."""
    view.note(f"To go on with this conversation: --thread {run.thread_id}")
    for earlier in await proctor.threads.before(run.id):
        what = "waits for a person" if earlier.state == "waiting" else f"is {earlier.state}"
        view.note(f"Run {earlier.id} of it {what}; this one begins when that one has ended.")


def read_task(text: str | None) -> str:
    """The text of the argument or of standard input.

    Raises:
        InvalidInput: there is none, or it is no UTF-8.
    """
    if text is None or text == "-":
        if text is None and sys.stdin.isatty():
            raise InvalidInput("There is no text.", hint="Give it as an argument, or pipe it in.")
        text = read_text(sys.stdin.buffer.read()).removesuffix("\n")
    elif LIKE_AN_OPTION.fullmatch(text):
        raise InvalidInput(
            f"There is no option {text}.", hint="A text of that form goes through standard input."
        )
    else:
        text = read_text(os.fsencode(text))
    if not text.strip():
        raise InvalidInput("The text is empty.", hint="Say what the team is to do.")
    return text


def read_time(at: str | None, after: str | None, now: datetime) -> datetime | None:
    """The instant that `--at` or `--in` names; nothing where neither is given.

    Raises:
        InvalidInput: it can't be read, or both are given.
    """
    if at is not None and after is not None:
        raise InvalidInput("--at and --in say the same thing.", hint="Give one of them.")
    if after is not None:
        return (now + read_duration(after)).astimezone(UTC)
    try:
        return None if at is None else datetime.fromisoformat(at).astimezone(UTC)
    except (ValueError, OverflowError):
        hint = "Write a time as 2026-12-01T08:00+01:00."
        raise InvalidInput(f"{at!r} is no time.", hint=hint) from None
