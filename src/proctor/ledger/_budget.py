"""The daily budget: money is set aside before a call and settled after it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from proctor.core import (
    BudgetExceeded,
    Clock,
    JsonObject,
    JsonValue,
    Micros,
    ModelCall,
    ModelHandler,
    ModelMiddleware,
    ModelResult,
    ToolCall,
    ToolHandler,
    ToolResult,
    Usage,
    format_usd,
    new_id,
)
from proctor.ledger._entries import model_entry, tool_entry, utc_day
from proctor.ledger._prices import Prices
from proctor.ledger._sql import record

BYTES_PER_TOKEN = 3
"""Fewer than any usual tokenizer puts in a token, in English and (at three bytes a character) in Chinese."""
IMAGE_BYTES = 6000
"""An image counts as 2,000 tokens, whatever its bytes."""
OUTPUT_TOKENS = 1024
"""What is set aside for an answer where the call doesn't bound it."""

SpentLoader: TypeAlias = Callable[[str], Awaitable[Micros]]
"""Finds what the ledger holds for a UTC day."""


def settle(prices: Prices, *, clock: Clock) -> ModelMiddleware:
    """A middleware that sets an answer's cost from its tokens. It stands inside of the reservation."""

    async def middleware(call: ModelCall, handle: ModelHandler) -> ModelResult:
        result = await handle(call)
        at = clock.now()
        cost = prices.price_of(result.usage, result.deployment, model=result.model, at=at)
        result = replace(result, cost=cost) if cost != result.cost else result
        row = model_entry(call, result, id=new_id("led"), at=at)
        call.scope.book(cost, lambda connection: record(connection, row))
        return result

    return middleware


class DailyBudget:
    """What all runs of this process together may spend in one UTC day.

    An upper estimate of each call is set aside before it is made, so that calls made at the same time can't
    overspend together; the real cost takes its place afterwards. Only an answer that is longer than was
    estimated goes beyond.
    """

    def __init__(self, limit: Micros, *, prices: Prices, clock: Clock, spent: SpentLoader) -> None:
        self._limit = limit
        self._prices = prices
        self._clock = clock
        self._load = spent
        self._loading = asyncio.Lock()
        self._day = ""
        self._settled = 0
        self._reserved = 0

    @property
    def share(self) -> float:
        """The share of the day's budget that is spent, as far as this process knows."""
        is_today = self._day == utc_day(self._clock.now())
        return self._settled / self._limit if is_today and self._limit else 0.0

    async def reserve(self, call: ModelCall, handle: ModelHandler) -> ModelResult:
        """Makes the call where the rest of the day's budget bears it.

        Raises:
            BudgetExceeded: it doesn't.
            PriceUnknown: what the call may cost can't be known.
        """
        if self._prices.is_free(call.model):
            return await handle(call)
        estimate = self._estimate(call)
        await self._turn_to(utc_day(self._clock.now()))
        # From the comparison to the reservation nothing is awaited: no other call comes between.
        if self._settled + self._reserved + estimate > self._limit:
            raise self._refusal(call, estimate)
        self._reserved += estimate
        try:
            result = await handle(call)
        finally:
            self._reserved -= estimate
        self._settled += result.cost
        return result

    async def count(self, call: ToolCall, handle: ToolHandler) -> ToolResult:
        """The tool's answer, after what it costs has been counted: the next model call feels it."""
        result = await handle(call)
        if result.cost:
            await self._turn_to(utc_day(self._clock.now()))
            self._settled += result.cost
            row = tool_entry(call, result, id=new_id("led"), at=self._clock.now())
            call.scope.book(result.cost, lambda connection: record(connection, row))
        return result

    async def _turn_to(self, day: str) -> None:
        """Starts a day with what the ledger already holds for it."""
        if day == self._day:
            return
        async with self._loading:
            if day != self._day:
                # A call settled while the ledger is being read counts twice at worst, never not at all.
                self._settled = 0
                recorded = await self._load(day)
                self._settled += recorded
                self._day = day

    def _estimate(self, call: ModelCall) -> Micros:
        size = sum(map(_size, call.messages)) + (len(json.dumps(call.tools)) if call.tools else 0)
        options = self._prices.options_of(call.model) | dict(call.options)
        bound = options.get("max_completion_tokens") or options.get("max_tokens")
        output = bound if isinstance(bound, int) else OUTPUT_TOKENS
        usage = Usage(input=-(-size // BYTES_PER_TOKEN), output=output)
        return self._prices.price_of(usage, call.model, at=self._clock.now())

    def _refusal(self, call: ModelCall, estimate: Micros) -> BudgetExceeded:
        data: JsonObject = {
            "budget": "daily",
            "limit_micros": self._limit,
            "spent_micros": self._settled,
            "reserved_micros": self._reserved,
            "estimate_micros": estimate,
        }
        call.scope.event("budget.refused", data)
        return BudgetExceeded(
            f"the daily budget of {format_usd(self._limit)} has {format_usd(self._settled)} spent and "
            f"{format_usd(self._reserved)} set aside: a call of up to {format_usd(estimate)} is too much",
            hint="Raise `daily_usd` in [budget], or go on after midnight UTC.",
        )


def _size(value: JsonValue) -> int:
    """The bytes of the texts in a message, and a flat number for each image."""
    if isinstance(value, str):
        return IMAGE_BYTES if value.startswith("data:") else len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, Mapping):
        return sum(map(_size, value.values()))
    if isinstance(value, Sequence):
        return sum(map(_size, value))
    return 4
