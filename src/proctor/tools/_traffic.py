"""The calls of one session that are under way, and what the server sends by itself: to which it belongs."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from mcp.client.session import ClientRequestContext
from mcp_types import (
    INVALID_REQUEST,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequestParams,
    ElicitResult,
    ErrorData,
    LoggingMessageNotificationParams,
)

from proctor.tools._exchange import Exchange

_EXCHANGE: ContextVar[Exchange | None] = ContextVar("_EXCHANGE", default=None)
"""The call that is being made. Over HTTP the SDK carries it along to what arrives in answer to it."""


class Traffic:
    """Tells which call a message is about. Where that can't be told it is about none of them."""

    def __init__(self, patience: float) -> None:
        """`patience`: seconds for which the server may still be at a call that was given up."""
        self._patience = patience
        self._exchanges: set[Exchange] = set()
        self._takes_turns = False
        self._one_call = asyncio.Lock()
        self._haunted_until = 0.0
        """Until when the server may ask for a call that was given up."""

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[bool]:
        """The block in which a call may be made, and whether it had to wait for another one's end."""
        if not self._takes_turns:
            yield False
            return
        has_waited = self._one_call.locked()
        async with self._one_call:
            yield has_waited

    @contextmanager
    def under_way(self, exchange: Exchange) -> Generator[None]:
        """The block in which a call is being made."""
        self._exchanges.add(exchange)
        token = _EXCHANGE.set(exchange)
        answered = False
        try:
            yield
            answered = True
        finally:
            _EXCHANGE.reset(token)
            self._exchanges.discard(exchange)
            exchange.close()
            if not answered:
                self._haunted_until = asyncio.get_running_loop().time() + self._patience

    async def elicited(
        self,
        context: ClientRequestContext,  # noqa: ARG002 - the SDK's form
        params: ElicitRequestParams,
    ) -> ElicitResult | ErrorData:
        """A person's answer; `cancel` where there is none yet."""
        exchange = self._who_asks()
        return ElicitResult(action="cancel") if exchange is None else await exchange.elicited(params)

    async def sampled(
        self,
        context: ClientRequestContext,  # noqa: ARG002 - the SDK's form
        params: CreateMessageRequestParams,
    ) -> CreateMessageResult | ErrorData:
        """A model's answer."""
        exchange = self._who_asks()
        if exchange is None:
            return ErrorData(code=INVALID_REQUEST, message="it can't be told for which call this is")
        return await exchange.sampled(params)

    async def logged(self, params: LoggingMessageNotificationParams) -> None:
        """Logs a line in the run that it belongs to."""
        if (exchange := self._whose()) is not None:
            exchange.logged(params)

    def _whose(self) -> Exchange | None:
        exchange = _EXCHANGE.get()
        if exchange is not None:
            return exchange
        haunted = asyncio.get_running_loop().time() < self._haunted_until
        return next(iter(self._exchanges)) if len(self._exchanges) == 1 and not haunted else None

    def _who_asks(self) -> Exchange | None:
        """The call for which the server asks; where that can't be told, calls go one by one from then on.

        Over a pipe the older protocol doesn't say it.
        """
        exchange = self._whose()
        if exchange is None:
            self._takes_turns = self._takes_turns or len(self._exchanges) > 1
            for each in self._exchanges:
                each.disturbed = True
        return exchange
