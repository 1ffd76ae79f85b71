"""`proctor mcp`."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, TextIO, cast

import anyio
from rich.text import Text

from proctor.app import App, Proctor, Settings, load_app, load_settings, open_proctor
from proctor.cli._execution import (
    Interrupted,
    executing,
    frozen_in,
    place_to_serve,
    print_loose_packages,
    print_strange_teams,
    whole_place,
)
from proctor.cli._options import ConfigFile, Frozen
from proctor.cli._output import console
from proctor.runs import Share
from proctor.telemetry import set_up_logs

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes of a message."""


def mcp(*, app: str | None = None, frozen: Frozen = False, config: ConfigFile = None) -> None:
    """Give the teams to the MCP client that starts this, over standard input and output.

    It ends when the client closes its input. Runs that are at work then go on at the next start, or in
    another process that executes this database's runs.

    Parameters
    ----------
    app
        Where the teams are, as `module` or `file.py`; else the setting `app`.
    """
    answers = os.dup(1)
    # Whatever the teams, their tools and this program print: the client reads the protocol alone.
    os.dup2(2, 1)
    with open(answers, "w", encoding="utf-8") as out:  # noqa: PTH123 - it has no path
        settings = load_settings(config).settings
        settings = frozen_in(settings) if frozen else settings
        set_up_logs(settings.telemetry, "service")
        place = place_to_serve(app, settings)
        loaded = load_app(place)
        print_strange_teams(loaded, settings)
        print_loose_packages(settings)
        with suppress(Interrupted):
            asyncio.run(_serve(loaded, settings, whole_place(place), out))


async def _serve(app: App, settings: Settings, place: str, out: TextIO) -> None:
    share = Share(teams=frozenset(app.teams), place=place)
    async with open_proctor(app, settings=settings, target=place, share=share, executes=False) as proctor:
        await executing(proctor, _answer(proctor, out), note=_note)


async def _answer(proctor: Proctor, out: TextIO) -> None:
    from mcp.server.stdio import stdio_server

    from proctor.api import local_mcp

    server = local_mcp(proctor)
    async with (
        _requests() as lines,
        stdio_server(stdin=cast("anyio.AsyncFile[str]", lines), stdout=anyio.wrap_file(out)) as (read, write),
    ):
        await server.run(read, write, server.create_initialization_options())


@asynccontextmanager
async def _requests() -> AsyncIterator[Any]:
    """The lines of standard input. What this process starts reads none of them.

    The SDK's own reader is a thread that nothing can end, so that SIGTERM would find no end either.
    """
    lines = asyncio.StreamReader(limit=LONGEST_LINE)
    with open(os.dup(0), "rb") as pipe, open(os.devnull, "rb") as nothing:  # noqa: PTH123, ASYNC230 - neither blocks
        os.dup2(nothing.fileno(), 0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), pipe
        )
        try:
            yield lines
        finally:
            transport.close()


def _note(text: str) -> None:
    console(stderr=True).print(Text(text), soft_wrap=True)
