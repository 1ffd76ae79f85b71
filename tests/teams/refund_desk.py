"""A governed team with one agent on tool servers, whose model is as obedient as its script."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent

import proctor
from conftest import make_settings
from proctor import Decision
from proctor.core import ModelCall
from proctor.testing import Reply, ScriptedModel


class Desk:
    """The team, and what it has done: its only tool of its own pays orders back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = ScriptedModel([])
        self.refunds: list[str] = []

    @asynccontextmanager
    async def opened(
        self,
        script: Callable[[ModelCall], Reply] | Sequence[Reply],
        servers: Mapping[str, Mapping[str, Any]],
        **settings: Any,
    ) -> AsyncIterator[proctor.Proctor]:
        """The application with these sections of tools, and further settings."""
        app = proctor.App()
        tools = [*servers, "refund"]

        @app.tool(effect="consequential")
        def refund(order: str) -> str:
            """Pays an order back."""
            self.refunds.append(order)
            return f"{order} is paid back"

        @app.team("desk", tools=tools)
        def desk(ctx: proctor.TeamContext) -> ChatAgent:
            return AssistantAgent(
                "clerk", model_client=ctx.model("small"), workbench=ctx.tools(*tools), max_tool_iterations=10
            )

        self.model = ScriptedModel(script)
        configured = make_settings(f"sqlite:///{self.folder}/proctor.db", tools=dict(servers), **settings)
        async with (
            asyncio.timeout(120),
            proctor.open(app, settings=configured, providers={"openai": self.model}) as running,
        ):
            yield running

    def answers(self) -> list[str]:
        """What the model has read of its tools, in order."""
        return answers(self.model.calls[-1])


def answers(call: ModelCall) -> list[str]:
    """What a model is shown of its tools, in order."""
    return [str(each["content"]) for each in call.messages if each["role"] == "tool"]


async def refusals(running: proctor.Proctor, run: proctor.Run) -> list[str]:
    """The rules that refused calls of a run that went well otherwise, in order."""
    assert run.state == "completed", run.error
    events = await running.runs.events(run.id)
    return [str(event.data["rule"]) for event in events if event.type == "tool.refused"]


async def only_question(running: proctor.Proctor, run: proctor.Run) -> str:
    assert run.state == "waiting", run.error
    [approval] = await running.approvals()
    assert approval.run_id == run.id
    return approval.question.text


async def decided(running: proctor.Proctor, run: proctor.Run, kind: Any) -> proctor.Run:
    """The run after a person's decision on the one thing that it asks."""
    [approval] = await running.approvals()
    await running.decide(approval.id, Decision(kind=kind, by="ann"))
    return await running.wait(run.id)
