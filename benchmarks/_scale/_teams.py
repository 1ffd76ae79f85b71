"""The scale benchmark's application: the agents of `benchmarks.overhead`, and one that waits for a person."""

from autogen_agentchat.agents import AssistantAgent

import proctor
from benchmarks._overhead._proctor import make_app
from benchmarks._overhead._workload import INSTRUCTIONS

PLACE = "benchmarks._scale._teams"
"""Where workers find it."""

WAITS = "waits"

app = make_app()


@app.tool(effect="consequential")
def refund(order: str) -> str:
    """Pays an order back."""
    return f"Order {order} was paid back."


@app.team(WAITS, tools=["refund"])
def waits(ctx: proctor.TeamContext) -> AssistantAgent:
    """An agent whose first tool call waits for a person."""
    return AssistantAgent(
        "clerk",
        model_client=ctx.model("small"),
        system_message=INSTRUCTIONS,
        workbench=ctx.tools("refund"),
        max_tool_iterations=10,
    )
