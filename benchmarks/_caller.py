"""Calls in bursts, the processor time that they take, and an agent whose turn is such bursts."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from autogen_agentchat.agents import BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import BaseChatMessage, TextMessage
from autogen_core import CancellationToken

ANSWERS_AFTER = 0.001
"""Seconds that what is called takes: long enough for commits to fall among the calls that they are for."""

Call: TypeAlias = Callable[[int], Awaitable[object]]
"""Makes the call with this number; no two have the same."""


async def measure(call: Call, calls: int, bursts: int) -> list[float]:
    """Microseconds of processor time a call, of each burst; the first burst isn't counted."""
    found = []
    for burst in range(bursts + 1):
        began = time.process_time_ns()
        for number in range(calls):
            await call(burst * calls + number)
        found.append((time.process_time_ns() - began) / calls / 1e3)
    return found[1:]


class Caller(BaseChatAgent):
    """Makes its calls as soon as it is its turn, and takes the time."""

    def __init__(self, name: str, call: Call, calls: int, bursts: int) -> None:
        super().__init__(name, "calls")
        self._call = call
        self._calls = calls
        self._bursts = bursts
        self.bursts: list[float] = []
        """Microseconds of processor time a call, of each burst."""

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        """A text."""
        return (TextMessage,)

    async def on_messages(
        self,
        messages: Sequence[BaseChatMessage],  # noqa: ARG002 - as AutoGen calls it
        cancellation_token: CancellationToken,  # noqa: ARG002 - as AutoGen calls it
    ) -> Response:
        """Makes the calls."""
        self.bursts = await measure(self._call, self._calls, self._bursts)
        return Response(chat_message=TextMessage(content="done", source=self.name))

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        """Nothing is kept."""
