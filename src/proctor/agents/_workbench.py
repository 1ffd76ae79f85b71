"""The workbenches that agents are given: every tool call goes through the chain of the run.

A workbench never raises, since that would hang the agent for ever, and takes no part in AutoGen's
cancellation: a call in progress belongs to the run.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from autogen_agentchat.tools import AgentTool, TeamTool
from autogen_core import CancellationToken
from autogen_core.tools import (
    BaseTool,
    StaticStreamWorkbench,
    TextResultContent,
    ToolResult,
    ToolSchema,
    Workbench,
)
from pydantic import BaseModel

from proctor.agents._model import caller
from proctor.agents._runtime import KillableRuntime
from proctor.agents._session import Session
from proctor.agents._wire import arguments_from
from proctor.core import ToolSpec


class GovernedWorkbench(Workbench):
    """Tools of the configuration, as AutoGen takes them."""

    component_type = "workbench"
    component_config_schema = BaseModel

    def __init__(self, session: Session, specs: Sequence[ToolSpec], agent: str = "") -> None:
        self._session = session
        self._specs = {spec.name: spec for spec in specs}
        self._schemas = [_schema(spec) for spec in specs]
        self._agent = agent

    def bound(self, agent: str) -> "GovernedWorkbench":
        """The same workbench in the name of one agent."""
        return GovernedWorkbench(self._session, tuple(self._specs.values()), agent)

    @property
    def names(self) -> frozenset[str]:
        """The tools it holds."""
        return frozenset(self._specs)

    async def list_tools(self) -> list[ToolSchema]:
        """The tools as a model is shown them; the list is fixed for a run."""
        return self._schemas

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,  # noqa: ARG002 - the run owns cancellation
        call_id: str | None = None,
    ) -> ToolResult:
        """The tool's answer; a refusal or failure is an answer too."""
        spec = self._specs.get(name)
        if spec is None:
            known = ", ".join(sorted(self._specs))
            return _text(name, f"There is no tool {name}. The tools are: {known}.", is_error=True)
        if not isinstance(arguments, Mapping | None):
            return _text(name, "The arguments of a tool are a JSON object.", is_error=True)
        agent = self._agent or caller()
        result = await self._session.tool(agent, spec, arguments_from(arguments), call_id or "")
        return _text(name, result.text, is_error=result.is_error)

    async def start(self) -> None:
        """Nothing to start: servers belong to the application."""

    async def stop(self) -> None:
        """Nothing to stop: servers belong to the application."""

    async def reset(self) -> None:
        """Nothing to reset."""

    async def save_state(self) -> Mapping[str, Any]:
        """No state: the journal holds what happened."""
        return {}

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """No state: the journal holds what happened."""


class NestedWorkbench(StaticStreamWorkbench):
    """`AgentTool` and `TeamTool`: the agents within are governed themselves, so the call passes through."""

    def __init__(self, tools: Sequence[AgentTool | TeamTool], runtime: KillableRuntime) -> None:
        super().__init__(list[BaseTool[Any, Any]](tools))
        self._runtime = runtime

    async def call_tool_stream(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,  # noqa: ARG002 - the run owns cancellation
        call_id: str | None = None,
    ) -> AsyncGenerator[Any, None]:
        """The nested team's messages, then its answer."""
        task = asyncio.current_task()
        assert task is not None
        self._runtime.nested.add(task)
        try:
            async for item in super().call_tool_stream(name, arguments, None, call_id):
                yield item
        finally:
            self._runtime.nested.discard(task)


def _schema(spec: ToolSpec) -> ToolSchema:
    parameters: Any = spec.parameters
    return ToolSchema(name=spec.name, description=spec.description, parameters=parameters)


def _text(name: str, text: str, *, is_error: bool) -> ToolResult:
    return ToolResult(name=name, result=[TextResultContent(content=text)], is_error=is_error)
