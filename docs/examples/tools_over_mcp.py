"""Pattern 2: several agents collaborate through the tools of an MCP server.

`proctor.toml` names the server under `[tools.store]`; the team says which of its tools it may use. What only
reads is called at once; what changes the store waits for a person.
"""

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import SourceMatchTermination
from autogen_agentchat.teams import RoundRobinGroupChat

import proctor

app = proctor.App()

TOOLS = ["store.get_order_details", "store.cancel_pending_order"]


@app.team("collaboration", tools=TOOLS)
def collaboration(ctx: proctor.TeamContext) -> RoundRobinGroupChat:
    """The analyst says what is wanted, the executor does it."""
    analyst = AssistantAgent(
        "analyst",
        model_client=ctx.model("small"),
        system_message="Say in one sentence what the customer wants and about which order.",
    )
    executor = AssistantAgent(
        "executor",
        model_client=ctx.model("small"),
        workbench=ctx.tools(*TOOLS),
        max_tool_iterations=10,
        system_message="Do what the analyst says with your tools, then tell the customer the result.",
    )
    return RoundRobinGroupChat(
        [analyst, executor], termination_condition=SourceMatchTermination(["executor"])
    )
