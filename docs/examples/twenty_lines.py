"""A notebook's team as a program that a company can depend on."""

import asyncio

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat

import proctor

app = proctor.App()


@app.tool(effect="consequential")
def cancel_order(order_id: str) -> str:
    """Cancels an order."""
    return f"{order_id} is cancelled"


@app.team("triage", tools=["cancel_order"])
def triage(ctx: proctor.TeamContext) -> RoundRobinGroupChat:
    """A clerk who acts, and a manager who has the last word."""
    clerk = AssistantAgent("clerk", model_client=ctx.model("small"), workbench=ctx.tools("cancel_order"))
    return RoundRobinGroupChat(
        [clerk, ctx.human("manager")], termination_condition=TextMentionTermination("APPROVE")
    )


async def main() -> None:
    """Runs the team until it waits for somebody."""
    async with proctor.open(app, target="twenty_lines.py") as running:
        run = await running.run("triage", "Please cancel my order W7.")
        print(run.state, [approval.question.text for approval in await running.approvals()])


if __name__ == "__main__":
    asyncio.run(main())
