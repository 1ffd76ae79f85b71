"""One life of a tool server, from its start to its end, in a task of its own.

The SDK's contexts must be left by the task that entered them. Here that is never a caller, so a caller may be
cancelled at any point, and any task may end the session.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from contextvars import Context
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import anyio
import httpx2
from mcp.client import Client
from mcp.client.session import IncomingMessage
from mcp.client.subscriptions import Subscription, SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    HEADER_MISMATCH,
    INVALID_REQUEST,
    Implementation,
    InputRequiredResult,
    Tool,
    ToolListChangedNotification,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from proctor.core import (
    ProctorError,
    ToolCall,
    ToolError,
    ToolResult,
    ToolServerSettings,
    ToolServerUnavailable,
    ToolSpec,
)
from proctor.telemetry import untold
from proctor.tools._asks import Asks
from proctor.tools._exchange import Exchange, told_of_disturbance
from proctor.tools._http import HttpLink
from proctor.tools._listing import Listing
from proctor.tools._requests import Request, addresses_of, request_of
from proctor.tools._resources import list_entries
from proctor.tools._stdio import StdioLink
from proctor.tools._text import cut, printable
from proctor.tools._traffic import Traffic

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams

_PAGES_LIMIT = 500
"""Pages of one tool list. A server that has more never ends it."""

_SUBSCRIBE_SECONDS = 5.0
"""For the server to agree to tell of changes. One that doesn't is asked for its list each time."""

_SESSION_CLOSED = "Connection closed"
"""The SDK's words where the session itself is over, and not one request alone."""

_SESSION_FORGOTTEN = "Session terminated"
"""The SDK's words for HTTP 404: the server doesn't know our session and hasn't looked at the request."""

_BREAKS = (MCPError, OSError, RuntimeError, ValueError, httpx2.HTTPError, httpx2.InvalidURL, ProctorError)
"""What a session ends with when a server doesn't start, or breaks off."""

_ROUNDS = 10
"""How often a server may ask for further input before it answers a call."""

_FIRST_PAUSE = 0.05
"""Seconds before a server that wants nothing but time is asked again; doubled with each round."""


class Link(Protocol):
    """The way to a server: a child process, or a URL."""

    @property
    def title(self) -> str: ...
    @property
    def hint(self) -> str: ...
    def connect(self, over: Callable[[], None], /) -> "AbstractAsyncContextManager[TransportStreams]": ...
    def account(self) -> str: ...


class SessionForgotten(ToolServerUnavailable):
    """The server has forgotten the session, or we its tools. What was asked was not looked at: ask again."""


class SessionLost(ToolServerUnavailable):
    """The server ended while it was asked for something, which it may have done."""


Listed: TypeAlias = Callable[[str, Sequence[ToolSpec]], Awaitable[None]]
"""Told of a server's tools each time its list was read, before anything is done with it."""


class Session:
    """A server that starts, runs and ends, once."""

    def __init__(
        self,
        name: str,
        settings: ToolServerSettings,
        listing: Listing,
        listed: Listed,
        environ: Mapping[str, str],
    ) -> None:
        """Raises `MissingSetting` where the environment lacks what the server is to be given."""
        self._name = name
        self._listed = listed
        self._settings = settings
        self._listing = listing
        self._link: Link = (
            HttpLink(name, settings.url, settings, environ)
            if settings.url
            else StdioLink(name, settings, environ)
        )
        self._traffic = Traffic(settings.call_timeout.total_seconds())
        self._client: Client | None = None
        self._specs: tuple[ToolSpec, ...] | None = None
        self._changes = 0
        self._told_of_changes = True
        self._reading = asyncio.Lock()
        self._settled = asyncio.Event()
        self._over = asyncio.Event()
        self._stopped = False
        self.failure: ProctorError | None = None
        """Why it didn't start, or why it ended without being asked to."""
        # In an empty context: the run that happens to make the first call must not stay attached for good.
        self.task = asyncio.create_task(self._live(), name=f"tool server {name}", context=Context())
        """Done when nothing of the session is left."""
        self.task.add_done_callback(lambda _: self._settled.set())

    @property
    def ready(self) -> bool:
        """Whether a call can go to the server at once."""
        return self._client is not None and self._specs is not None and not self.ending

    @property
    def ending(self) -> bool:
        """Whether nothing can be asked of it any more."""
        return self._over.is_set()

    async def started(self) -> None:
        """Returns when the server is ready.

        Raises:
            ToolServerUnavailable: it didn't start.
            ConfigurationError: it doesn't offer what the configuration names.
        """
        await self._settled.wait()
        if self._client is None:
            raise self.error()

    def stop(self) -> None:
        """Asks the session to end. Calls in flight fail; `task` is done when nothing is left."""
        if self._stopped:
            return
        self._stopped = True
        self._over.set()
        if not self._settled.is_set():
            self.task.cancel()

    def error(self) -> ProctorError:
        """A fresh exception that says why the session is over."""
        if self.failure is None:
            how = "was closed" if self._stopped else "has ended"
            return ToolServerUnavailable(f"tool server {self._name!r} {how}")
        return type(self.failure)(self.failure.message, hint=self.failure.hint)

    async def specs(self) -> tuple[ToolSpec, ...]:
        """The allowed tools; asks the server where they may have changed.

        Raises:
            ToolServerUnavailable: no list came.
            ToolError: the list can't be read.
        """
        async with self._reading:
            if self._specs is not None and self._told_of_changes:
                return self._specs
            changes = self._changes
            try:
                async with self._awaiting("the request for its tools"):
                    specs = self._specs_of(await _read_tools(self._connected), self._connected)
            except (MCPError, ValueError) as error:
                raise ToolError(
                    f"tool server {self._name!r} can't list its tools: {_first_line(error)}"
                ) from error
            await self._listed(self._name, specs)
            if changes == self._changes:
                self._specs = specs
            return specs

    async def settled(self) -> None:
        """Returns when it is known what the server offers, where it said that this has changed.

        Raises:
            ToolServerUnavailable: no list came.
            ToolError: the list can't be read.
        """
        if self._specs is None:
            await self.specs()

    async def call(self, call: ToolCall, asks: Asks | None = None) -> ToolResult:
        """The server's answer to one call, which is sent once.

        Where the server asks for something that only a person knows, the run waits: this never returns. The
        call is made again, from its beginning, when the person has answered.

        Raises:
            SessionForgotten: the call was not made.
            SessionLost: the server ended; the tool may have acted.
            ToolServerUnavailable: no answer came; the tool may have acted.
        """
        exchange = Exchange(call, asks, self._settings.sampling)
        async with self._traffic.turn() as has_waited:
            if has_waited and call.tool.effect != "read_only":
                await call.scope.begin()  # another worker may have taken the run over meanwhile
            result = await self._made(exchange)
        if exchange.open:
            await exchange.ask(result.text)
        return told_of_disturbance(result) if exchange.disturbed else result

    async def _made(self, exchange: Exchange) -> ToolResult:
        with self._traffic.under_way(exchange):
            try:
                async with self._awaiting(f"the call of {exchange.call.tool.name!r}"):
                    sending = self._answered(exchange)
                    return await (exchange.carry(sending) if self._settings.sampling else sending)
            except MCPError as error:
                for address in addresses_of(error):
                    await exchange.elicited(address)
                return ToolResult(text=error.message, is_error=True)
            except ValidationError as error:
                return _unreadable(error)

    async def _answered(self, exchange: Exchange) -> ToolResult:
        call = exchange.call
        reading = self._listing.reading(call.tool.name)
        if reading in ("list_resources", "list_prompts"):
            return await list_entries(self._connected, reading, call.arguments)
        request = request_of(call, reading)
        further: dict[str, Any] = {}
        for round_ in range(_ROUNDS):
            # Not `Client.call_tool`: it raises where the structured content doesn't fit its schema, although
            # the tool has acted and answered.
            answer = await self._connected.session.send_request(
                request.make(further), request.answer, progress_callback=exchange.progressed
            )
            if not isinstance(answer, InputRequiredResult):
                return _read(request, answer)
            given = await exchange.responses(answer.input_requests or {})
            if exchange.open:
                return ToolResult(text="")
            further = {"input_responses": given, "request_state": answer.request_state}
            if not given:
                await asyncio.sleep(_FIRST_PAUSE * 2**round_)
        text = f"The tool has asked {_ROUNDS} times for further input, and gives no answer."
        return ToolResult(text=text, is_error=True)

    @property
    def _connected(self) -> Client:
        assert self._client is not None
        return self._client

    def _specs_of(self, tools: list[Tool], client: Client) -> tuple[ToolSpec, ...]:
        return self._listing.specs(tools, client.server_capabilities)

    async def _live(self) -> None:
        start = self._settings.start_timeout.total_seconds()
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(start):
                    client = await stack.enter_async_context(self._new_client())
                    # Before the list is read, so that no change falls between the two.
                    changes = await self._subscribe(client, stack)
                    tools = await _read_tools(client)
                self._listing.check(tools)
                specs = self._specs_of(tools, client)
                await self._listed(self._name, specs)
                if not self._changes:
                    self._specs = specs
                self._client = client
                self._settled.set()
                await self._stay(changes)
        except _BREAKS as error:
            if not self._stopped:
                self.failure = self._explain(error)
        except ExceptionGroup as group:
            defects = group.split(_BREAKS)[1]
            if defects is not None:
                self.failure = ToolServerUnavailable(
                    f"tool server {self._name!r} was lost to a defect of ours: {_cause(defects)!r}"
                )
                raise  # so that the log tells of it
            if not self._stopped:
                self.failure = self._explain(_cause(group))
        else:
            if not self._stopped:
                self.failure = self._broke_off("")
        finally:
            self._over.set()

    def _new_client(self) -> Client:
        return Client(
            self._link.connect(self._over.set),
            message_handler=self._heard,
            logging_callback=self._traffic.logged,
            log_level="info",
            elicitation_callback=self._traffic.elicited,
            sampling_callback=self._traffic.sampled if self._settings.sampling else None,
            client_info=Implementation(name="proctor", version=_own_version()),
            cache=None,
        )

    async def _stay(self, changes: Subscription | None) -> None:
        async with anyio.create_task_group() as group:
            if changes is not None:
                group.start_soon(self._follow, changes)
            await self._over.wait()
            group.cancel_scope.cancel()

    async def _subscribe(self, client: Client, stack: AsyncExitStack) -> Subscription | None:
        # Servers of the protocol's first era just send the notification; newer ones want to be asked.
        tools = client.server_capabilities.tools
        if client.protocol_version not in MODERN_PROTOCOL_VERSIONS or not tools or not tools.list_changed:
            return None
        try:
            async with asyncio.timeout(_SUBSCRIBE_SECONDS):
                return await stack.enter_async_context(client.listen(tools_list_changed=True))
        except (MCPError, SubscriptionLost, TimeoutError):
            self._told_of_changes = False
            return None

    async def _follow(self, changes: Subscription) -> None:
        try:
            async for _ in changes:
                self._forget_specs()
        except SubscriptionLost:
            pass
        self._told_of_changes = False

    async def _heard(self, message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            self._forget_specs()

    def _forget_specs(self) -> None:
        self._changes += 1
        self._specs = None

    @asynccontextmanager
    async def _awaiting(self, what: str) -> AsyncGenerator[None]:
        limit = self._settings.call_timeout.total_seconds()
        try:
            with untold():  # the SDK would pass on whatever trace the process is in
                async with asyncio.timeout(limit):
                    yield
        except TimeoutError:
            raise ToolServerUnavailable(
                f"tool server {self._name!r} did not answer {what} within {limit:g} s; it may have acted",
                hint=f"`call_timeout` of [tools.{self._name}] sets the time.",
            ) from None
        except MCPError as error:
            if error.code == INVALID_REQUEST and error.message == _SESSION_FORGOTTEN:
                self.stop()
                raise SessionForgotten(f"tool server {self._name!r} has forgotten the session") from error
            if error.code == HEADER_MISMATCH:
                self._forget_specs()
                raise SessionForgotten(f"the tools of {self._name!r} have changed") from error
            if error.code != CONNECTION_CLOSED:
                raise
            raise await self._loss(what, error) from error

    async def _loss(self, what: str, error: MCPError) -> ToolServerUnavailable:
        if error.message != _SESSION_CLOSED:
            return ToolServerUnavailable(
                f"tool server {self._name!r} did not answer {what}: {error.message}", hint=self._link.hint
            )
        self._over.set()
        # Only at its end is it known how the process ended and what it said.
        await asyncio.wait({self.task})
        end = self.error()
        return SessionLost(f"{what} got no answer: {end.message}", hint=end.hint)

    def _broke_off(self, reason: str) -> ToolServerUnavailable:
        text = self._link.account() or reason or "the connection closed"
        return ToolServerUnavailable(
            f"tool server {self._name!r} broke off: {text.lstrip()}",
            hint="It is started again at the next call.",
        )

    def _explain(self, error: BaseException) -> ProctorError:
        if isinstance(error, ProctorError):
            return error
        if self._client is not None:
            return self._broke_off(_first_line(error))
        match error:
            case TimeoutError():
                reason = f"it was not ready within {self._settings.start_timeout.total_seconds():g} s"
            case FileNotFoundError() | NotADirectoryError() if not _is_folder(self._settings.cwd):
                reason = f"there is no folder {str(self._settings.cwd)!r}"
            case FileNotFoundError() if self._settings.command:
                reason = f"there is no program {self._settings.command[0]!r}"
            case MCPError(message=message) if message == _SESSION_CLOSED:
                reason = ""
            case _:
                reason = _first_line(error)
        account = self._link.account()
        between = "; " if reason and account and not account.startswith("\n") else ""
        return ToolServerUnavailable(
            f"tool server {self._name!r} ({self._link.title}) did not start: {reason}{between}{account}",
            hint=f"{self._link.hint} It is set in [tools.{self._name}].",
        )


async def _read_tools(client: Client) -> list[Tool]:
    if client.server_capabilities.tools is None:
        return []
    tools: list[Tool] = []
    cursor: str | None = None
    for _ in range(_PAGES_LIMIT):
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return tools
    raise ValueError(f"its list of tools has no end: {_PAGES_LIMIT} pages")


def _read(request: Request, answer: Any) -> ToolResult:
    try:
        return request.read(answer)
    except ValueError as error:
        return _unreadable(error)


def _unreadable(error: ValueError) -> ToolResult:
    return ToolResult(text=f"The tool's answer can't be read: {_first_line(error)}", is_error=True)


def _own_version() -> str:
    try:
        return version("proctor-runtime")
    except PackageNotFoundError:  # run from its sources
        return "0"


def _cause(error: BaseException) -> BaseException:
    """The first error in a group that says something; task groups wrap what is raised in them."""
    while isinstance(error, BaseExceptionGroup):
        error = next((one for one in error.exceptions if isinstance(one, ProctorError)), error.exceptions[0])
    return error


def _first_line(error: BaseException) -> str:
    text = printable(str(error)).strip().partition("\n")[0]
    return cut(text, 300) or type(error).__name__


def _is_folder(path: Path | None) -> bool:
    return path is None or path.is_dir()
