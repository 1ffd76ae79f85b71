"""Values that stand behind tokens: models see the token, tools and the requester the value."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent

import proctor
from conftest import make_settings
from proctor.app._settings import check_names
from proctor.core import MissingSetting, ModelCall
from proctor.testing import ScriptedModel, tool_call

EMAIL = "ann.lee@example.org"
POLICIES = {"input": {"email": "tokenise"}, "marking": "off"}


async def test_a_tool_gets_the_value_that_its_model_never_saw(database_url: str) -> None:
    seen: list[str] = []
    mailed: list[str] = []
    app = proctor.App()

    @app.tool(effect="read_only")
    async def find(email: str) -> str:
        """Finds a customer."""
        mailed.append(email)
        return "customer 7"

    @app.team("desk", tools=["find"])
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent(
            "clerk", model_client=ctx.model("small"), workbench=ctx.tools("find"), max_tool_iterations=3
        )

    def clerk(call: ModelCall) -> object:
        seen.append(str(call.messages))
        task = next(str(each["content"]) for each in call.messages if each["role"] == "user")
        token = next(word for word in task.split() if word.startswith("[email:"))
        if any(each["role"] == "tool" for each in call.messages):
            return f"{token} is customer 7."
        return [tool_call("find", email=token)]

    settings = make_settings(
        database_url, policies=POLICIES, privacy={"vault": {"key_env": "PROCTOR_VAULT_KEY"}}
    )
    async with proctor.open(
        app,
        settings=settings,
        grace=timedelta(0),
        providers={"openai": ScriptedModel(clerk)},  # type: ignore[arg-type]
        environ={"PROCTOR_VAULT_KEY": "k" * 40},
    ) as running:
        async with asyncio.timeout(30):
            run = await running.run("desk", f"My address is {EMAIL} and I need help.")
            calls = await running.runs.calls(run.id)
            answer = await running.answer(run)
    assert run.state == "completed"
    assert mailed == [EMAIL]
    assert answer == f"{EMAIL} is customer 7."
    assert EMAIL not in "".join((*seen, run.task, str(run.result), *(str(call) for call in calls)))


async def test_in_a_thread_of_several_nobody_is_given_back_what_another_has_said(tmp_path: Path) -> None:
    app = proctor.App()

    @app.team("desk")
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("clerk", model_client=ctx.model("small"))

    def clerk(call: ModelCall) -> str:
        """Repeats all tokens that it knows of."""
        words = " ".join(str(each["content"]) for each in call.messages if each["role"] == "user").split()
        return " ".join(word for word in words if word.startswith("[email:"))

    settings = make_settings(
        f"sqlite:///{tmp_path}/p.db",
        policies=POLICIES,
        privacy={"vault": {"key_env": "PROCTOR_VAULT_KEY"}},
    )
    async with (
        asyncio.timeout(30),
        proctor.open(
            app,
            settings=settings,
            grace=timedelta(0),
            providers={"openai": ScriptedModel(clerk)},
            environ={"PROCTOR_VAULT_KEY": "k" * 40},
        ) as running,
    ):
        thread = (await running.open_thread("desk")).id
        first = await running.run("desk", f"I am {EMAIL} here", requester="ann", thread=thread)
        again = await running.run("desk", "Who am I?", requester="ann", thread=thread)
        assert [await running.answer(run) for run in (first, again)] == [EMAIL, EMAIL]
        other = await running.run("desk", "Who was that?", requester="bob", thread=thread)
        assert str(other.result).startswith("[email:")
        assert [await running.answer(run) for run in (other, first)] == [other.result, first.result]


def test_tokens_without_a_key_stop_the_start(tmp_path: Path) -> None:
    with pytest.raises(MissingSetting, match=r"policies\.input\.email"):
        check_names(make_settings(f"sqlite:///{tmp_path}/a.db", policies=POLICIES))
