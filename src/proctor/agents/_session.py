"""What the door asks of the run behind it."""

from collections.abc import Callable
from typing import Protocol

from proctor.core import JsonObject, JsonValue, ModelResult, Question, ToolResult, ToolSpec


class Session(Protocol):
    """One attempt at a run, as the team's governed parts see it."""

    @property
    def run_id(self) -> str: ...

    @property
    def tenant(self) -> str: ...

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

    async def tool(self, agent: str, tool: ToolSpec, arguments: JsonObject, call_id: str) -> ToolResult:
        """A tool's answer or refusal, through the chain. As for `model`, it may never return."""

    async def human(self, agent: str, question: Question) -> str:
        """What a person answers. Where there is no answer yet the run is suspended: this never returns."""

    def message(self, agent: str, kind: str, text: str) -> None:
        """Takes note of a message that an agent sent to its team."""

    def limit_reached(self, agent: str, iterations: int) -> None:
        """Takes note that an agent used up its tool iterations."""
