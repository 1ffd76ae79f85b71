"""Every kind of AutoGen team, stopped at each of its model calls and rebuilt from the journal."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import Team
from autogen_agentchat.teams import DiGraphBuilder, GraphFlow
from autogen_core.memory import ListMemory, UpdateContextResult
from autogen_core.model_context import ChatCompletionContext

import proctor
from proctor import Settings
from proctor.core import ModelCall, TeamSettings
from proctor.runs import RecordedCall
from proctor.testing import Reply, ScriptedModel, tool_call
from teams.zoo import add_teams, script

KINDS = (
    "single",
    "round_robin",
    "selector",
    "swarm",
    "magentic",
    "graph",
    "agent_tool",
    "team_tool",
    "nested",
)


@dataclass
class Stop:
    """A model that falls silent at its n-th call, as if the process had been killed there."""

    after: int | None
    calls: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, call: ModelCall) -> Reply:
        if self.after is not None and self.calls >= self.after:
            self.reached.set()
            await asyncio.get_running_loop().create_future()
        self.calls += 1
        await asyncio.sleep(0.001 * (self.calls % 3))
        self.answered[call.scope.key] += 1
        return script(call)


def application(effects: list[str]) -> proctor.App:
    app = proctor.App()

    @app.tool(effect="consequential")
    async def act(x: str) -> str:
        """Acts."""
        await asyncio.sleep(0.001 * (len(effects) % 3))
        effects.append(x)
        return f"ok {x}"

    add_teams(app)
    return app


async def whole(settings: Settings, kind: str) -> tuple[proctor.Run, Stop, list[str]]:
    effects: list[str] = []
    stop = Stop(after=None)
    async with proctor.open(
        application(effects), settings=settings, providers={"openai": ScriptedModel(stop)}
    ) as running:
        run = await running.run(kind, "hello")
    return run, stop, effects


def all_recorded(calls: Sequence[RecordedCall], *, models: int) -> bool:
    """Whether so many models' answers are recorded, and the answers of all tools that were called."""
    answered = [call for call in calls if call.key.kind == "model" and call.outcome is not None]
    return len(answered) == models and all(c.outcome is not None for c in calls if c.key.kind == "tool")


async def interrupted(
    settings: Settings, kind: str, after: int
) -> tuple[proctor.Run, Counter[str], list[str]]:
    effects: list[str] = []
    first = Stop(after=after)
    app = application(effects)
    async with proctor.open(
        app, settings=settings, providers={"openai": ScriptedModel(first)}, grace=timedelta(0)
    ) as running:
        run = await running.start(kind, "hello")
        async with asyncio.timeout(20):
            await first.reached.wait()
            for _ in range(100):  # siblings of the silent call come to their ends
                await asyncio.sleep(0.001)
            while not all_recorded(await running.runs.calls(run.id), models=first.calls):
                await asyncio.sleep(0.001)
    second = Stop(after=None)
    async with proctor.open(app, settings=settings, providers={"openai": ScriptedModel(second)}) as running:
        async with asyncio.timeout(20):
            run = await running.wait(run.id)
    return run, first.answered + second.answered, effects


@pytest.mark.parametrize("kind", KINDS)
async def test_a_team_stopped_at_any_model_call_resumes_without_repeating_anything(
    settings: Settings, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    free = settings.model_copy(update={"teams": {kind: TeamSettings(approval="never", untrusted="allow")}})
    run, stop, effects = await whole(free, kind)
    assert run.state == "completed", run.error
    assert stop.calls > 0
    for after in range(stop.calls):
        folder = tmp_path_factory.mktemp("stop")
        fresh = free.model_copy(
            update={"database": free.database.model_copy(update={"url": f"sqlite:///{folder}/p.db"})}
        )
        again, answered, acted = await interrupted(fresh, kind, after)
        assert again.state == "completed", (after, again.error)
        assert again.attempt == 2
        assert set(answered.values()) == {1}, (after, "a recorded call was made again")
        assert sorted(acted) == sorted(effects), (after, "an effect is missing or doubled")


class Search(ListMemory):
    """A search that takes a while, in no journal."""

    async def update_context(self, model_context: ChatCompletionContext) -> UpdateContextResult:
        await asyncio.sleep(0.05)
        return await super().update_context(model_context)


def branches(ctx: proctor.TeamContext) -> Team:
    """A fork whose first branch answers sooner and asks later than its second."""
    searching = AssistantAgent("b", model_client=ctx.model("small"), memory=[Search()], **acting(ctx))
    other = AssistantAgent("c", model_client=ctx.model("small"), **acting(ctx))
    first, last = (AssistantAgent(name, model_client=ctx.model("small")) for name in "ad")
    graph = DiGraphBuilder()
    for member in (first, searching, other, last):
        graph.add_node(member)
    for start, end in ((first, searching), (first, other), (searching, last), (other, last)):
        graph.add_edge(start, end)
    return GraphFlow(graph.get_participants(), graph=graph.build())


def acting(ctx: proctor.TeamContext) -> dict[str, Any]:
    return {"workbench": ctx.tools("act"), "reflect_on_tool_use": True}


async def test_a_branch_that_is_slow_to_ask_again_is_waited_for(settings: Settings) -> None:
    effects: list[str] = []
    app = application(effects)
    app.team("branches", tools=["act"])(branches)
    free = settings.model_copy(
        update={"teams": {"branches": TeamSettings(approval="never", untrusted="allow")}}
    )
    reached = asyncio.Event()
    made: Counter[str] = Counter()

    async def model(call: ModelCall) -> Reply:
        agent, answered = call.scope.agent, call.messages[-1]["role"] == "tool"
        if agent == "c":
            await asyncio.sleep(0.1)
        if agent == "d" and not reached.is_set():
            reached.set()
            await asyncio.get_running_loop().create_future()
        made[call.scope.key] += 1
        return [tool_call("act", x=agent)] if agent in "bc" and not answered else f"said by {agent}"

    async with (
        asyncio.timeout(30),
        proctor.open(
            app, settings=free, providers={"openai": ScriptedModel(model)}, grace=timedelta(0)
        ) as running,
    ):
        run = await running.start("branches", "hello")
        await reached.wait()
        await running.database.commit(lambda _: None)
    async with (
        asyncio.timeout(30),
        proctor.open(app, settings=free, providers={"openai": ScriptedModel(model)}) as running,
    ):
        run = await running.wait(run.id)
    assert run.state == "completed"
    assert set(made.values()) == {1}
    assert sorted(effects) == ["b", "c"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_team_that_is_torn_down_leaves_no_task(settings: Settings, kind: str) -> None:
    before = asyncio.all_tasks()
    first = Stop(after=2)
    async with proctor.open(
        application([]), settings=settings, providers={"openai": ScriptedModel(first)}
    ) as running:
        async with asyncio.timeout(20):
            run = await running.start(kind, "hello")
            waiting = asyncio.create_task(running.wait(run.id))
            silent = asyncio.create_task(first.reached.wait())
            await asyncio.wait({waiting, silent}, return_when=asyncio.FIRST_COMPLETED)
            silent.cancel()
            await running.runs.cancel(run.id)
            await waiting
            assert (await running.wait(run.id)).state == "cancelled"
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
