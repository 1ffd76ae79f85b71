"""How many tool calls there may be: of a run, at a time, and in a minute; and how long one may take."""

import asyncio
from bisect import insort
from collections.abc import Iterator
from datetime import datetime, timedelta
from math import ceil

from proctor.core import (
    Clock,
    TeamSettings,
    ToolCall,
    ToolHandler,
    ToolMiddleware,
    ToolResult,
    ToolServerUnavailable,
)
from proctor.tools._refusals import refuse
from proctor.tools._rules import ToolRules

RUN_RULE = "max_tool_calls"
PARALLEL_RULE = "max_parallel_calls"
RATE_RULE = "rate_per_minute"

PATIENCE = timedelta(seconds=5)
"""What a call waits for its turn, at most."""

_MINUTE = timedelta(minutes=1)


class ToolRates:
    """The turns of all tools and servers with a rate, for all teams of a process."""

    def __init__(self, rules: ToolRules, clock: Clock) -> None:
        self._rules = rules
        self._clock = clock
        self._turns: dict[tuple[str, str], _Turns] = {}

    async def wait(self, call: ToolCall) -> float:
        """Returns 0 when it is the call's turn; else the seconds after which it may be tried again."""
        turns = tuple(self._of(call.tool.server, call.tool.name))
        if not turns:
            return 0.0
        now = self._clock.now()
        turn = max(each.free(now) for each in turns)
        wait = turn - now
        if wait > PATIENCE:
            return wait.total_seconds()
        for each in turns:
            each.take(turn)
        if wait:
            await self._clock.sleep(wait.total_seconds())
        return 0.0

    def _of(self, server: str, tool: str) -> Iterator["_Turns"]:
        rates = {(server, tool): self._rules.of(server, tool).rate_per_minute}
        rates[server, ""] = self._rules.rate_of(server)
        for key, rate in rates.items():
            if rate is not None:
                yield self._turns.get(key) or self._turns.setdefault(key, _Turns(rate))


class _Turns:
    """The turns of one rate: in no minute are there more."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._last: list[datetime] = []
        """At most as many as a minute may hold, sorted; some a little ahead of the clock."""

    def free(self, now: datetime) -> datetime:
        """When the next turn is."""
        if self._last and self._last[-1] > now + PATIENCE:
            self._last.clear()  # so far ahead no turn is ever taken: the clock was set back
        return max(now, self._last[0] + _MINUTE) if len(self._last) == self._rate else now

    def take(self, turn: datetime) -> None:
        """Takes a turn, at a time that `free` gave or later."""
        insort(self._last, turn)
        del self._last[: -self._rate]


def limit_calls(team: TeamSettings, rates: ToolRates) -> ToolMiddleware:
    """A middleware that refuses calls beyond what a run, one answer of a model, or a minute may hold.

    Of what one answer asks for the first calls are made, in the order of the answer, and the same ones at
    every attempt. A call that is only a little early for its rate waits.
    """

    async def middleware(call: ToolCall, handler: ToolHandler) -> ToolResult:
        most, scope = team.max_tool_calls, call.scope
        if most is not None and scope.number > most:
            text = f"This run may make {most} tool calls, and has made them. Go on with what you know."
            return refuse(call, RUN_RULE, text)
        if scope.rank > team.max_parallel_calls:
            text = (
                f"{call.tool.name!r} was not called: one answer may ask for {team.max_parallel_calls} calls, "
                f"and this is number {scope.rank}. Ask for it again once you have read the other results."
            )
            return refuse(call, PARALLEL_RULE, text)
        if seconds := await rates.wait(call):
            text = (
                f"{call.tool.name!r} was not called: it was called too often in the last minute. "
                f"It may be called again in {ceil(seconds)} s."
            )
            return refuse(call, RATE_RULE, text)
        return await handler(call)

    return middleware


def limit_time(rules: ToolRules) -> ToolMiddleware:
    """A middleware, the innermost, that ends calls which take longer than their tool's `timeout`.

    Raises:
        ToolServerUnavailable: a tool that changes the world has not answered: it may have acted, so that the
            run asks a person before the call is made again.
    """

    async def middleware(call: ToolCall, handler: ToolHandler) -> ToolResult:
        limit = rules.of(call.tool.server, call.tool.name).timeout
        if limit is None:
            return await handler(call)
        try:
            async with asyncio.timeout(limit.total_seconds()) as timer:
                return await handler(call)
        except TimeoutError:
            if not timer.expired():
                raise  # the tool's own
        what = (
            f"The tool {call.tool.name!r} of {call.tool.server!r} did not answer within {_seconds(limit)} s"
        )
        if call.tool.effect == "read_only":
            return ToolResult(text=f"{what}. It may be asked again.", is_error=True)
        raise ToolServerUnavailable(f"{what}; it may have acted", hint="The tool's `timeout` sets the time.")

    return middleware


def _seconds(limit: timedelta) -> str:
    return f"{limit.total_seconds():g}"
