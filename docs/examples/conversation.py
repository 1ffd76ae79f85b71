"""A conversation: each message is a run of its own, and the agents know what was said before.

`proctor run conversation.py:desk "What does the first one cost?" --thread new` opens one and names it.
"""

import asyncio

from autogen_agentchat.agents import AssistantAgent

import proctor

app = proctor.App()


@app.team("desk")
def desk(ctx: proctor.TeamContext) -> AssistantAgent:
    """One agent; a team of several keeps its agents' knowledge as well."""
    return AssistantAgent("clerk", model_client=ctx.model("small"))


async def talk(running: proctor.Proctor, *messages: str) -> list[str | None]:
    """The answers to some messages of one conversation."""
    thread = await running.open_thread("desk")
    return [(await running.run("desk", message, thread=thread.id)).result for message in messages]


async def main() -> None:
    """Asks twice, with the configuration of this folder."""
    async with proctor.open(app) as running:
        for answer in await talk(running, "What does the first one cost?", "And the second one?"):
            print(answer)


if __name__ == "__main__":
    asyncio.run(main())
