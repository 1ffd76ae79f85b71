"""Consent, subjects and retention where Proctor runs teams: at each start, segment and resumption."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat

import proctor
from conftest import make_settings
from proctor import Decision, Settings
from proctor.core import ConfigurationError, InvalidInput
from proctor.privacy import ConsentMissing, Erased, Restricted, Subject
from proctor.testing import ScriptedModel

ANN = Subject(name="ann")


def application() -> proctor.App:
    app = proctor.App()

    @app.team("desk")
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("clerk", model_client=ctx.model("small"))

    @app.team("checked")
    def checked(ctx: proctor.TeamContext) -> Team:
        members = [AssistantAgent("writer", model_client=ctx.model("small")), ctx.human("manager")]
        return RoundRobinGroupChat(members, termination_condition=MaxMessageTermination(3))

    return app


def configured(url: str, **privacy: Any) -> Settings:
    team = {"purpose": "support", "subject": "requester"}
    return make_settings(
        url,
        privacy={"purposes": {"support": {"needs_consent": True, "text_version": "1"}}, **privacy},
        teams={"desk": team, "checked": team},
    )


def opened(settings: Settings) -> Any:
    model = ScriptedModel(lambda call: f"I see: {call.messages[-1]['content']}")
    return proctor.open(application(), settings=settings, providers={"openai": model})


async def test_a_team_whose_purpose_needs_consent_starts_nothing_without_it(database_url: str) -> None:
    async with asyncio.timeout(60), opened(configured(database_url)) as running:
        with pytest.raises(ConsentMissing):
            await running.start("desk", "Hello", subject="ann")
        with pytest.raises(ConsentMissing):
            await running.start("desk", "Hello")
        assert await running.runs.page() == ()
        await running.privacy.give(ANN, "support")
        run = await running.run("desk", "Hello", subject="ann", requester="mia")
        assert (run.state, run.subject, run.purpose) == ("completed", "ann", "support")
        asked = await running.run("desk", "Hello", requester="ann")
        assert (asked.subject, asked.state) == ("ann", "completed")
        with pytest.raises(InvalidInput):
            await running.start("desk", "Hello", subject="a" * 300)


async def test_a_withdrawal_is_seen_before_the_next_segment_and_a_new_consent_lets_it_go_on(
    database_url: str,
) -> None:
    async with asyncio.timeout(60), opened(configured(database_url)) as running:
        await running.privacy.give(ANN, "support")
        run = await running.run("checked", "Hello", subject="ann")
        assert run.state == "waiting"
        await running.privacy.withdraw(ANN, "support")
        [asked] = await running.approvals()
        await running.decide(asked.id, Decision(kind="approve", by="mia"))
        ended = await running.wait(run.id)
        assert (ended.state, ended.error_code) == ("failed", "consent_missing")
        with pytest.raises(ConsentMissing):
            await running.resume(run.id)
        await running.privacy.give(ANN, "support")
        await running.resume(run.id)
        assert (await running.wait(run.id)).state == "completed"


async def test_an_erased_run_goes_on_nowhere(database_url: str) -> None:
    async with asyncio.timeout(60), opened(configured(database_url)) as running:
        await running.privacy.give(ANN, "support")
        run = await running.run("desk", "Hello", subject="ann")
        await running.privacy.erase(ANN)
        with pytest.raises(Erased):
            await running.resume(run.id)
        with pytest.raises(ConsentMissing):  # nothing is left of the consent, either
            await running.start("desk", "Hello", subject="ann")


async def test_restricted_data_is_processed_by_no_team(database_url: str) -> None:
    async with asyncio.timeout(60), opened(configured(database_url)) as running:
        await running.privacy.give(ANN, "support")
        await running.privacy.hold(subject=ANN, kind="restriction", reason="contested")
        with pytest.raises(Restricted):
            await running.start("desk", "Hello", subject="ann")


async def test_runs_by_the_clock_need_consent_too(database_url: str) -> None:
    async with asyncio.timeout(60), opened(configured(database_url)) as running:
        await running.schedules.add("daily", "desk", "Hello", cron="0 8 * * *", requester="ann")
        run = await running.schedules.run_now("daily")
        ended = await running.wait(run.id)
        assert (ended.state, ended.error_code) == ("failed", "consent_missing")


async def test_a_memory_bears_its_subject_and_purpose(database_url: str) -> None:
    async with asyncio.timeout(60), opened(configured(database_url)) as running:
        await running.privacy.give(ANN, "support")
        thread = await running.open_thread("desk")
        await running.run("desk", "Hello", subject="ann", thread=thread.id)
        memories = [item async for item in running.privacy.items(ANN) if item.kind == "memory"]
        assert [(item.purpose, item.kept_as) for item in memories] == [("support", "memory")]


async def test_a_team_names_a_purpose_that_is_configured(database_url: str) -> None:
    from proctor.app._settings import check_names

    teams = {"desk": {"purpose": "suport"}}
    settings = make_settings(database_url, teams=teams, privacy={"purposes": {"support": {}}})
    with pytest.raises(ConfigurationError, match="suport") as refused:
        check_names(settings)
    assert refused.value.hint == "Did you mean support?"


async def test_too_old_texts_go_while_proctor_serves(database_url: str) -> None:
    short = configured(database_url, retention={"runs": timedelta(milliseconds=1)})
    async with asyncio.timeout(60), opened(short) as running:
        await running.privacy.give(ANN, "support")
        run = await running.run("desk", "Hello", subject="ann")
    async with asyncio.timeout(60), opened(short) as running:  # the chore is done at once
        while (await running.runs.get(run.id)).task != "[erased]":
            await asyncio.sleep(0.05)
