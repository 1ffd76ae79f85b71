"""`proctor run`."""

import asyncio
import os
import re
import sys
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from proctor.app import App, Settings, load_app, load_settings, open_proctor, split_target
from proctor.cli._execution import Interrupted, follow, whole_place
from proctor.cli._live import Live, Silent
from proctor.cli._options import ConfigFile, Json
from proctor.cli._output import console, print_json
from proctor.cli._report import print_interruption, print_outcome, report_json, report_on
from proctor.core import InvalidInput
from proctor.policies import read_text

LIKE_AN_OPTION = re.compile(r"--?[a-z][a-z-]*")


def run(
    target: str,
    text: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    detach: Annotated[bool, Parameter(negative="")] = False,
    tenant: str = "default",
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
    tenant
        Whose run it is.
    """
    place, team = split_target(target)
    task = _read(text)
    settings = load_settings(config).settings
    app = load_app(place)
    whole = f"{whole_place(place)}:{team}"
    return asyncio.run(_run(app, settings, whole, team, task, tenant=tenant, detach=detach, json=json))


async def _run(
    app: App, settings: Settings, target: str, team: str, task: str, *, tenant: str, detach: bool, json: bool
) -> int:
    view = Silent() if json else Live()
    async with open_proctor(app, settings=settings, target=target, executes=False) as proctor:
        started = await proctor.start(team, task, tenant=tenant)
        try:
            run = started if detach else await follow(proctor, started, view)
        except Interrupted as stop:
            return print_interruption(started.id, stop)
        report = await report_on(proctor, run)
    if json:
        print_json(report_json(report))
    elif run.state == "queued":
        console().print(Text(run.id))
    else:
        print_outcome(report, said=view.said)
    return report.exit_code


def _read(text: str | None) -> str:
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
