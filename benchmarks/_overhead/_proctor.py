"""Proctor as it comes: all links of both chains, prices, a budget, SQLite with a full sync at each commit."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat

import proctor
from benchmarks._overhead._worker import serve
from benchmarks._overhead._workload import INSTRUCTIONS, MODEL, SCENARIOS, TEAMS, WITH_TOOL, order_status


class DurableAutoGen:
    """The same agents, registered with Proctor."""

    def __init__(self, running: proctor.Proctor) -> None:
        self._running = running

    @property
    def commits(self) -> int:
        """Transactions that were committed so far."""
        return self._running.database.commits

    async def run(self, scenario: str, task: str) -> str:
        """The answer of one run."""
        run = await self._running.run(scenario, task)
        return run.result if run.state == "completed" and run.result else f"{run.state}: {run.error}"


def make_app() -> proctor.App:
    """The scenarios as teams."""
    app = proctor.App()
    app.tool(effect="read_only")(order_status)
    for scenario in SCENARIOS:
        tools = ["order_status"] if scenario in WITH_TOOL else []
        app.team(scenario, tools=tools)(_factory(scenario, tools))
    return app


def _factory(
    scenario: str, tools: list[str]
) -> Callable[[proctor.TeamContext], AssistantAgent | RoundRobinGroupChat]:
    def build(ctx: proctor.TeamContext) -> AssistantAgent | RoundRobinGroupChat:
        agent = AssistantAgent(
            "clerk",
            model_client=ctx.model("small"),
            system_message=INSTRUCTIONS,
            workbench=ctx.tools(*tools) if tools else None,
            max_tool_iterations=10,
        )
        if scenario not in TEAMS:
            return agent
        return RoundRobinGroupChat([agent], termination_condition=MaxMessageTermination(2))

    return build


@asynccontextmanager
async def open_contender(url: str, folder: Path) -> AsyncIterator[DurableAutoGen]:
    """Proctor, ready to run."""
    deployment = {
        "model": MODEL,
        "base_url": url,
        "api_key": "none",
        "price": {"input": "0.25", "output": "2"},
    }
    settings = proctor.Settings.model_validate(
        {"database": {"url": f"sqlite:///{folder / 'proctor.db'}"}, "models": {"small": deployment}}
    )
    async with proctor.open(make_app(), settings=settings) as running:
        yield DurableAutoGen(running)


if __name__ == "__main__":
    serve(open_contender, "autogen-agentchat", "autogen-core", "openai", "pydantic", "sqlalchemy")
