"""A first team. Run it with: proctor run app.py:helper "What can you do?"."""

from datetime import UTC, datetime

from autogen_agentchat.agents import AssistantAgent

import proctor

app = proctor.App()


@app.tool(effect="read_only")
def today() -> str:
    """Today's date."""
    return datetime.now(UTC).date().isoformat()


@app.team("helper", tools=["today"])
def helper(ctx: proctor.TeamContext) -> AssistantAgent:
    """Any AutoGen team or agent, built afresh for each run."""
    return AssistantAgent("helper", model_client=ctx.model("small"), workbench=ctx.tools("today"))
