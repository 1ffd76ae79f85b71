"""The contender to be held against: AutoGen 0.7.5 as it comes, with its own OpenAI client and no durability.

The client and the tool are made once; what holds a conversation is made afresh for each run, as in Proctor.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.messages import TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core.models import ModelInfo
from autogen_core.tools import FunctionTool
from autogen_ext.models.openai import OpenAIChatCompletionClient  # type: ignore[import-not-found]

from benchmarks._overhead._worker import serve
from benchmarks._overhead._workload import INSTRUCTIONS, MODEL, TEAMS, WITH_TOOL, order_status

MODEL_INFO = ModelInfo(
    vision=False,
    function_calling=True,
    json_output=True,
    family="unknown",
    structured_output=True,
    multiple_system_messages=True,
)


class RawAutoGen:
    """AutoGen without anything around it."""

    commits = 0

    def __init__(self, url: str) -> None:
        self.client = OpenAIChatCompletionClient(
            model=MODEL, base_url=url, api_key="none", model_info=MODEL_INFO
        )
        self._tool = FunctionTool(order_status, description="Where an order is.")

    async def run(self, scenario: str, task: str) -> str:
        """The answer of one run."""
        agent = AssistantAgent(
            "clerk",
            model_client=self.client,
            system_message=INSTRUCTIONS,
            tools=[self._tool] if scenario in WITH_TOOL else None,
            max_tool_iterations=10,
        )
        if scenario in TEAMS:
            team = RoundRobinGroupChat([agent], termination_condition=MaxMessageTermination(2))
            result = await team.run(task=task)
        else:
            result = await agent.run(task=task)
        last = result.messages[-1]
        assert isinstance(last, TextMessage)
        return last.content


@asynccontextmanager
async def open_autogen(url: str, _folder: Path) -> AsyncIterator[RawAutoGen]:
    """AutoGen, ready to run."""
    contender = RawAutoGen(url)
    try:
        yield contender
    finally:
        await contender.client.close()


if __name__ == "__main__":
    serve(open_autogen, "autogen-agentchat", "autogen-core", "autogen-ext", "openai", "pydantic")
