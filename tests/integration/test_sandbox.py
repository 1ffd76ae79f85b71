"""Code that agents have executed in a sandbox: recorded calls of the run, as those of tools are."""

import asyncio
from datetime import timedelta

import pytest
from autogen_agentchat.agents import ApprovalResponse, CodeExecutorAgent
from autogen_agentchat.base import Team
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken
from autogen_core.code_executor import CodeBlock, CodeExecutor, CodeResult

import proctor
from proctor import Settings, TeamContext
from proctor.core import Decision, ModelCall, TeamSettings
from proctor.testing import Reply, ScriptedModel

CODE = "```python\nprint(6 * 7)\n```"


class Container(CodeExecutor):
    """A sandbox as somebody brings it along, which keeps what it was given."""

    component_type = "code_executor"

    def __init__(self, output: str = "42", exit_code: int = 0, error: Exception | None = None) -> None:
        self.ran: list[str] = []
        self._output = output
        self._exit_code = exit_code
        self._error = error

    async def execute_code_blocks(
        self, code_blocks: list[CodeBlock], cancellation_token: CancellationToken
    ) -> CodeResult:
        self.ran += [f"{block.language}: {block.code.strip()}" for block in code_blocks]
        if self._error is not None:
            raise self._error
        return CodeResult(exit_code=self._exit_code, output=self._output)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def restart(self) -> None: ...


def application(container: Container) -> proctor.App:
    app = proctor.App()

    @app.team("team")
    def team(ctx: TeamContext) -> Team:
        agent = CodeExecutorAgent(
            "coder",
            code_executor=container,
            model_client=ctx.model("small"),
            approval_func=lambda _: ApprovalResponse(approved=True, reason="a test"),
        )
        return RoundRobinGroupChat([agent], termination_condition=MaxMessageTermination(2))

    return app


@pytest.fixture
def contained(settings: Settings) -> Settings:
    return settings.model_copy(update={"teams": {"team": TeamSettings(sandbox="Container")}})


class SilentAfter:
    """A model that falls silent once it has answered, as if the process had been killed there."""

    def __init__(self) -> None:
        self.answered = False
        self.reached = asyncio.Event()

    async def __call__(self, _: ModelCall) -> Reply:
        if self.answered:
            self.reached.set()
            await asyncio.get_running_loop().create_future()
        self.answered = True
        return CODE


async def test_a_resumed_run_executes_no_code_again(contained: Settings) -> None:
    container = Container()
    app = application(container)
    silent = SilentAfter()
    async with (
        asyncio.timeout(50),
        proctor.open(
            app,
            settings=contained,
            providers={"openai": ScriptedModel(silent)},
            grace=timedelta(0),
        ) as running,
    ):
        run = await running.start("team", "compute")
        await silent.reached.wait()
        await running.database.commit(lambda _: None)
    again = ScriptedModel(["It is 42."])
    async with (
        asyncio.timeout(50),
        proctor.open(app, settings=contained, providers={"openai": again}) as running,
    ):
        run = await running.wait(run.id)
    assert (run.state, run.result, run.attempt) == ("completed", "It is 42.", 2)
    assert container.ran == ["python: print(6 * 7)"]
    assert any("42" in str(message.get("content")) for message in again.calls[0].messages)


async def run_with(contained: Settings, container: Container) -> tuple[proctor.Run, list[dict], list[str]]:
    """The run, its calls of tools as its log tells of them, and what the model was shown."""
    model = ScriptedModel([CODE, "Done."])
    async with (
        asyncio.timeout(50),
        proctor.open(application(container), settings=contained, providers={"openai": model}) as running,
    ):
        run = await running.run("team", "compute")
        events = await running.runs.events(run.id)
    called = [dict(event.data) for event in events if event.type == "tool.called"]
    return run, called, [str(message.get("content")) for call in model.calls for message in call.messages]


async def test_an_execution_stands_in_the_log_with_its_label(contained: Settings) -> None:
    _, called, _ = await run_with(contained, Container())
    [call] = called
    assert (call["server"], call["tool"], call["error"]) == ("sandbox", "Container", False)
    assert call["label"]["integrity"] == "untrusted"
    assert "sandbox.Container" in call["label"]["sources"]


async def test_secrets_that_code_prints_reach_no_model(contained: Settings) -> None:
    key = "ghp_" + "07fT4cZu0aK7sV2mQx9Wd5Lr8Ye1Hn3Bj6Gk"
    run, _, shown = await run_with(contained, Container(output=f"key: {key}"))
    assert run.state == "completed"
    assert not any(key in text for text in shown)


async def test_code_that_fails_is_told_to_the_agent_with_its_exit_code(contained: Settings) -> None:
    _, [call], shown = await run_with(contained, Container(output="no such file", exit_code=3))
    assert call["error"] is True
    assert any("exit code: 3" in text and "no such file" in text for text in shown)


async def test_a_rule_of_approval_may_name_the_sandbox(contained: Settings) -> None:
    container = Container()
    rules = [{"tools": ["sandbox.Container"]}]
    team = TeamSettings.model_validate({"sandbox": "Container", "approvals": rules})
    asking = contained.model_copy(update={"teams": {"team": team}})
    model = ScriptedModel([CODE, "It is 42."])
    async with (
        asyncio.timeout(50),
        proctor.open(application(container), settings=asking, providers={"openai": model}) as running,
    ):
        run = await running.run("team", "compute")
        assert (run.state, container.ran) == ("waiting", [])
        [asked] = await running.approvals()
        assert asked.action["arguments"]["blocks"] == [{"language": "python", "code": "print(6 * 7)\n"}]
        await running.decide(asked.id, Decision(kind="approve", by="ann"))
        run = await running.wait(run.id)
    assert (run.state, run.result) == ("completed", "It is 42.")
    assert container.ran == ["python: print(6 * 7)"]


async def test_a_sandbox_that_breaks_ends_the_run_readably(contained: Settings) -> None:
    run, _, _ = await run_with(contained, Container(error=LookupError("no such container")))
    assert (run.state, run.error_code) == ("failed", "tool")
    assert "the sandbox of coder failed: LookupError" in str(run.error)
