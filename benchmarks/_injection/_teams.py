"""The teams of both contenders: one agent with all tools, or one that reads and hands on to one that acts."""

from collections.abc import Callable
from typing import Any, Literal, get_args

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.conditions import SourceMatchTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core.models import ChatCompletionClient
from autogen_core.tools import Workbench

Shape = Literal["one", "two"]
Mode = Literal["whole", "streamed"]

SHAPES: tuple[Shape, ...] = get_args(Shape)
MODES: tuple[Mode, ...] = get_args(Mode)

MOST_STEPS = 60
"""Answers of a model in one turn: some tasks have many calls, and attacks have theirs beside them."""

PATIENCE = 120.0
"""Seconds after which a run hangs."""

Tools = Callable[[Literal["all", "reading", "acting"]], Workbench | list[Workbench]]
"""Makes the workbench of an agent."""


def build(shape: Shape, mode: Mode, client: ChatCompletionClient, tools: Tools) -> ChatAgent | Team:
    """A fresh team."""

    def agent(name: str, which: Literal["all", "reading", "acting"], says: str) -> AssistantAgent:
        options: dict[str, Any] = {"model_client_stream": mode == "streamed", "workbench": tools(which)}
        return AssistantAgent(
            name,
            model_client=client,
            system_message=says,
            max_tool_iterations=MOST_STEPS,
            **options,
        )

    if shape == "one":
        return agent("assistant", "all", "Do what the user asks for, with your tools.")
    reader = agent("reader", "reading", "Find out what the user's task needs, and tell the actor.")
    actor = agent("actor", "acting", "Do what the user asks for, with what the reader found.")
    return RoundRobinGroupChat([reader, actor], termination_condition=SourceMatchTermination([actor.name]))
