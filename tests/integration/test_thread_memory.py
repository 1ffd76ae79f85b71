"""What agents know of earlier messages of a thread: as much as AutoGen's own team when it is run again."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from autogen_agentchat.agents import (
    AssistantAgent,
    BaseChatAgent,
    MessageFilterAgent,
    MessageFilterConfig,
    PerSourceFilter,
    SocietyOfMindAgent,
)
from autogen_agentchat.base import ChatAgent, Response, Team
from autogen_agentchat.conditions import (
    HandoffTermination,
    MaxMessageTermination,
    SourceMatchTermination,
    TextMentionTermination,
)
from autogen_agentchat.messages import BaseChatMessage, TextMessage
from autogen_agentchat.teams import DiGraphBuilder, GraphFlow, RoundRobinGroupChat, SelectorGroupChat, Swarm
from autogen_agentchat.tools import AgentTool, TeamTool
from autogen_core import CancellationToken
from autogen_core.models import ChatCompletionClient, ModelInfo

import proctor
from proctor import Decision, Settings
from proctor.agents import GovernedModelClient
from proctor.core import JsonObject, ModelCall, ModelRefused, ModelResult, TeamSettings, canonical_json
from proctor.models import Deployment
from proctor.testing import FakeScope, Reply, ScriptedModel, tool_call
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

FIRST, SECOND = "What does the first one cost?", "And the second one?"

Build = Callable[[ChatCompletionClient], Team | ChatAgent]


def agent(model: ChatCompletionClient, name: str, **more: Any) -> AssistantAgent:
    return AssistantAgent(name, model_client=model, description=name, **more)


def single(model: ChatCompletionClient) -> ChatAgent:
    return agent(model, "a")


def round_robin(model: ChatCompletionClient) -> Team:
    members = [agent(model, "a"), agent(model, "b"), agent(model, "c")]
    return RoundRobinGroupChat(members, termination_condition=MaxMessageTermination(7))


def selector(model: ChatCompletionClient) -> Team:
    members = [agent(model, "a"), agent(model, "b"), agent(model, "c")]
    return SelectorGroupChat(
        members,
        model_client=model,
        allow_repeated_speaker=True,
        termination_condition=MaxMessageTermination(5),
    )


def swarm(model: ChatCompletionClient) -> Team:
    members = [
        agent(model, "a", handoffs=["b", "c"]),
        agent(model, "b", handoffs=["a", "c"]),
        agent(model, "c", handoffs=["a", "b"]),
    ]
    return Swarm(members, termination_condition=MaxMessageTermination(6))


def graph(model: ChatCompletionClient) -> Team:
    agents = {name: agent(model, name) for name in "abcd"}
    builder = DiGraphBuilder()
    for member in agents.values():
        builder.add_node(member)
    for start, end in ("ab", "ac", "bd", "cd"):
        builder.add_edge(agents[start], agents[end])
    return GraphFlow(builder.get_participants(), graph=builder.build())


def agent_tool(model: ChatCompletionClient) -> ChatAgent:
    return agent(model, "boss", tools=[AgentTool(agent(model, "helper"))], reflect_on_tool_use=True)


def team_tool(model: ChatCompletionClient) -> Team:
    inner = RoundRobinGroupChat(
        [agent(model, "x"), agent(model, "y")], termination_condition=MaxMessageTermination(3)
    )
    tool = TeamTool(inner, name="helper", description="helps")
    boss = agent(model, "boss", tools=[tool], reflect_on_tool_use=True)
    return RoundRobinGroupChat([boss], termination_condition=MaxMessageTermination(2))


def society(model: ChatCompletionClient) -> Team:
    inner = RoundRobinGroupChat(
        [agent(model, "x"), agent(model, "y")], termination_condition=SourceMatchTermination(["y"])
    )
    mind = SocietyOfMindAgent("mind", team=inner, model_client=model)
    return RoundRobinGroupChat([agent(model, "a"), mind], termination_condition=MaxMessageTermination(3))


def filtered(model: ChatCompletionClient) -> Team:
    last = MessageFilterConfig(per_source=[PerSourceFilter(source="a", position="last", count=1)])
    behind = MessageFilterAgent("behind", agent(model, "b"), last)
    return RoundRobinGroupChat([agent(model, "a"), behind], termination_condition=MaxMessageTermination(3))


def within(model: ChatCompletionClient) -> Team:
    inner = RoundRobinGroupChat(
        [agent(model, "x"), agent(model, "y")],
        name="inner",
        termination_condition=SourceMatchTermination(["y"]),
    )
    return RoundRobinGroupChat([agent(model, "a"), inner], termination_condition=MaxMessageTermination(4))


class Direct:
    """A session that asks the model and does nothing else."""

    def __init__(self, model: ScriptedModel, deployment: Deployment) -> None:
        self._model = model
        self._deployment = deployment

    async def model(self, agent: str, **request: Any) -> ModelResult:
        scope = FakeScope(agent=agent)
        return await self._model.complete(ModelCall(scope=scope, **request), self._deployment)


def requests(calls: Sequence[ModelCall]) -> Counter[str]:
    return Counter(canonical_json(call.request()) for call in calls)


async def autogens_own(settings: Settings, build: Build) -> Counter[str]:
    """What the models are asked when AutoGen's own team is run a second time."""
    model = ScriptedModel(script)
    info = ModelInfo(
        vision=False,
        function_calling=True,
        json_output=True,
        family="unknown",
        structured_output=True,
        multiple_system_messages=True,
    )
    session: Any = Direct(model, Deployment(name="small", settings=settings.models["small"]))
    team = build(GovernedModelClient(session, model="small", info=info, context_window=32_768))
    await team.run(task=FIRST)
    before = len(model.calls)
    await team.run(task=SECOND)
    return requests(model.calls[before:])


@pytest.mark.parametrize(
    "build",
    [single, round_robin, selector, swarm, graph, agent_tool, team_tool, society, filtered, within],
)
async def test_a_fresh_team_asks_what_autogens_own_would_ask_the_second_time(
    settings: Settings, build: Build
) -> None:
    app = proctor.App()
    app.team("team")(lambda ctx: build(ctx.model("small")))
    model = ScriptedModel(script)
    async with proctor.open(app, settings=settings, providers={"openai": model}) as running:
        thread = await running.open_thread("team")
        first = await running.run("team", FIRST, thread=thread.id)
        before = len(model.calls)
        second = await running.run("team", SECOND, thread=thread.id)
    assert (first.state, second.state) == ("completed", "completed")
    assert requests(model.calls[before:]) == await autogens_own(settings, build)


def zoo() -> proctor.App:
    app = proctor.App()

    @app.tool(effect="read_only")
    async def act(x: str) -> str:
        """Acts."""
        return f"ok {x}"

    add_teams(app)
    return app


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_team_is_told_the_earlier_message(settings: Settings, kind: str) -> None:
    model = ScriptedModel(script)
    async with proctor.open(zoo(), settings=settings, providers={"openai": model}) as running:
        thread = await running.open_thread(kind)
        first = await running.run(kind, FIRST, thread=thread.id)
        before = len(model.calls)
        second = await running.run(kind, SECOND, thread=thread.id)
        events = await running.runs.events(second.id)
    assert (first.state, second.state) == ("completed", "completed")
    asked = str(model.calls[before].messages)
    assert FIRST in asked
    assert SECOND in asked
    assert str(first.result) in asked
    assert [event for event in events if event.type == "thread.state_lost"] == []


async def test_a_run_without_a_thread_knows_of_no_other(settings: Settings) -> None:
    model = ScriptedModel(script)
    async with proctor.open(zoo(), settings=settings, providers={"openai": model}) as running:
        thread, other = await running.open_thread("single"), await running.open_thread("single")
        await running.run("single", FIRST, thread=thread.id)
        before = len(model.calls)
        await running.run("single", SECOND)
        await running.run("single", SECOND, thread=other.id)
    assert not any(FIRST in str(call.messages) for call in model.calls[before:])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_second_run_that_is_stopped_anywhere_replays_exactly(
    settings: Settings, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for after in (0, 1, 3):
        folder = tmp_path_factory.mktemp("stop")
        database = settings.database.model_copy(update={"url": f"sqlite:///{folder}/p.db"})
        await stopped(settings.model_copy(update={"database": database}), kind, after)


async def stopped(settings: Settings, kind: str, after: int) -> None:
    reached = asyncio.Event()
    answered: list[str] = []
    begun = SimpleNamespace(calls=0, silent=False)

    async def model(call: ModelCall) -> Reply:
        if begun.silent and begun.calls >= after:
            reached.set()
            await asyncio.get_running_loop().create_future()
        begun.calls += 1
        answered.append(call.scope.key)
        return script(call)

    async with (
        asyncio.timeout(20),
        proctor.open(
            zoo(), settings=settings, providers={"openai": ScriptedModel(model)}, grace=timedelta(0)
        ) as running,
    ):
        thread = await running.open_thread(kind)
        assert (await running.run(kind, FIRST, thread=thread.id)).state == "completed"
        begun.silent, begun.calls = True, 0
        run = await running.start(kind, SECOND, thread=thread.id)
        ended = asyncio.create_task(running.wait(run.id))
        silent = asyncio.create_task(reached.wait())
        await asyncio.wait({ended, silent}, return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, silent):
            task.cancel()
        await asyncio.gather(ended, silent, return_exceptions=True)
        while not begun.calls <= sum(call.outcome is not None for call in await running.runs.calls(run.id)):
            await asyncio.sleep(0.01)
    begun.silent = False
    async with (
        asyncio.timeout(20),
        proctor.open(zoo(), settings=settings, providers={"openai": ScriptedModel(model)}) as running,
    ):
        run = await running.wait(run.id)
    assert run.state == "completed", run.error
    assert set(Counter(answered).values()) == {1}, "a recorded call was made again"


async def test_a_handoff_to_the_user_is_answered_by_the_agent_that_asked(settings: Settings) -> None:
    app = proctor.App()

    @app.team("desk")
    def desk(ctx: proctor.TeamContext) -> Team:
        triage = agent(ctx.model("small"), "triage", handoffs=["refunds"])
        refunds = agent(ctx.model("small"), "refunds", handoffs=["user"])
        ends = HandoffTermination(target="user") | TextMentionTermination("done")
        return Swarm([triage, refunds], termination_condition=ends)

    def model(call: ModelCall) -> Reply:
        if SECOND in str(call.messages):
            return "It is done."
        return [tool_call(str(call.tools[0]["function"]["name"]))]

    scripted = ScriptedModel(model)
    async with proctor.open(app, settings=settings, providers={"openai": scripted}) as running:
        thread = await running.open_thread("desk")
        await running.run("desk", FIRST, thread=thread.id)
        run = await running.run("desk", SECOND, thread=thread.id)
    assert run.result == "It is done."
    assert [call.scope.agent for call in scripted.calls] == ["triage", "refunds", "refunds"]


async def test_a_person_is_shown_the_earlier_conversation(settings: Settings) -> None:
    app = proctor.App()

    @app.team("confirmed")
    def confirmed(ctx: proctor.TeamContext) -> Team:
        members = [agent(ctx.model("small"), "writer"), ctx.human("manager")]
        return RoundRobinGroupChat(members, termination_condition=MaxMessageTermination(3))

    model = ScriptedModel(["First draft.", "Second draft."])
    async with proctor.open(app, settings=settings, providers={"openai": model}) as running:
        thread = await running.open_thread("confirmed")
        for task in (FIRST, SECOND):
            run = await running.run("confirmed", task, thread=thread.id)
            (approval,) = await running.approvals()
            await running.decide(approval.id, Decision(kind="approve", by="ann"))
            assert (await running.wait(run.id)).state == "completed"
    shown: Any = approval.question.action["conversation"]
    assert [message["text"] for message in shown] == [FIRST, "First draft.", SECOND, "Second draft."]
    assert "APPROVE" in str(model.calls[1].messages)


class Keeper(BaseChatAgent):
    """An agent of the user's own that counts the messages it was sent."""

    def __init__(self, *, state: Any = None) -> None:
        super().__init__("keeper", "keeps")
        self._state = state
        self.seen = 0

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        return (TextMessage,)

    async def on_messages(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> Response:
        self.seen += len(messages)
        return Response(chat_message=TextMessage(content=f"seen {self.seen}", source=self.name))

    async def on_messages_stream(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> AsyncGenerator[Response, None]:
        yield await self.on_messages(messages, cancellation_token)

    async def on_reset(self, cancellation_token: CancellationToken) -> None: ...

    async def save_state(self) -> Mapping[str, Any]:
        if isinstance(self._state, BaseException):
            raise self._state
        return {"seen": self.seen} if self._state is None else {"state": self._state}

    async def load_state(self, state: Mapping[str, Any]) -> None:
        self.seen = state["seen"]


async def test_an_agent_of_the_users_own_keeps_what_it_says(settings: Settings) -> None:
    app = proctor.App()
    app.team("team")(lambda _: Keeper())
    async with proctor.open(app, settings=settings, providers={}) as running:
        thread = await running.open_thread("team")
        results = [(await running.run("team", FIRST, thread=thread.id)).result for _ in range(3)]
    assert results == ["seen 1", "seen 2", "seen 3"]


class Unusual(BaseException):
    """No Exception."""


@pytest.mark.parametrize("state", [ValueError("a mistake"), Unusual("unusual"), object(), float("nan")])
async def test_an_agent_that_cannot_tell_its_state_loses_its_own_and_not_the_run(
    settings: Settings, state: Any
) -> None:
    app = proctor.App()

    @app.team("team")
    def team(ctx: proctor.TeamContext) -> Team:
        members: list[ChatAgent | Team] = [agent(ctx.model("small"), "a"), Keeper(state=state)]
        return RoundRobinGroupChat(members, termination_condition=MaxMessageTermination(3))

    model = ScriptedModel(["One.", "Two."])
    async with proctor.open(app, settings=settings, providers={"openai": model}) as running:
        thread = await running.open_thread("team")
        first = await running.run("team", FIRST, thread=thread.id)
        second = await running.run("team", SECOND, thread=thread.id)
        events = await running.runs.events(first.id)
    assert (first.state, second.state) == ("completed", "completed")
    (lost,) = [event.data for event in events if event.type == "thread.state_lost"]
    assert lost["when"] == "end"
    assert list(parts(lost)) == ["keeper"]
    assert FIRST in str(model.calls[1].messages)


def parts(data: JsonObject) -> dict[str, str]:
    found: Any = data["parts"]
    return dict(found)


async def test_an_agent_that_cannot_take_its_state_begins_anew(settings: Settings) -> None:
    def app(keeper: Callable[[], ChatAgent]) -> proctor.App:
        app = proctor.App()
        app.team("team")(lambda _: keeper())
        return app

    async with proctor.open(app(lambda: Keeper(state="other")), settings=settings, providers={}) as running:
        thread = await running.open_thread("team")
        await running.run("team", FIRST, thread=thread.id)
    async with proctor.open(app(Keeper), settings=settings, providers={}) as running:
        run = await running.run("team", SECOND, thread=thread.id)
        events = await running.runs.events(run.id)
    assert (run.state, run.result) == ("completed", "seen 1")
    (lost,) = [event.data for event in events if event.type == "thread.state_lost"]
    assert lost == {"when": "begin", "parts": {"keeper": "KeyError: 'seen'"}}


async def test_a_team_that_has_changed_keeps_what_its_agents_know(settings: Settings) -> None:
    def app(*names: str) -> proctor.App:
        app = proctor.App()

        @app.team("team")
        def team(ctx: proctor.TeamContext) -> Team:
            members = [agent(ctx.model("small"), name) for name in names]
            return RoundRobinGroupChat(members, termination_condition=MaxMessageTermination(1 + len(names)))

        return app

    thread, lost = "", []
    model = ScriptedModel(script)
    for names in ("ab", "bc", "bc", "ab"):  # a release that is rolled back later
        async with proctor.open(app(*names), settings=settings, providers={"openai": model}) as running:
            thread = thread or (await running.open_thread("team")).id
            run = await running.run("team", f"to {names}", thread=thread)
            events = await running.runs.events(run.id)
        assert run.state == "completed", run.error
        lost.append([event.data for event in events if event.type == "thread.state_lost"])
    assert [bool(each) for each in lost] == [False, True, False, True]
    assert list(parts(lost[1][0])) == ["a"]
    assert list(parts(lost[3][0])) == ["c"]
    of_c = [str(call.messages) for call in model.calls if call.scope.agent == "c"]
    assert "to ab" not in of_c[0]
    assert "to bc" in of_c[1]
    of_a = [str(call.messages) for call in model.calls if call.scope.agent == "a"]
    assert "to ab" in of_a[1], "what was set aside came back"


async def test_a_resumed_run_begins_with_what_it_began_with(settings: Settings) -> None:
    """Else a run that is resumed when the conversation has gone on wouldn't find its recorded calls again."""
    app = proctor.App()
    strict = {"team": TeamSettings(approval="never", retries=0)}

    @app.team("team")
    def team(ctx: proctor.TeamContext) -> Team:
        members = [agent(ctx.model("small"), "a"), agent(ctx.model("small"), "b")]
        return RoundRobinGroupChat(members, termination_condition=MaxMessageTermination(3))

    broken = ValueError("out of order")
    answers: list[Reply] = ["1a", "1b", "2a", broken, "3a", "3b", "2b"]
    model = ScriptedModel(answers)
    limited = settings.model_copy(update={"teams": strict})
    async with (
        asyncio.timeout(20),
        proctor.open(app, settings=limited, providers={"openai": model}) as running,
    ):
        thread = await running.open_thread("team")
        await running.run("team", "one", thread=thread.id)
        second = await running.run("team", "two", thread=thread.id)
        assert second.state == "failed"
        third = await running.run("team", "three", thread=thread.id)
        assert (third.state, third.result) == ("completed", "3b")
        await running.resume(second.id)
        second = await running.wait(second.id)
        fourth = await running.start("team", "four", thread=thread.id)
        await running.wait(fourth.id)
    assert (second.state, second.result) == ("completed", "2b")
    asked = {str(call.messages[-1]["content"]): str(call.messages) for call in model.calls}
    assert "two" not in asked["three"], "a run that failed has no part in the conversation"
    assert "three" not in asked["2a"]
    assert "three" in asked["four"]
    assert "two" not in asked["four"], "the conversation had gone on without it"


async def test_an_agent_that_failed_at_its_tool_leaves_no_open_call(settings: Settings) -> None:
    app = proctor.App()

    @app.tool(effect="read_only")
    async def look_up() -> str:
        """Never answers."""
        await asyncio.get_running_loop().create_future()
        return ""

    @app.team("team", tools=["look_up"])
    def team(ctx: proctor.TeamContext) -> Team:
        seeking = agent(ctx.model("small"), "a", workbench=ctx.tools("look_up"))
        members: list[ChatAgent | Team] = [seeking, agent(ctx.model("small"), "b")]
        return RoundRobinGroupChat(members, termination_condition=MaxMessageTermination(3))

    def model(call: ModelCall) -> Reply:
        return [tool_call("look_up")] if call.tools and SECOND not in str(call.messages) else "An answer."

    limits = TeamSettings(agent_timeout=timedelta(seconds=0.3), on_failure="state", retries=0)
    limited = settings.model_copy(update={"teams": {"team": limits}})
    scripted = ScriptedModel(model)
    async with (
        asyncio.timeout(20),
        proctor.open(app, settings=limited, providers={"openai": scripted}) as running,
    ):
        thread = await running.open_thread("team")
        first = await running.run("team", FIRST, thread=thread.id)
        before = len(scripted.calls)
        second = await running.run("team", SECOND, thread=thread.id)
    assert (first.state, second.state) == ("completed", "completed")
    asked = scripted.calls[before].messages
    assert FIRST in str(asked)
    assert not any("tool_calls" in message for message in asked)


async def test_a_stand_in_knows_what_it_answered_before(settings: Settings) -> None:
    app = proctor.App()

    @app.team("team")
    def team(ctx: proctor.TeamContext) -> ChatAgent:
        first = agent(ctx.model("small"), "a", system_message="You are the first.")
        ctx.stand_in(first, agent(ctx.model("small"), "backup", system_message="You stand in."))
        return first

    def model(call: ModelCall) -> Reply:
        return ModelRefused("no") if call.messages[0]["content"] == "You are the first." else "Stood in."

    scripted = ScriptedModel(model)
    async with proctor.open(app, settings=settings, providers={"openai": scripted}) as running:
        thread = await running.open_thread("team")
        for task in (FIRST, SECOND):
            run = await running.run("team", task, thread=thread.id)
            assert (run.state, run.result) == ("completed", "Stood in."), run.error
    assert [FIRST in str(scripted.calls[-1].messages), SECOND in str(scripted.calls[-1].messages)] == [
        True
    ] * 2
