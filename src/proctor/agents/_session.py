"""What the door asks of the run behind it."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from proctor.core import (
    JsonObject,
    JsonValue,
    ModelResult,
    ProctorError,
    Question,
    ToolHandler,
    ToolResult,
    ToolSpec,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A turn of an agent that failed, as far as those need to know who go on without it."""

    code: str
    actions: tuple[str, ...]
    """What it had done to the world before, in words."""


class Turn(Protocol):
    """An agent's turn while it goes on."""

    @property
    def failed(self) -> "asyncio.Future[ProctorError]":
        """Set when a call of the turn has failed for good. That call never returns."""


class Session(Protocol):
    """One attempt at a run, as the team's governed parts see it."""

    @property
    def run_id(self) -> str: ...

    @property
    def tenant(self) -> str: ...

    @property
    def halted(self) -> bool:
        """Whether no new call may start: a person is asked, or the attempt is over."""

    async def begin_turn(self, agent: str, *, spares: Callable[[], bool]) -> Turn | Failure:
        """The agent's next `Turn`, or its `Failure` where that is recorded.

        `spares` tells whether the run can do without it. Never returns where the run already does.
        """

    def end_turn(self, turn: Any) -> None:
        """Takes note that an agent has answered."""

    async def give_up(self, turn: Any, error: ProctorError, *, by: str) -> Failure:
        """What is left of a turn that failed, once that is recorded; `by` stands in, or the team goes on.

        Never returns where the run can't go on.
        """

    async def model(
        self,
        agent: str,
        *,
        model: str,
        messages: tuple[JsonObject, ...],
        tools: tuple[JsonObject, ...],
        tool_choice: JsonValue,
        response_format: JsonObject | None,
        options: JsonObject,
        on_text: Callable[[str], None] | None,
    ) -> ModelResult:
        """A model's answer, through the chain. What breaks the run halts it; then this never returns."""

    async def tool(
        self,
        agent: str,
        tool: ToolSpec,
        arguments: JsonObject,
        call_id: str,
        *,
        act: ToolHandler | None = None,
    ) -> ToolResult:
        """A tool's answer or refusal, through the chain. As for `model`, it may never return.

        `act` carries the call out where the tool is an agent's own.
        """

    async def human(self, agent: str, question: Question) -> str:
        """What a person answers. Where there is no answer yet the run is suspended: this never returns."""

    def instruct(self, text: str) -> None:
        """Takes a text as the application's own: whoever wrote it may give orders."""

    def memorable(self, text: str) -> str | None:
        """A text as it may be kept beyond the run; nothing where it may not."""

    def derive(self, text: str, parts: Iterable[str], source: str) -> None:
        """Takes a text as made of these parts; a part that the run hasn't seen is of an untrusted source.

        So is the text where there is no part.
        """

    def message(self, agent: str, kind: str, text: str) -> None:
        """Takes note of a message that an agent sent to its team."""

    def limit_reached(self, agent: str, iterations: int) -> None:
        """Takes note that an agent used up its tool iterations."""
