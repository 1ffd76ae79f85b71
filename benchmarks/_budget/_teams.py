"""The application of the benchmark: three teams of one agent, whose tools cost something too."""

from collections.abc import Callable

from autogen_agentchat.agents import AssistantAgent

import proctor
from benchmarks._budget._workload import TEAMS, deployment_of, order_of

PLACE = "benchmarks._budget._teams"
"""Where workers find it."""

app = proctor.App()


def _factory() -> Callable[[proctor.TeamContext], AssistantAgent]:
    def build(ctx: proctor.TeamContext) -> AssistantAgent:
        return AssistantAgent(
            "clerk",
            model_client=ctx.model(deployment_of(order_of(ctx.task))),
            system_message="Handle the order with the tools, both at once, as often as is needed.",
            workbench=ctx.tools("lookups", "stocks"),
            max_tool_iterations=10,
        )

    return build


for name in TEAMS:
    app.team(name, tools=["lookups", "stocks"])(_factory())
