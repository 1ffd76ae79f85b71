"""`proctor tools`."""

import asyncio
import sys
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from cyclopts import App as Commands
from cyclopts import Parameter
from rich.text import Text

from proctor.cli._checks import print_findings
from proctor.cli._options import ConfigFile, Json, WrongCall, this_user
from proctor.cli._output import console, print_json
from proctor.cli._reading import with_proctor
from proctor.cli._survey import Source, Survey, Surveyed, survey
from proctor.cli._tool_checks import about_packages, about_tools
from proctor.cli._tools_report import (
    against,
    difference_json,
    failures_json,
    print_differences,
    print_failures,
    print_tools,
    print_whole_tools,
    tool_json,
)
from proctor.tools import accept

From = Annotated[
    Source,
    Parameter(
        name="--from", help="servers: start them and ask. workers: what those saw last; nothing is started."
    ),
]

tools = Commands(
    name="tools",
    help="See what tools say of themselves, and accept what has changed.",
    help_format="plaintext",
)


@tools.command(name="list")
def list_tools(
    name: str = "", /, *, source: From = "servers", config: ConfigFile = None, json: Json = False
) -> int:
    """List the tools of all servers: whether they are as they were pinned, and what holds for them.

    Exit code 1 where a server doesn't tell its tools.

    Parameters
    ----------
    name
        Only those of this server, or this `SERVER.TOOL`.
    """
    return _print(asyncio.run(survey(config, name, source=source)), print_tools, json=json)


@tools.command
def show(name: str, /, *, source: From = "servers", config: ConfigFile = None, json: Json = False) -> int:
    """Show all that a tool says of itself, and what holds for it.

    Exit code 1 where a server doesn't tell its tools.

    Parameters
    ----------
    name
        `SERVER.TOOL`, or a server for all of its tools.
    """
    return _print(asyncio.run(survey(config, name, source=source)), print_whole_tools, json=json)


@tools.command
def diff(
    name: str = "", /, *, source: From = "servers", config: ConfigFile = None, json: Json = False
) -> int:
    """Show how tools differ from what was pinned. What nobody would see is spelt out, as <U+200B>.

    Exit code 1 where something waits for a person, or a server doesn't tell its tools.

    Parameters
    ----------
    name
        Only this server, or this `SERVER.TOOL`.
    """
    found = asyncio.run(survey(config, name, source=source))
    waiting = found.waiting()
    differing = [*waiting, *found.gone()]
    suspected = against(found, waiting)
    if json:
        print_json([*(difference_json(tool, suspected) for tool in differing), *failures_json(found)])
    else:
        print_differences(differing, suspected)
        if not differing and not found.failures:
            console().print("All tools are as they were pinned." if found.tools else found.nothing)
        print_failures(found)
    return int(bool(waiting or found.failures))


@tools.command
def pin(
    name: str = "",
    /,
    *,
    yes: Annotated[bool, Parameter(negative="")] = False,
    by: str | None = None,
    source: From = "servers",
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Accept tools as they are now. Workers that run call them again within seconds.

    First shows how they differ from what was pinned before, and asks.

    Parameters
    ----------
    name
        Only this server, or this `SERVER.TOOL`; else all.
    yes
        Don't ask.
    by
        Who accepts them; else the user of this machine.
    """
    if not yes and (json or not sys.stdin.isatty()):
        raise WrongCall("Nobody can be asked here.", hint="Look at `proctor tools diff`, then add --yes.")
    found = asyncio.run(survey(config, name, source=source))
    waiting = found.waiting()
    if not json:
        print_differences(waiting, against(found, waiting))
        print_failures(found)
    if waiting and not yes and not _agrees(waiting):
        console().print("Nothing was pinned.")
        return 1
    who = this_user() if by is None else by
    forms = {(tool.server, tool.tool): form for tool in waiting if (form := tool.present)}
    if forms:
        job = partial(accept, forms=forms, by=who, at=datetime.now(UTC))
        with_proctor(config, lambda proctor: proctor.database.commit(job))
    if json:
        pinned = [
            {"server": server, "tool": tool, "digest": form.digest, "by": who}
            for (server, tool), form in forms.items()
        ]
        print_json([*pinned, *failures_json(found)])
    elif forms:
        console().print(Text(f"{_count(forms)} pinned."))
    elif not found.failures:
        console().print("Nothing is to be pinned." if found.tools else found.nothing)
    return int(bool(found.failures))


@tools.command
def check(*, source: From = "servers", config: ConfigFile = None, json: Json = False) -> int:
    """Check what tools say and how their servers are started. Exit code 1 where something speaks against one.

    That is: changed tools, packages without a fixed version, hidden characters and orders to the model in
    descriptions, tools that run commands, names that can be taken for each other.
    """
    found = asyncio.run(survey(config, source=source))
    findings = [*about_packages(found.settings, state="broken"), *about_tools(found)]
    return print_findings(findings, json=json)


def _print(found: Survey, show_tools: Callable[[Survey], None], *, json: bool) -> int:
    if json:
        print_json([*(tool_json(tool, found) for tool in found.tools), *failures_json(found)])
    else:
        if found.tools:
            show_tools(found)
        elif not found.failures:
            console().print(found.nothing)
        print_failures(found)
    return int(bool(found.failures))


def _agrees(waiting: Sequence[Surveyed]) -> bool:
    question = Text(f"Accept {_count(waiting)} as shown? [y/N] ")  # a plain text would be read as markup
    return console().input(question).strip().lower() in ("y", "yes")


def _count(tools: Collection[object]) -> str:
    return f"{len(tools)} tool{'s' * (len(tools) != 1)}"
