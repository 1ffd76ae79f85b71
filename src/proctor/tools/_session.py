"""One life of a tool server, from its start to its end, in a task of its own.

The SDK's contexts must be left by the task that entered them. Here that is never a caller, so a caller may be
cancelled at any point, and any task may end the session.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from contextvars import Context
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import anyio
import httpx2
from mcp.client import Client
from mcp.client.session import IncomingMessage
from mcp.client.subscriptions import Subscription, SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    INVALID_REQUEST,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    InputRequiredResult,
    RequestParamsMeta,
    Tool,
    ToolListChangedNotification,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter, ValidationError

from proctor.core import (
    ProctorError,
    ToolCall,
    ToolError,
    ToolResult,
    ToolServerSettings,
    ToolServerUnavailable,
    ToolSpec,
)
from proctor.tools._http import HttpLink
from proctor.tools._listing import Listing
from proctor.tools._results import read_result
from proctor.tools._stdio import StdioLink
from proctor.tools._text import cut, printable

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

_BREAKS = (MCPError, OSError, RuntimeError, ValueError, httpx2.HTTPError, httpx2.InvalidURL, ExceptionGroup)
"""What the SDK raises when a server doesn't start, or breaks off."""

_Answer: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(CallToolResult | InputRequiredResult)


class Link(Protocol):
    """The way to a server: a child process, or a URL."""

    @property
    def title(self) -> str: ...
    @property
    def hint(self) -> str: ...
    def connect(self, over: Callable[[], None], /) -> "AbstractAsyncContextManager[TransportStreams]": ...
    def account(self) -> str: ...


class SessionForgotten(ToolServerUnavailable):
    """The server has forgotten the session. What was asked was not looked at, and may go to a new session."""


class Session:
    """A server that starts, runs and ends, once."""

    def __init__(self, name: str, settings: ToolServerSettings, listing: Listing) -> None:
        self._name = name
        self._settings = settings
        self._listing = listing
        self._link: Link = HttpLink(settings.url, settings) if settings.url else StdioLink(settings)
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
        return self._client is not None and not self.ending

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
                    specs = self._listing.specs(await _read_tools(self._connected))
            except (MCPError, ValueError) as error:
                raise ToolError(
                    f"tool server {self._name!r} can't list its tools: {_first_line(error)}"
                ) from error
            if changes == self._changes:
                self._specs = specs
            return specs

    async def call(self, call: ToolCall) -> ToolResult:
        """The server's answer to one call, which is sent once.

        Raises:
            SessionForgotten: the call was not made.
            ToolServerUnavailable: no answer came; the tool may have acted.
        """
        meta: dict[str, object] = {
            "proctor/idempotency-key": call.scope.key,
            "proctor/tenant": call.scope.tenant,
            "proctor/run": call.scope.run_id,
        }
        params = CallToolRequestParams(
            name=call.tool.name, arguments=dict(call.arguments), _meta=cast("RequestParamsMeta", meta)
        )
        try:
            # Not `Client.call_tool`: it raises where the structured content doesn't fit its schema, although
            # the tool has acted and answered.
            async with self._awaiting(f"the call of {call.tool.name!r}"):
                answer = await self._connected.session.send_request(CallToolRequest(params=params), _Answer)
        except MCPError as error:
            return self._error_result(error.message)
        except ValidationError as error:
            return self._error_result(f"The tool's answer can't be read: {_first_line(error)}")
        if isinstance(answer, InputRequiredResult):
            return self._error_result("The tool asks for further input while it runs, which nobody can give.")
        return read_result(answer, max_output=self._settings.max_output)

    @property
    def _connected(self) -> Client:
        assert self._client is not None
        return self._client

    def _error_result(self, text: str) -> ToolResult:
        return ToolResult(text=cut(text, self._settings.max_output), is_error=True)

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
                self._specs = self._listing.specs(tools)
                self._client = client
                self._settled.set()
                await self._stay(changes)
        except (*_BREAKS, ProctorError) as error:
            if not self._stopped:
                self.failure = self._explain(_cause(error))
        else:
            if not self._stopped:
                self.failure = self._broke_off("")
        finally:
            self._over.set()

    def _new_client(self) -> Client:
        return Client(
            self._link.connect(self._over.set),
            message_handler=self._heard,
            client_info=Implementation(name="proctor", version=""),
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
        return ToolServerUnavailable(f"{what} got no answer: {end.message}", hint=end.hint)

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
