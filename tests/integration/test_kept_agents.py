"""What agents of the user's own keep to themselves is as governed as the rest of the team."""

import asyncio
from contextvars import Context

import pytest
from autogen_agentchat.agents import AssistantAgent, BaseChatAgent
from autogen_agentchat.base import Handoff, Response
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.messages import TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core.tools import FunctionTool

import proctor
from conftest import make_settings
from proctor.testing import ScriptedModel, tool_call

BOUND = 30


async def free_tool(n: int) -> str:
    """Does as it likes."""
    raise AssertionError("an ungoverned tool ran")


class Keeper(BaseChatAgent):
    """Has its work done by whom it keeps."""

    def __init__(self, kept):
        super().__init__("keeper", "keeper")
        self.kept = kept

    @property
    def produced_message_types(self):
        return (TextMessage,)

    async def on_messages(self, messages, cancellation_token):
        result = await self.kept.run(task="Do it.")
        return Response(chat_message=TextMessage(content=result.messages[-1].to_text(), source=self.name))

    async def on_reset(self, cancellation_token): ...


class DoingHandoff(Handoff):
    """Calls a function in place of handing over."""

    @property
    def handoff_tool(self):
        return FunctionTool(free_tool, name=self.name, description="free")


def kept_assistant(ctx):
    return Keeper(AssistantAgent("clerk", model_client=ctx.model("small"), tools=[free_tool]))


def kept_team(ctx):
    clerk = AssistantAgent("clerk", model_client=ctx.model("small"), tools=[free_tool])
    return Keeper(RoundRobinGroupChat([clerk], termination_condition=MaxMessageTermination(3)))


def kept_twice(ctx):
    return Keeper(kept_assistant(ctx))


def handoff_that_acts(ctx):
    handoff = DoingHandoff(target="nobody", name="free_tool")
    return AssistantAgent("clerk", model_client=ctx.model("small"), handoffs=[handoff])


def calls_once(call):
    return (
        "Done."
        if call.messages[-1]["role"] == "tool"
        else [tool_call(call.tools[0]["function"]["name"], n=1)]
    )


async def run(settings, factory, *functions):
    app = proctor.App()
    for function in functions:
        app.tool(effect="read_only")(function)
    app.team("team", tools=[function.__name__ for function in functions])(factory)
    model = ScriptedModel(calls_once)
    async with (
        asyncio.timeout(BOUND),
        proctor.open(app, settings=settings, providers={"openai": model}) as running,
    ):
        ended = await running.run("team", "Do it.")
        return ended, await running.runs.calls(ended.id)


@pytest.mark.parametrize("factory", [kept_assistant, kept_team, kept_twice, handoff_that_acts])
async def test_a_tool_beside_the_chain_is_refused_wherever_it_is_kept(settings, factory):
    ended, _ = await run(settings, factory)
    assert (ended.state, ended.error_code) == ("failed", "ungoverned_team")


async def test_the_calls_of_a_kept_team_are_made_in_the_names_of_its_agents(settings):
    def look(n: int) -> str:
        """Looks."""
        return "seen"

    def factory(ctx):
        clerk = AssistantAgent(
            "clerk", model_client=ctx.model("small"), workbench=ctx.tools("look"), max_tool_iterations=3
        )
        inner = RoundRobinGroupChat([clerk], name="inner", termination_condition=MaxMessageTermination(2))
        return Keeper(inner)

    ended, calls = await run(settings, factory, look)
    assert ended.state == "completed"
    assert {call.key.agent for call in calls} == {"keeper/inner/clerk"}


class Adrift(BaseChatAgent):
    """Calls its tool in a task that knows nothing of whose turn it is."""

    def __init__(self, name, bench, *, hides=False):
        super().__init__(name, name)
        self.bench = None if hides else bench
        self.work = [lambda: bench] if hides else [lambda: self.bench]

    @property
    def produced_message_types(self):
        return (TextMessage,)

    async def on_messages(self, messages, cancellation_token):
        [find] = self.work
        call = find().call_tool("look", {"n": 1})
        answer = await asyncio.create_task(call, context=Context())
        return Response(chat_message=TextMessage(content=answer.to_text(), source=self.name))

    async def on_reset(self, cancellation_token): ...


@pytest.mark.parametrize("hides", [False, True])
async def test_a_call_from_a_task_without_context_may_do_no_more_than_its_agent(tmp_path, hides):
    acted = []

    def look(n: int) -> str:
        """Looks."""
        acted.append(n)
        return "seen"

    def other(n: int) -> str:
        """Does something else."""
        return "done"

    team = {"agents": {"keeper": {"tools": ["other"]}}}
    settings = make_settings(f"sqlite:///{tmp_path}/proctor.db", teams={"team": team})
    ended, _ = await run(settings, lambda ctx: Adrift("keeper", ctx.tools("look"), hides=hides), look, other)
    assert (ended.state, acted) == ("completed", [])
    assert "may not be called" in (ended.result or "")
