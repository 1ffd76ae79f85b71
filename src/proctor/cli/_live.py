"""A run as it goes: its events line by line, and on a terminal the words while they are written."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

from rich.text import Text

from proctor.cli._output import console, harmless
from proctor.cli._timeline import LONGEST, Timeline, print_lines
from proctor.core import Event, Token


class View(Protocol):
    """Follows a run."""

    async def follow(self, items: AsyncIterator[Event | Token], *, since: datetime) -> None:
        """Returns when the run's items end. Times are counted from `since`."""

    def note(self, text: str) -> None:
        """Tells the person something that is no event."""

    @property
    def said(self) -> str:
        """The last message, where the person has the whole of it on the screen."""


class Silent:
    """Shows nothing: for programs, which read the result."""

    said = ""

    async def follow(self, items: AsyncIterator[Event | Token], *, since: datetime) -> None:  # noqa: ARG002 - the
        # protocol's word: nothing is timed here
        """Waits for the end."""
        async for _ in items:
            pass

    def note(self, text: str) -> None:
        """Drops it."""


class Live:
    """Shows a run on standard error, so that standard output holds the answer alone."""

    def __init__(self) -> None:
        self._console = console(stderr=True)
        self._timeline = Timeline()
        self._line_open = False
        self._writer, self._written = "", ""
        """The agent that wrote last, and its words, all of them on the screen."""
        self.said = ""

    async def follow(self, items: AsyncIterator[Event | Token], *, since: datetime) -> None:
        """Shows what comes until the run ends."""
        async for item in items:
            match item:
                case Token() if item.text:
                    self._write(item)
                case Event():
                    self._show(item, since)
        self._end_writing()

    def note(self, text: str) -> None:
        """Shows a line."""
        self._end_writing()
        self._console.print(Text(text, style="dim"))

    def _write(self, token: Token) -> None:
        if not self._console.is_terminal:
            return
        if not self._line_open or token.agent != self._writer:
            self._end_writing()
            self._console.print(Text(f"{token.agent} writes ", style="cyan"), end="")
            self._line_open = True
            self._writer, self._written = token.agent, ""
        self._written += token.text
        self._console.print(Text(harmless(token.text)), end="", soft_wrap=True)

    def _end_writing(self) -> None:
        if self._line_open:
            self._console.print()
            self._line_open = False

    def _show(self, event: Event, since: datetime) -> None:
        self._end_writing()
        line = self._timeline.line(event)
        if event.type == "message":
            text = str(event.data["text"])
            self.said = text if self._console.is_terminal and len(text) <= LONGEST else ""
            written, self._writer = (self._writer, self._written.strip()), ""
            if written == (event.agent, text.strip()):
                return
        if line is not None:
            print_lines([line], self._console, since=since)
