"""Interrupted tools without idempotency: a person is asked each time, and an answer serves once."""

import asyncio

from autogen_agentchat.agents import AssistantAgent

import proctor
from proctor import Decision, Settings
from proctor.approvals import Filter
from proctor.core import ModelCall
from proctor.testing import Reply, ScriptedModel, tool_call


def script(call: ModelCall) -> Reply:
    return "Paid." if call.messages[-1]["role"] == "tool" else [tool_call("pay", euros=5)]


class Till:
    """A tool that takes the money and then, as long as it is stuck, never answers."""

    def __init__(self) -> None:
        self.paid: list[int] = []
        self.stuck = True
        self.reached = asyncio.Event()
        self.app = proctor.App()
        self.app.tool(effect="consequential")(self.pay)
        self.app.team("till", tools=["pay"])(self.clerk)

    async def pay(self, euros: int) -> str:
        """Pays."""
        self.paid.append(euros)
        if self.stuck:
            self.reached.set()
            await asyncio.get_running_loop().create_future()
        return f"paid {euros}"

    def clerk(self, ctx: proctor.TeamContext) -> AssistantAgent:
        return AssistantAgent(
            "clerk", model_client=ctx.model("small"), workbench=ctx.tools("pay"), max_tool_iterations=5
        )


async def decided_and_killed(settings: Settings, till: Till, run_id: str) -> None:
    """Approves what the run waits for, and ends the process in the middle of the tool."""
    till.reached.clear()
    async with (
        asyncio.timeout(20),
        proctor.open(till.app, settings=settings, providers={"openai": ScriptedModel(script)}) as running,
    ):
        await running.wait(run_id)
        [waiting] = await running.approvals()
        await running.decide(waiting.id, Decision(kind="approve", by="ann"))
        await till.reached.wait()


async def test_a_repetition_that_is_interrupted_too_is_asked_about_again(settings):
    till = Till()
    async with proctor.open(
        till.app, settings=settings, providers={"openai": ScriptedModel(script)}
    ) as running:
        run = await running.run("till", "Pay five.")
    await decided_and_killed(settings, till, run.id)
    await decided_and_killed(settings, till, run.id)
    assert till.paid == [5, 5]
    till.stuck = False
    async with (
        asyncio.timeout(20),
        proctor.open(till.app, settings=settings, providers={"openai": ScriptedModel(script)}) as running,
    ):
        run = await running.wait(run.id)
        assert run.state == "waiting"
        [waiting] = await running.approvals()
        assert waiting.question.kind == "uncertain"
        assert till.paid == [5, 5]
        await running.decide(waiting.id, Decision(kind="respond", comment="paid 5", by="ann"))
        run = await running.wait(run.id)
        calls = [call for call in await running.runs.calls(run.id) if call.key.kind == "tool"]
        asked = await running.approvals(Filter(state="consumed"))
    assert (run.state, run.result, till.paid) == ("completed", "Paid.", [5, 5])
    assert [call.outcome["text"] for call in calls] == ["paid 5"]
    assert calls[0].outcome["acted"] is True
    assert [approval.question.kind for approval in asked] == ["action", "uncertain", "uncertain"]
