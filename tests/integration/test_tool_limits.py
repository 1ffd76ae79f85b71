"""Limits of tool calls in real AutoGen teams: what is refused, what is counted, and where code may run."""

import asyncio
from collections import Counter

import pytest
from autogen_agentchat.agents import ApprovalResponse, AssistantAgent, CodeExecutorAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken
from autogen_core.code_executor import CodeBlock, CodeExecutor, CodeResult

import proctor
from proctor import Settings, TeamContext
from proctor.core import AgentSettings, TeamSettings
from proctor.testing import ScriptedModel, tool_call


def counting_app(seen: list[int], **options: object) -> proctor.App:
    app = proctor.App()

    @app.tool(effect="read_only")
    def look(n: int) -> str:
        """Looks something up."""
        seen.append(n)
        return f"found {n}"

    @app.team("team", tools=["look"])
    def team(ctx: TeamContext) -> ChatAgent:
        return AssistantAgent(
            "clerk",
            model_client=ctx.model("small"),
            workbench=ctx.tools("look"),
            max_tool_iterations=4,
            reflect_on_tool_use=True,
            **options,
        )

    return app


async def refusals(running: proctor.Proctor, run: proctor.Run) -> Counter[str]:
    events = await running.runs.events(run.id)
    return Counter(str(event.data["rule"]) for event in events if event.type == "tool.refused")


@pytest.mark.parametrize("stream", [False, True])
async def test_of_many_calls_in_one_answer_the_first_are_made(settings: Settings, *, stream: bool) -> None:
    seen: list[int] = []
    app = counting_app(seen, model_client_stream=stream)
    limited = settings.model_copy(update={"teams": {"team": TeamSettings(max_parallel_calls=3)}})
    script = [[tool_call("look", n=n) for n in range(50)], [tool_call("look", n=100)], "done", "done"]
    async with (
        asyncio.timeout(25),
        proctor.open(app, settings=limited, providers={"openai": ScriptedModel(script)}) as running,
    ):
        run = await running.run("team", "look")
        assert run.state == "completed"
        assert sorted(seen) == [0, 1, 2, 100]
        assert await refusals(running, run) == {"max_parallel_calls": 47}


async def test_calls_that_share_one_id_are_counted_all_the_same(settings: Settings) -> None:
    seen: list[int] = []
    limited = settings.model_copy(update={"teams": {"team": TeamSettings(max_parallel_calls=3)}})
    calls = [{"id": "call_1", **tool_call("look", n=n)} for n in range(10)]
    async with (
        asyncio.timeout(25),
        proctor.open(
            counting_app(seen), settings=limited, providers={"openai": ScriptedModel([calls, "done", "done"])}
        ) as running,
    ):
        await running.run("team", "look")
    assert sorted(seen) == [0, 1, 2]


async def test_a_run_makes_as_many_calls_as_it_may_also_after_it_was_resumed(settings: Settings) -> None:
    seen: list[int] = []
    limits = TeamSettings(max_tool_calls=3, retries=0)
    limited = settings.model_copy(update={"teams": {"team": limits}})
    script = [[tool_call("look", n=1), tool_call("look", n=2)], RuntimeError("the provider breaks")]
    again = [[tool_call("look", n=3), tool_call("look", n=4)], "done", "done"]
    app = counting_app(seen)
    async with asyncio.timeout(25):
        async with proctor.open(
            app, settings=limited, providers={"openai": ScriptedModel(script)}
        ) as running:
            run = await running.run("team", "look")
            assert run.state == "failed"
        async with proctor.open(app, settings=limited, providers={"openai": ScriptedModel(again)}) as running:
            await running.resume(run.id)
            run = await running.wait(run.id)
            assert run.state == "completed"
            assert await refusals(running, run) == {"max_tool_calls": 1}
    assert seen == [1, 2, 3]


async def test_an_agent_calls_only_what_its_own_list_names(settings: Settings) -> None:
    seen: list[int] = []
    limits = TeamSettings(agents={"clerk": AgentSettings(tools=())})
    limited = settings.model_copy(update={"teams": {"team": limits}})
    script = [[tool_call("look", n=1)], "done", "done"]
    async with (
        asyncio.timeout(25),
        proctor.open(
            counting_app(seen), settings=limited, providers={"openai": ScriptedModel(script)}
        ) as running,
    ):
        run = await running.run("team", "look")
        assert await refusals(running, run) == {"agent_allow_list": 1}
    assert seen == []


class Container(CodeExecutor):
    """A sandbox as somebody brings it along."""

    component_type = "code_executor"

    async def execute_code_blocks(
        self, code_blocks: list[CodeBlock], cancellation_token: CancellationToken
    ) -> CodeResult:
        return CodeResult(exit_code=0, output=f"ran {len(code_blocks)}")

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def restart(self) -> None: ...


class LocalCommandLineCodeExecutor(Container):
    """Named as AutoGen's executor that runs code on this machine."""


class Disguised(LocalCommandLineCodeExecutor):
    """A kind of it under another name."""


async def run_code(settings: Settings, executor: CodeExecutor, sandbox: str) -> tuple[proctor.Run, list[str]]:
    """The run of a team that executes code, and the texts of its messages."""
    app = proctor.App()

    @app.team("team")
    def team(ctx: TeamContext) -> Team:
        agent = CodeExecutorAgent(
            "coder",
            code_executor=executor,
            model_client=ctx.model("small"),
            approval_func=lambda _: ApprovalResponse(approved=True, reason="a test"),
        )
        return RoundRobinGroupChat([agent], termination_condition=MaxMessageTermination(2))

    limited = settings.model_copy(update={"teams": {"team": TeamSettings(sandbox=sandbox)}})
    script = ScriptedModel(["```python\nprint(1)\n```", "It ran."])
    async with (
        asyncio.timeout(25),
        proctor.open(app, settings=limited, providers={"openai": script}) as running,
    ):
        run = await running.run("team", "compute")
    return run, [str(message.get("content")) for call in script.calls for message in call.messages]


@pytest.mark.parametrize(
    ("executor", "sandbox"),
    [
        (Container(), ""),
        (Container(), "docker"),
        (Container(), "Other"),
        (LocalCommandLineCodeExecutor(), "docker"),
        (LocalCommandLineCodeExecutor(), "LocalCommandLineCodeExecutor"),
        (Disguised(), "Disguised"),
    ],
)
async def test_code_is_executed_in_no_other_place_than_the_sandbox_that_is_named(
    settings: Settings, executor: CodeExecutor, sandbox: str
) -> None:
    run, _ = await run_code(settings, executor, sandbox)
    assert (run.state, run.error_code) == ("failed", "ungoverned_team")
    assert "coder" in (run.error or "")


async def test_code_is_executed_in_the_sandbox_that_is_named(settings: Settings) -> None:
    run, read = await run_code(settings, Container(), "Container")
    assert (run.state, run.result) == ("completed", "It ran.")
    assert any("ran 1" in text for text in read)


async def test_a_list_for_a_misspelt_agent_is_no_list_for_nobody(settings: Settings) -> None:
    seen: list[int] = []
    narrowed = TeamSettings(agents={"clark": AgentSettings(tools=())})
    limited = settings.model_copy(update={"teams": {"team": narrowed}})
    model = ScriptedModel([[tool_call("look", n=1)], "done"])
    async with (
        asyncio.timeout(25),
        proctor.open(counting_app(seen), settings=limited, providers={"openai": model}) as running,
    ):
        run = await running.run("team", "look")
    assert (run.state, seen) == ("failed", [])
    assert "Did you mean clerk?" in str(run.error)
