"""Whatever bypasses the chain doesn't start; whatever an agent does to its team ends in a readable run."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest
from autogen_agentchat.agents import AssistantAgent, BaseChatAgent, CodeExecutorAgent, UserProxyAgent
from autogen_agentchat.base import ChatAgent, Response, Team
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.messages import BaseChatMessage, TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken
from autogen_core.code_executor import CodeBlock, CodeExecutor, CodeResult
from autogen_core.models import ChatCompletionClient, ModelInfo, RequestUsage
from autogen_core.tools import StaticWorkbench

import proctor
from proctor import Settings, TeamContext
from proctor.core import ConfigurationError
from proctor.testing import ScriptedModel


class OwnClient(ChatCompletionClient):
    """A model client as somebody brings it along."""

    component_type = "model"

    async def create(self, messages, **_more):
        raise AssertionError("an ungoverned model was called")

    async def create_stream(self, messages, **_more):
        raise AssertionError("an ungoverned model was called")
        yield

    async def close(self):
        pass

    def actual_usage(self):
        return RequestUsage(prompt_tokens=0, completion_tokens=0)

    total_usage = actual_usage

    def count_tokens(self, messages, **_more):
        return 0

    remaining_tokens = count_tokens

    @property
    def model_info(self):
        return ModelInfo(
            vision=False, function_calling=True, json_output=True, family="unknown", structured_output=True
        )

    capabilities = model_info


class OwnExecutor(CodeExecutor):
    """A place where code would run."""

    component_type = "code_executor"

    async def execute_code_blocks(
        self, code_blocks: list[CodeBlock], cancellation_token: CancellationToken
    ) -> CodeResult:
        raise AssertionError("code was executed")

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def restart(self) -> None: ...


async def free_tool(x: str) -> str:
    """Does as it likes."""
    raise AssertionError("an ungoverned tool ran")


def own_model(ctx: TeamContext) -> ChatAgent:
    return AssistantAgent("a", model_client=OwnClient())


def own_tool(ctx: TeamContext) -> ChatAgent:
    return AssistantAgent("a", model_client=ctx.model("small"), tools=[free_tool])


def own_workbench(ctx: TeamContext) -> ChatAgent:
    class Bench(StaticWorkbench):
        async def list_tools(self):
            return []

    from autogen_core.tools import FunctionTool

    return AssistantAgent(
        "a",
        model_client=ctx.model("small"),
        workbench=Bench([FunctionTool(free_tool, description="free")]),
    )


def code(ctx: TeamContext) -> Team:
    from autogen_agentchat.agents import ApprovalResponse

    agent = CodeExecutorAgent(
        "a",
        code_executor=OwnExecutor(),
        approval_func=lambda _: ApprovalResponse(approved=True, reason="a test"),
    )
    return RoundRobinGroupChat([agent])


def keyboard(ctx: TeamContext) -> Team:
    return RoundRobinGroupChat([UserProxyAgent("a")])


class Holder(BaseChatAgent):
    """An agent of the user's own that keeps something for itself."""

    def __init__(self, *held: object) -> None:
        super().__init__("holder", "holder")
        self.held = held

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        return (TextMessage,)

    async def on_messages(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> Response:
        raise AssertionError("an ungoverned agent was asked")

    async def on_reset(self, cancellation_token: CancellationToken) -> None: ...


def held_model(ctx: TeamContext) -> Team:
    return RoundRobinGroupChat([Holder(OwnClient())])


def held_tool(ctx: TeamContext) -> ChatAgent:
    from autogen_core.tools import FunctionTool

    return Holder(FunctionTool(free_tool, description="free"))


def held_executor(ctx: TeamContext) -> ChatAgent:
    return Holder(OwnExecutor())


def nested_model(ctx: TeamContext) -> Team:
    return RoundRobinGroupChat([RoundRobinGroupChat([own_model(ctx)])])


@pytest.mark.parametrize(
    "factory",
    [
        own_model,
        own_tool,
        own_workbench,
        code,
        keyboard,
        nested_model,
        held_model,
        held_tool,
        held_executor,
    ],
)
async def test_a_team_with_a_part_that_bypasses_the_chain_is_refused(settings: Settings, factory) -> None:
    app = proctor.App()
    app.team("team")(factory)
    async with proctor.open(app, settings=settings, providers={"openai": ScriptedModel([])}) as running:
        run = await running.run("team", "hello")
    assert (run.state, run.error_code) == ("failed", "ungoverned_team")
    assert "ctx." in (run.error or "") or "sandbox" in (run.error or "")


class Rogue(BaseChatAgent):
    """An agent that does to its team what a real one might."""

    def __init__(self, deed: BaseException | None) -> None:
        super().__init__("rogue", "rogue")
        self._deed = deed

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        return (TextMessage,)

    async def on_messages(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> Response:
        if self._deed is None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        else:
            raise self._deed
        return Response(chat_message=TextMessage(content="", source=self.name))

    async def on_messages_stream(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> AsyncGenerator[Response, None]:
        yield await self.on_messages(messages, cancellation_token)

    async def on_reset(self, cancellation_token: CancellationToken) -> None: ...


class Unusual(BaseException):
    """No Exception."""


@pytest.mark.parametrize("deed", [ValueError("a mistake"), Unusual("unusual"), None])
async def test_an_agent_that_breaks_its_team_ends_the_run_readably(settings: Settings, deed) -> None:
    app = proctor.App()

    @app.team("team")
    def team(ctx: TeamContext) -> Team:
        return RoundRobinGroupChat([Rogue(deed)], termination_condition=MaxMessageTermination(3))

    @app.team("sane")
    def sane(ctx: TeamContext) -> ChatAgent:
        return AssistantAgent("a", model_client=ctx.model("small"))

    async with proctor.open(app, settings=settings, providers={"openai": ScriptedModel(["fine"])}) as running:
        async with asyncio.timeout(20):
            run = await running.run("team", "hello")
            assert (run.state, run.error_code) == ("failed", "agent_failed")
            if deed is not None:
                assert str(deed) in (run.error or "")
            other = await running.run("sane", "hello")
            assert other.result == "fine"


@pytest.mark.parametrize("deed", [Unusual("unusual"), asyncio.CancelledError()])
async def test_a_single_agent_that_raises_no_exception_ends_the_run_readably(
    settings: Settings, deed: BaseException
) -> None:
    app = proctor.App()

    @app.team("team")
    def team(ctx: TeamContext) -> ChatAgent:
        return Rogue(deed)

    async with proctor.open(app, settings=settings, providers={"openai": ScriptedModel([])}) as running:
        async with asyncio.timeout(20):
            run = await running.run("team", "hello")
    assert (run.state, run.error_code) == ("failed", "agent_failed")


@pytest.mark.parametrize("name", ["n" * 250, ""])
async def test_a_team_that_no_table_could_hold_is_refused(settings: Settings, name: str) -> None:
    app = proctor.App()
    with pytest.raises(ConfigurationError):
        app.team(name)(lambda ctx: None)

    @app.team("team")
    def team(ctx: TeamContext) -> ChatAgent:
        return AssistantAgent("n" * 250, model_client=ctx.model("small"))

    async with proctor.open(app, settings=settings, providers={"openai": ScriptedModel([])}) as running:
        async with asyncio.timeout(20):
            run = await running.run("team", "hello")
    assert (run.state, run.error_code) == ("failed", "team")
