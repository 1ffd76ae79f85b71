"""A tool server as the application holds it: started when needed, shared by all runs, started again."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from proctor.core import (
    Clock,
    ProctorError,
    ToolCall,
    ToolResult,
    ToolServerSettings,
    ToolServerUnavailable,
    ToolSpec,
)
from proctor.tools._asks import Asks
from proctor.tools._listing import Listing
from proctor.tools._pins import Pins
from proctor.tools._refusals import refuse

if TYPE_CHECKING:
    from proctor.tools._session import Session

_FIRST_WAIT = timedelta(seconds=0.5)
_LONGEST_WAIT = timedelta(seconds=30)


class ToolServer:
    """One MCP server. Each method may be called from any task, and a cancelled caller harms no other.

    A server that ends is started again by the next call; once it has failed twice without answering a call in
    between, calls are refused for a while that doubles with each further failure.
    """

    def __init__(
        self,
        name: str,
        settings: ToolServerSettings,
        clock: Clock,
        *,
        pins: Pins | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.name = name
        self._pins = pins
        self._settings = settings
        self._environ = environ
        self._clock = clock
        self._listing = Listing(name, settings)
        self._session: Session | None = None
        self._closed = False
        self._failures = 0
        self._failure: ProctorError | None = None
        self._not_before = clock.now()

    async def start(self) -> None:
        """Returns when the server is ready.

        Raises:
            ToolServerUnavailable: it didn't start within `start_timeout`, with what is known about why.
            ConfigurationError: it doesn't offer what `allow` or `effects` name.
        """
        await self._running()

    async def close(self) -> None:
        """Ends the server for good; returns when no task and no process of it is left."""
        self._closed = True
        if self._session is not None:
            self._session.stop()
            await asyncio.wait({self._session.task})

    async def list_tools(self) -> tuple[ToolSpec, ...]:
        """The tools that may be shown, read anew only after a restart or a change that the server tells of.

        Raises:
            ToolError: as for `start`, or the list can't be read.
        """
        from proctor.tools._session import SessionForgotten

        try:
            specs = await (await self._running()).specs()
        except SessionForgotten:
            specs = await (await self._running()).specs()
        return specs if self._pins is None else self._pins.offered(specs)

    def withholds(self, tool: str) -> bool:
        """Whether it offers a tool that isn't shown because nobody has pinned it."""
        return self._pins is not None and self._pins.withholds(self.name, tool)

    async def call(self, call: ToolCall, asks: Asks | None = None) -> ToolResult:
        """The server's answer, or a refusal where the configuration doesn't allow the tool.

        `asks` answers what the server asks for meanwhile; without it such requests are declined.

        Raises:
            ToolServerUnavailable: no answer came, and the tool may have acted. Where its server has ended and
                repeating the call is harmless it is made once more.
            ConfigurationError: as for `start`.
            StaleAttempt: another attempt has taken the run over while the server started.
        """
        if not self._listing.allows(call.tool.name):
            return refuse(call, "allow", f"The tool {call.tool.name!r} of {self.name!r} is not allowed here.")
        from proctor.tools._session import SessionForgotten, SessionLost

        try:
            result = await self._answer(call, asks)
        except SessionForgotten:
            result = await self._answer(call, asks)
        except SessionLost as lost:
            if call.tool.effect == "consequential":
                raise ToolServerUnavailable(lost.message, hint=lost.hint) from lost
            result = await self._answer(call, asks)
        self._failures = 0
        return result

    async def _answer(self, call: ToolCall, asks: Asks | None) -> ToolResult:
        session = await self._running_for(call)
        # The server may have started, or have told of a change, since the chain looked.
        refused = None if self._pins is None else self._pins.refusal(call)
        return refused or await session.call(call, asks)

    async def _running_for(self, call: ToolCall) -> "Session":
        """The session; after a wait for it, only where the call may still act.

        A server takes long to start, and another worker may have taken the run over meanwhile.
        """
        if self._session is not None and self._session.ready:
            return self._session
        session = await self._running()
        await session.settled()
        if call.tool.effect != "read_only":
            await call.scope.begin()
        return session

    async def _running(self) -> "Session":
        while True:
            session = self._session or self._launch()
            if not session.ending:
                await session.started()
                return session
            # The old process may hold a port or a file that the new one needs.
            await asyncio.wait({session.task})

    def _launch(self) -> "Session":
        # Here because the SDK takes a second to import, which programs without a tool server needn't pay.
        from proctor.tools._session import Session

        if self._closed:
            raise ToolServerUnavailable(f"tool server {self.name!r} is closed")
        wait = (self._not_before - self._clock.now()).total_seconds()
        if self._failure is not None and wait > 0:
            raise type(self._failure)(
                f"{self._failure.message}\nIt failed {self._failures} times; next try in {wait:.1f} s.",
                hint=self._failure.hint,
            )
        session = self._session = Session(
            self.name, self._settings, self._listing, self._listed, self._environ
        )
        session.task.add_done_callback(lambda _: self._ended(session))
        return session

    async def _listed(self, server: str, specs: Sequence[ToolSpec]) -> None:
        if self._pins is not None:
            await self._pins.meet(server, specs)

    def _ended(self, session: "Session") -> None:
        self._session = None
        if session.failure is None:
            return
        self._failure = session.failure
        self._failures += 1
        if self._failures > 1:
            wait = min(_FIRST_WAIT * 2 ** min(self._failures - 2, 10), _LONGEST_WAIT)
            self._not_before = self._clock.now() + wait
