"""The contender: AutoGen 0.7.5 as it comes, with the same victim, the same teams, and the same tools."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from autogen_agentchat.messages import TextMessage
from autogen_core import CancellationToken, FunctionCall
from autogen_core.models import (
    AssistantMessage,
    ChatCompletionClient,
    CreateResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    ModelFamily,
    ModelInfo,
    RequestUsage,
)
from autogen_core.tools import ParametersSchema, TextResultContent, Tool, ToolResult, ToolSchema, Workbench
from pydantic import BaseModel

from benchmarks._injection._stage import Scene, Stage
from benchmarks._injection._teams import PATIENCE, Mode, Shape, build
from benchmarks._injection._victim import Message, answer

_NOTHING = RequestUsage(prompt_tokens=0, completion_tokens=0)


async def play_raw(stage: Stage, key: str, shape: Shape, mode: Mode) -> str:
    """What the team said in the end.

    Raises:
        TimeoutError: it comes to none.
    """

    def tools(which: str) -> Workbench:
        return _Tools(stage, key, which)

    team = build(shape, mode, Victim(stage.scene(key)), tools)
    async with asyncio.timeout(PATIENCE):
        result = await team.run(task=stage.scene(key).play.prompt)
    last = result.messages[-1]
    return last.content if isinstance(last, TextMessage) else ""


class Victim(ChatCompletionClient):
    """The victim as AutoGen asks models."""

    component_type = "model"
    component_config_schema = BaseModel

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def create(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = (), **_: Any
    ) -> CreateResult:
        """The victim's answer."""
        names = [(tool.schema if isinstance(tool, Tool) else tool)["name"] for tool in tools]
        wire = [one for message in messages for one in _wire(message)]
        said = answer(self._scene, wire, names)
        if isinstance(said, str):
            return CreateResult(finish_reason="stop", content=said, usage=_NOTHING, cached=False)
        calls = [
            FunctionCall(id=f"call_{len(wire)}_{place}", name=call.tool, arguments=json.dumps(call.arguments))
            for place, call in enumerate(said)
        ]
        return CreateResult(finish_reason="function_calls", content=calls, usage=_NOTHING, cached=False)

    async def create_stream(
        self, messages: Sequence[LLMMessage], **more: Any
    ) -> AsyncGenerator[str | CreateResult, None]:
        """The victim's answer, word by word."""
        result = await self.create(messages, **more)
        if isinstance(result.content, str):
            for word in result.content.split(" "):
                yield f"{word} "
        yield result

    async def close(self) -> None:
        """Has nothing to close."""

    def actual_usage(self) -> RequestUsage:
        """Nothing."""
        return _NOTHING

    def total_usage(self) -> RequestUsage:
        """Nothing."""
        return _NOTHING

    def count_tokens(self, messages: Sequence[LLMMessage], **_: Any) -> int:
        """Nothing."""
        return len(messages) * 0

    def remaining_tokens(self, messages: Sequence[LLMMessage], **_: Any) -> int:
        """Always enough."""
        return 1_000_000 - len(messages)

    @property
    def capabilities(self) -> ModelInfo:
        """What `model_info` says."""
        return self.model_info

    @property
    def model_info(self) -> ModelInfo:
        """It takes tools."""
        return ModelInfo(
            vision=False,
            function_calling=True,
            json_output=True,
            family=ModelFamily.UNKNOWN,
            structured_output=False,
        )


class _Tools(Workbench):
    """The suite's tools as AutoGen calls them."""

    component_config_schema = BaseModel

    def __init__(self, stage: Stage, key: str, which: str) -> None:
        self._stage = stage
        self._key = key
        self._which = which

    async def list_tools(self) -> list[ToolSchema]:
        return [
            ToolSchema(
                name=tool.name,
                description=tool.description,
                parameters=ParametersSchema(**tool.parameters),  # type: ignore[typeddict-item]
            )
            for tool in self._stage.world.tools.values()
            if self._which == "all" or (tool.effect == "read_only") == (self._which == "reading")
        ]

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,  # noqa: ARG002 - the signature is AutoGen's
        call_id: str | None = None,  # noqa: ARG002
    ) -> ToolResult:
        said = await self._stage.call(self._key, name, arguments or {})
        return ToolResult(name=name, result=[TextResultContent(content=said.text)], is_error=said.is_error)

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def reset(self) -> None:
        pass

    async def save_state(self) -> Mapping[str, Any]:
        return {}

    async def load_state(self, state: Mapping[str, Any]) -> None:
        pass


def _wire(message: LLMMessage) -> list[Message]:
    if isinstance(message, FunctionExecutionResultMessage):
        return [{"role": "tool", "content": result.content} for result in message.content]
    if not isinstance(message, AssistantMessage):
        return [{"role": "user", "content": message.content}]
    if isinstance(message.content, str):
        return [{"role": "assistant", "content": message.content}]
    calls = [{"function": {"name": call.name, "arguments": call.arguments}} for call in message.content]
    return [{"role": "assistant", "content": message.thought, "tool_calls": calls}]
