"""What a model gets wrong, it reads: the run neither breaks nor hangs, whatever the arguments are."""

import asyncio

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import Swarm
from autogen_agentchat.tools import AgentTool

import proctor
from proctor import Settings
from proctor.core import ModelCall, ModelResult, Usage
from proctor.testing import Reply, ScriptedModel

ARGUMENTS = {
    "no JSON": "{x",
    "a list": "[1]",
    "null": "null",
    "a number": "3",
    "a text": '"a"',
    "NaN": '{"x": NaN}',
    "infinity": '{"x": 1e400}',
    "5,000 digits": '{"x": ' + "9" * 5_000 + "}",
    "half a character": '{"x": "\\ud800"}',
    "half a character in a name": '{"\\ud800": 1}',
    "a raw half of a character": '{"x": "\ud800"}',
    "too deep": '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}",
}

CALLED = {"tool": "act", "handoff": "transfer_to_other", "nested": "helper"}


def application(acted: list[str]) -> proctor.App:
    app = proctor.App()

    @app.tool(effect="read_only")
    async def act(x: str) -> str:
        """Acts."""
        acted.append(x)
        return x

    @app.team("tool", tools=["act"])
    def tool(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent(
            "clerk", model_client=ctx.model("small"), workbench=ctx.tools("act"), max_tool_iterations=3
        )

    @app.team("handoff")
    def handoff(ctx: proctor.TeamContext) -> Team:
        clerk = AssistantAgent("clerk", model_client=ctx.model("small"), handoffs=["other"])
        other = AssistantAgent("other", model_client=ctx.model("small"))
        return Swarm([clerk, other], termination_condition=MaxMessageTermination(4))

    @app.team("nested")
    def nested(ctx: proctor.TeamContext) -> ChatAgent:
        helper = AssistantAgent("helper", model_client=ctx.model("small"), description="Helps.")
        return AssistantAgent(
            "clerk", model_client=ctx.model("small"), tools=[AgentTool(helper)], max_tool_iterations=3
        )

    return app


def answer(content: str | None, *calls: dict[str, object]) -> ModelResult:
    message = {"role": "assistant", "content": content} | ({"tool_calls": list(calls)} if calls else {})
    return ModelResult(
        message=message,  # type: ignore[arg-type]
        finish_reason="tool_calls" if calls else "stop",
        usage=Usage(),
        deployment="small",
        model="m",
    )


@pytest.mark.parametrize("team", CALLED)
@pytest.mark.parametrize("wrong", ARGUMENTS)
async def test_arguments_that_are_no_plain_object_are_refused_to_the_model(
    settings: Settings, team: str, wrong: str
) -> None:
    acted: list[str] = []

    def script(call: ModelCall) -> Reply:
        names = [tool["function"]["name"] for tool in call.tools]
        if CALLED[team] in names and call.messages[-1]["role"] != "tool":
            function = {"name": CALLED[team], "arguments": ARGUMENTS[wrong]}
            return answer(None, {"id": "c1", "type": "function", "function": function})
        return "I see."

    async with proctor.open(
        application(acted), settings=settings, providers={"openai": ScriptedModel(script)}
    ) as running:
        async with asyncio.timeout(20):
            run = await running.run(team, "hello")
    assert (run.state, run.error) == ("completed", None)
    assert acted == []


async def test_an_answer_that_no_database_stores_is_kept_readable(settings: Settings) -> None:
    app = application([])
    model = ScriptedModel([answer("half \ud800")])
    async with proctor.open(app, settings=settings, providers={"openai": model}) as running:
        async with asyncio.timeout(20):
            run = await running.run("tool", "hello")
            calls = await running.runs.calls(run.id)
    assert (run.state, run.result) == ("completed", "half ?")
    assert [call.outcome["message"]["content"] for call in calls if call.outcome] == ["half \ud800"]
