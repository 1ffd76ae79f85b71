"""The model client that teams are given: it knows no provider, only the run it belongs to."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Literal, cast

from autogen_core import CancellationToken, MessageHandlerContext
from autogen_core.models import ChatCompletionClient, CreateResult, LLMMessage, ModelInfo, RequestUsage
from autogen_core.tools import Tool, ToolSchema
from pydantic import BaseModel

from proctor.agents._session import Session
from proctor.agents._wire import (
    choice_to_wire,
    format_to_wire,
    messages_to_wire,
    result_from_wire,
    tools_to_wire,
)
from proctor.core import UNKNOWN_AGENT, JsonObject, ModelResult

CHARACTERS_PER_TOKEN = 4
"""A rough measure for AutoGen's context limits; the true count comes with the provider's answer."""

_UUID_LENGTH = 36

at_work: ContextVar[str] = ContextVar("at_work", default="")
"""The place of the agent whose turn it is, in the tasks that belong to the turn."""


def caller() -> str:
    """The agent in whose message handler we are: for the user's own agents, which hold a client."""
    if place := at_work.get():
        return place
    try:
        name = MessageHandlerContext.agent_id().type
    except RuntimeError:
        return UNKNOWN_AGENT
    return name[: -_UUID_LENGTH - 1] if len(name) > _UUID_LENGTH + 1 else name


class GovernedModelClient(ChatCompletionClient):
    """An AutoGen model client whose calls go through the chain of the run."""

    component_type = "model"
    component_config_schema = BaseModel

    def __init__(
        self,
        session: Session,
        *,
        model: str,
        info: ModelInfo,
        context_window: int,
        options: JsonObject | None = None,
        agent: str = "",
    ) -> None:
        self._session = session
        self._model = model
        self._info = info
        self._context_window = context_window
        self._options = options or {}
        self._agent = agent
        self._usage = RequestUsage(prompt_tokens=0, completion_tokens=0)

    def bound(self, agent: str) -> "GovernedModelClient":
        """The same client in the name of one agent."""
        return GovernedModelClient(
            self._session,
            model=self._model,
            info=self._info,
            context_window=self._context_window,
            options=self._options,
            agent=agent,
        )

    async def create(
        self,
        messages: Sequence[LLMMessage],
        *,
        tools: Sequence[Tool | ToolSchema] = [],
        tool_choice: Tool | Literal["auto", "required", "none"] = "auto",
        json_output: bool | type[BaseModel] | None = None,
        extra_create_args: Mapping[str, Any] = {},
        cancellation_token: CancellationToken | None = None,  # noqa: ARG002 - the run owns cancellation
    ) -> CreateResult:
        """The model's answer."""
        return await self._call(
            messages,
            tools,
            tool_choice=tool_choice,
            json_output=json_output,
            extra=extra_create_args,
            on_text=None,
        )

    async def create_stream(
        self,
        messages: Sequence[LLMMessage],
        *,
        tools: Sequence[Tool | ToolSchema] = [],
        tool_choice: Tool | Literal["auto", "required", "none"] = "auto",
        json_output: bool | type[BaseModel] | None = None,
        extra_create_args: Mapping[str, Any] = {},
        cancellation_token: CancellationToken | None = None,  # noqa: ARG002 - the run owns cancellation
    ) -> AsyncGenerator[str | CreateResult, None]:
        """The model's answer piece by piece, then whole. A recorded answer comes whole at once."""
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        answer = asyncio.create_task(
            self._call(
                messages,
                tools,
                tool_choice=tool_choice,
                json_output=json_output,
                extra=extra_create_args,
                on_text=pieces.put_nowait,
            )
        )
        answer.add_done_callback(lambda _: pieces.put_nowait(None))
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            yield await answer
        finally:
            answer.cancel()

    async def _call(
        self,
        messages: Sequence[LLMMessage],
        tools: Sequence[Tool | ToolSchema],
        *,
        tool_choice: Any,
        json_output: bool | type[BaseModel] | None,
        extra: Mapping[str, Any],
        on_text: Callable[[str], None] | None,
    ) -> CreateResult:
        wire_tools = tools_to_wire(tools)
        result = await self._session.model(
            self._agent or caller(),
            model=self._model,
            messages=messages_to_wire(messages),
            tools=wire_tools,
            tool_choice=choice_to_wire(tool_choice, wire_tools),
            response_format=format_to_wire(json_output),
            options={**self._options, **cast("JsonObject", extra)},
            on_text=on_text,
        )
        self._add(result)
        return result_from_wire(result)

    def _add(self, result: ModelResult) -> None:
        self._usage.prompt_tokens += result.usage.input
        self._usage.completion_tokens += result.usage.output

    async def close(self) -> None:
        """Nothing to close: connections belong to the deployment."""

    def actual_usage(self) -> RequestUsage:
        """Tokens so far, replayed calls included."""
        return self._usage

    def total_usage(self) -> RequestUsage:
        """Tokens so far, replayed calls included."""
        return self._usage

    def count_tokens(self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = []) -> int:
        """An estimate, made without any vocabulary: AutoGen's own would download one."""
        wire = (*messages_to_wire(messages), *tools_to_wire(tools))
        return sum(len(str(item)) for item in wire) // CHARACTERS_PER_TOKEN

    def remaining_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = []
    ) -> int:
        """An estimate of what the context window still holds."""
        return self._context_window - self.count_tokens(messages, tools=tools)

    @property
    def capabilities(self) -> ModelInfo:
        """The deployment's capabilities."""
        return self._info

    @property
    def model_info(self) -> ModelInfo:
        """The deployment's capabilities."""
        return self._info
