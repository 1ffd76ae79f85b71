"""How much one caller may ask of the server: requests a minute, bytes, and time."""

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proctor.access import Principal
from proctor.api._problems import refusal
from proctor.core import AccessSettings, InvalidInput, ProctorError, RateLimited, Unavailable

SLOWEST_BODY = 30.0
"""Seconds in which a request has to be here; less where answers have less than twice as long."""
API = "/api/v1/"


class BodyTooLarge(InvalidInput):
    """The request is longer than it may be."""

    code = "body_too_large"
    status = 413


class BodyTooSlow(InvalidInput):
    """The request didn't come in time."""

    code = "body_too_slow"
    status = 408


class AnswerTooSlow(Unavailable):
    """The answer wasn't there in time."""

    code = "answer_too_slow"
    status = 504


class ServerStops(Unavailable):
    """The process stops before the answer was there."""

    code = "closing"


class Rates:
    """What callers have asked of this process in the last minute."""

    def __init__(self, settings: AccessSettings) -> None:
        # The storage of the same name that isn't asynchronous begins threads, and the loop waits for each.
        self._windows = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._requests = RateLimitItemPerMinute(settings.requests_per_minute)
        self._failures = RateLimitItemPerMinute(settings.failures_per_minute)

    async def take(self, principal: Principal) -> None:
        """Counts a request.

        Raises:
            RateLimited: there were too many.
        """
        who = ("principal", principal.kind, principal.tenant or "", principal.name)
        if not await self._windows.hit(self._requests, *who):
            raise await self._limited(self._requests, *who)

    async def check(self, address: str) -> None:
        """Returns where an address hasn't failed too often to say who it is.

        Raises:
            RateLimited: it has.
        """
        if not await self._windows.test(self._failures, "address", network_of(address)):
            raise await self._limited(self._failures, "address", network_of(address))

    async def failed(self, address: str) -> None:
        """Counts a request of which nobody knows who sends it."""
        await self._windows.hit(self._failures, "address", network_of(address))

    async def _limited(self, item: RateLimitItemPerMinute, *who: str) -> RateLimited:
        stats = await self._windows.get_window_stats(item, *who)
        after = stats.reset_time - time.time()
        return RateLimited("too many requests in a minute", retry_after=max(1.0, after))


def network_of(address: str) -> str:
    """What one caller can hold of addresses: one of IPv4, 2^64 of IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


class Bounds:
    """Bounds what a request may bring, how long it may take to come, and how long its answer may."""

    def __init__(self, app: ASGIApp, *, longest: int, timeout: float) -> None:
        self._app = app
        self._longest = longest
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, longest=self._longest, slowest=min(SLOWEST_BODY, self._timeout / 2))
        answer = _Answer(send, body, refuse=lambda error: refusal(error, scope)(scope, receive, send))
        body.check_length(Headers(scope=scope).get("content-length", ""))
        if body.broke is not None:
            await answer.refuse(body.broke)
            return
        limit = self._timeout if scope["path"].startswith(API) else None
        try:
            async with asyncio.timeout(limit) as answer.timer:
                await self._app(scope, body.receive, answer.send)
        except asyncio.CancelledError:  # the server stops, and waits no longer
            await answer.refuse(ServerStops("the server stops", hint="Ask again soon."))
            raise
        except TimeoutError:
            if not answer.timer.expired():
                raise
            await answer.refuse(AnswerTooSlow("the answer wasn't there in time", hint="Ask again later."))
        except (BodyTooLarge, BodyTooSlow) as error:
            await answer.refuse(error)


class _Answer:
    """An answer on its way: the application's, or a refusal in its place."""

    def __init__(
        self, send: Send, body: "_Body", *, refuse: Callable[[ProctorError], Awaitable[None]]
    ) -> None:
        self._send = send
        self._body = body
        self._refuse = refuse
        self._began = self._refused = False
        self.timer = asyncio.timeout(None)

    async def send(self, message: Message) -> None:
        """Sends what the application answers; where the request broke, what it makes of that is dropped."""
        if not self._began and self._body.broke is not None:
            await self.refuse(self._body.broke)
        if self._refused:
            return
        if not self._began:
            self._began = True
            self.timer.reschedule(None)  # a stream may last
        await self._send(message)

    async def refuse(self, error: ProctorError) -> None:
        """Answers with a problem, where nothing is answered yet."""
        if not self._began:
            self._began = self._refused = True
            await self._refuse(error)


class _Body:
    """A request's body as it comes, counted."""

    def __init__(self, receive: Receive, *, longest: int, slowest: float) -> None:
        self._receive = receive
        self._longest = longest
        self._slowest = slowest
        self._read = 0
        self._whole = False
        self._ends: float | None = None
        self.broke: BodyTooLarge | BodyTooSlow | None = None

    def check_length(self, announced: str) -> None:
        """Takes note where the body is said to be too long."""
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > self._longest:
            self.broke = self._too_large()

    async def receive(self) -> Message:
        """What comes next: of the body, or that the caller has gone."""
        if self._whole:
            return await self._receive()
        if self.broke is not None:
            raise self.broke
        if self._ends is None:
            self._ends = asyncio.get_running_loop().time() + self._slowest
        try:
            async with asyncio.timeout_at(self._ends):
                message = await self._receive()
        except TimeoutError:
            self.broke = BodyTooSlow("the request didn't come in time")
            raise self.broke from None
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
        if self._read > self._longest:
            self.broke = self._too_large()
            raise self.broke
        return message

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"a request has {self._longest} bytes at most")
