"""Pattern 1: one agent answers. Run it with `proctor run docs/examples/single_agent.py:assistant "Hello"`."""

from autogen_agentchat.agents import AssistantAgent

import proctor

app = proctor.App()


@app.team("assistant")
def assistant(ctx: proctor.TeamContext) -> AssistantAgent:
    """Built afresh for each run."""
    return AssistantAgent("assistant", model_client=ctx.model("small"), model_client_stream=True)
