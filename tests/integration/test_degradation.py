"""Providers fail in every way: a stand-in answers, the system steps down, and climbs back by itself."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from sqlalchemy import select

import proctor
from conftest import make_settings
from proctor import Decision, Settings
from proctor.core import Degraded, InvalidInput, ModelCall, ModelOverloaded
from proctor.ledger import ledger_entries
from proctor.testing import FakeClock, Reply, ScriptedModel, tool_call
from servers.openai_endpoint import breaks_off, chunks, completion, fails, raw, says, serving

MODELS = {
    "small": {"model": "a", "retries": 0, "price": {"input": 1, "output": 2}, "fallback": ["spare"]},
    "spare": {"model": "b", "retries": 0, "price": {"input": 100, "output": 200}},
}
TEAMS = {"shop": {"approval": "never", "untrusted": "allow"}, "single": {"retries": 0}}
RULES = {"min_calls": 5, "hold": 10, "recover_after": 60}


class Provider:
    """Answers for all deployments, as far as they are not broken."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.asked: list[str] = []

    def __call__(self, call: ModelCall) -> Reply:
        self.asked.append(call.model)
        if call.model in self.broken:
            return ModelOverloaded(f"{call.model} is down")
        if any("refund" in str(tool) for tool in call.tools):
            results = [str(message["content"]) for message in call.messages if message["role"] == "tool"]
            wanted = ["look", "refund"][len(results) : len(results) + 1]
            return [tool_call(wanted[0], order=7)] if wanted else f"Done: {results[-1]}"
        return "Yes."


def application(refunds: list[int]) -> proctor.App:
    app = proctor.App()

    @app.tool(effect="read_only")
    def look(order: int) -> str:
        """Looks an order up."""
        return f"order {order} is paid"

    @app.tool(effect="idempotent")
    def refund(order: int) -> str:
        """Pays an order back."""
        refunds.append(order)
        return f"order {order} is paid back"

    def alone(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("generalist", model_client=ctx.model("small"))

    @app.team("desk", simple=alone)
    def desk(ctx: proctor.TeamContext) -> Team:
        agents: list[ChatAgent] = [AssistantAgent(n, model_client=ctx.model("small")) for n in ("one", "two")]
        return RoundRobinGroupChat(agents, termination_condition=MaxMessageTermination(3))

    @app.team("single")
    def single(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("clerk", model_client=ctx.model("small"), model_client_stream=True)

    @app.team("shop", tools=["look", "refund"])
    def shop(ctx: proctor.TeamContext) -> ChatAgent:
        tools = ctx.tools("look", "refund")
        return AssistantAgent(
            "clerk", model_client=ctx.model("small"), workbench=tools, max_tool_iterations=5
        )

    def signed_alone(ctx: proctor.TeamContext) -> Team:
        clerk = AssistantAgent("solo", model_client=ctx.model("small"))
        until = TextMentionTermination("APPROVE")
        return RoundRobinGroupChat([clerk, ctx.human("manager")], termination_condition=until)

    @app.team("signed", simple=signed_alone)
    def signed(ctx: proctor.TeamContext) -> Team:
        clerk = AssistantAgent("clerk", model_client=ctx.model("small"))
        until = TextMentionTermination("APPROVE")
        return RoundRobinGroupChat([clerk, ctx.human("manager")], termination_condition=until)

    return app


@asynccontextmanager
async def opened(
    settings: Settings, provider: object = None, *, refunds: list[int] | None = None, **more: Any
) -> AsyncIterator[proctor.Proctor]:
    app = application([] if refunds is None else refunds)
    model = ScriptedModel(provider or Provider())  # type: ignore[arg-type]
    more = {"grace": timedelta(0), "providers": {"openai": model}, **more}
    async with proctor.open(app, settings=settings, **more) as running, asyncio.timeout(60):
        yield running


@pytest.fixture
def make(database_url: str) -> Any:
    defaults = {"models": MODELS, "degradation": RULES, "teams": TEAMS}
    return lambda **more: make_settings(database_url, **{**defaults, **more})


async def ask(running: proctor.Proctor, times: int) -> list[str]:
    return [(await running.run("single", f"question {n}")).state for n in range(times)]


async def step(running: proctor.Proctor, clock: FakeClock, *, seconds: float = 11) -> int:
    clock.advance(seconds)
    await running.degradation.tick()
    return running.degradation.level


async def types(running: proctor.Proctor, run_id: str) -> list[str]:
    return [event.type for event in await running.runs.events(run_id)]


def sample(running: proctor.Proctor, name: str, **labels: str) -> float | None:
    return running.metrics.registry.get_sample_value(name, labels)


async def test_a_failing_provider_rests_and_is_asked_again_when_it_has_recovered(make: Any) -> None:
    provider, clock = Provider(), FakeClock()
    provider.broken = {"small"}
    async with opened(make(), provider, clock=clock) as running:
        assert await ask(running, 5) == ["completed"] * 5
        assert await step(running, clock) == 1
        provider.asked.clear()
        assert await ask(running, 5) == ["completed"] * 5
        assert provider.asked == ["spare"] * 5
        run = await running.run("single", "which one?")
        fell = [event.data for event in await running.runs.events(run.id) if event.type == "model.fell_back"]
        assert fell == [{"from": "small", "to": "spare", "error": "model_resting"}]

        provider.broken.clear()
        provider.asked.clear()
        for _ in range(9):
            await ask(running, 1)
            await step(running, clock)
        assert "small" in provider.asked[:2]
        assert running.degradation.level == 0
        passages = await running.degradation.history()
        assert [(each.level, each.previous, each.rule) for each in passages] == [
            (0, 1, "recovered"),
            (1, 0, "error_rate"),
        ]
        assert {each.worker for each in passages} == {running.runs.execution.worker}
        assert sample(running, "proctor_degradation_level") == 0
        assert sample(running, "proctor_degradation_changes_total", to="1", rule="error_rate") == 1


async def test_when_nothing_works_new_runs_are_refused_and_told_when_to_come_back(make: Any) -> None:
    provider, clock = Provider(), FakeClock()
    provider.broken = {"small", "spare"}
    async with opened(make(), provider, clock=clock) as running:
        for level in (1, 2, 3, 4):
            assert await ask(running, 5) == ["failed"] * 5
            assert await step(running, clock) == level
        with pytest.raises(Degraded) as refused:
            await running.start("single", "Hello?")
        assert (refused.value.status, refused.value.retryable) == (503, True)
        assert 0 < refused.value.retry_after <= 60
        assert len(await running.runs.page()) == 20
        provider.broken.clear()
        levels = [await step(running, clock) for _ in range(40)]
        assert sorted(set(levels), reverse=True) == [4, 3, 2, 1, 0]
        assert levels == sorted(levels, reverse=True)
        assert await ask(running, 1) == ["completed"]


async def test_calls_that_wait_for_a_breaker_drive_the_system_down_although_none_of_them_ends(
    make: Any,
) -> None:
    provider = Provider()
    provider.broken = {"small"}
    alone = {"model": "a", "retries": 0, "price": "free", "breaker_failures": 1, "breaker_pause": 50}
    async with opened(make(models={"small": alone}), provider) as running:
        assert await ask(running, 1) == ["failed"]
        runs = [await running.start("single", f"question {number}") for number in range(5)]
        for run in runs:
            while "model.retried" not in await types(running, run.id):
                await asyncio.sleep(0.02)
        await running.degradation.tick()
        assert (provider.asked, running.degradation.level) == (["small"], 1)


async def test_requests_that_a_provider_refuses_do_not_degrade(make: Any) -> None:
    with serving(fails(400, "bad request")) as endpoint:
        models = {"small": {**MODELS["small"], "base_url": endpoint.url, "api_key": "k", "fallback": []}}
        clock = FakeClock()
        async with opened(make(models=models), providers=None, clock=clock) as running:
            assert await ask(running, 6) == ["failed"] * 6
            assert await step(running, clock) == 0


async def test_a_run_that_starts_in_simple_mode_keeps_to_it(make: Any) -> None:
    clock = FakeClock()
    async with opened(make(), clock=clock) as running:
        whole = await running.run("signed", "Shall we?")
        await running.degradation.hold(2, span=timedelta(minutes=5), reason="drill", by="ann")
        await step(running, clock, seconds=0)
        simple = await running.run("signed", "Shall we?")
        assert (await running.run("single", "No simple form")).simple is False
        assert (whole.simple, simple.simple) == (False, True)
        assert (await types(running, simple.id))[:2] == ["run.started", "run.simplified"]
        await running.degradation.release()
    async with opened(make(), clock=clock) as running:
        for run, agent in ((whole, "clerk"), (simple, "solo")):
            [approval] = [each for each in await running.approvals() if each.run_id == run.id]
            await running.decide(approval.id, Decision(kind="approve", by="ann"))
            done = await running.wait(run.id)
            assert done.state == "completed"
            said = [each.agent for each in await running.runs.events(run.id) if each.type == "message"]
            assert said.count(agent) == 1
            assert {call.key.agent for call in await running.runs.calls(run.id)} == {agent, "manager"}


async def test_a_team_in_simple_mode_is_built_by_its_simple_factory(make: Any) -> None:
    provider = Provider()
    async with opened(make(), provider) as running:
        await running.run("desk", "Hello")
        assert len(provider.asked) == 2
        await running.degradation.hold(2, span=timedelta(minutes=5), reason="drill", by="ann")
        await running.degradation.tick()
        run = await running.run("desk", "Hello")
        assert (run.state, len(provider.asked)) == ("completed", 3)


async def test_at_level_three_tools_only_read(make: Any) -> None:
    refunds: list[int] = []
    async with opened(make(), refunds=refunds) as running:
        assert (await running.run("shop", "Pay 7 back")).result == "Done: order 7 is paid back"
        await running.degradation.hold(3, span=timedelta(minutes=5), reason="drill", by="ann")
        await running.degradation.tick()
        run = await running.run("shop", "Pay 7 back")
        assert run.state == "completed"
        assert refunds == [7]
        refused = [each.data for each in await running.runs.events(run.id) if each.type == "tool.refused"]
        assert [(each["tool"], each["rule"]) for each in refused] == [("refund", "degradation")]
        [last] = [call for call in await running.runs.calls(run.id) if call.request.get("tool") == "refund"]
        assert last.outcome is not None
        assert (last.outcome["refused_by"], last.outcome["acted"]) == ("degradation", False)


async def test_what_a_person_approved_is_done_at_level_three_too(make: Any) -> None:
    refunds: list[int] = []
    teams = {"shop": {"approvals": [{"tools": ["refund"]}]}}
    async with opened(make(teams=teams), refunds=refunds) as running:
        run = await running.run("shop", "Pay 7 back")
        [approval] = await running.approvals()
        await running.degradation.hold(3, span=timedelta(minutes=5), reason="drill", by="ann")
        await running.degradation.tick()
        await running.decide(approval.id, Decision(kind="approve", by="ann"))
        run = await running.wait(run.id)
        assert (run.result, refunds) == ("Done: order 7 is paid back", [7])
        assert (await running.approval(approval.id)).state == "consumed"
        other = await running.run("shop", "Pay 7 back")
        assert (other.state, refunds, await running.approvals()) == ("completed", [7], ())


async def test_recorded_calls_meet_no_degradation(make: Any) -> None:
    provider, clock = Provider(), FakeClock()
    async with opened(make(), provider, clock=clock) as running:
        run = await running.run("signed", "Shall we?")
        await running.degradation.hold(4, span=timedelta(minutes=5), reason="drill", by="ann")
        await step(running, clock, seconds=0)
        provider.broken = {"small", "spare"}
        [approval] = await running.approvals()
        await running.decide(approval.id, Decision(kind="approve", by="ann"))
        assert (await running.wait(run.id)).state == "completed"
        assert provider.asked == ["small"]
        assert "model.fell_back" not in await types(running, run.id)


async def test_an_operators_level_reaches_all_processes_and_ends_by_itself(make: Any) -> None:
    clock = FakeClock()
    async with opened(make(), clock=clock) as worker, opened(make(), clock=clock, executes=False) as door:
        await door.start("single", "before")
        hold = await door.degradation.hold(4, span=timedelta(minutes=30), reason="moving house", by="ann")
        with pytest.raises(Degraded) as refused:
            await door.start("single", "during")
        assert refused.value.retry_after == 30 * 60
        await step(worker, clock, seconds=2)
        assert worker.degradation.level == 4
        outlook = await door.degradation.outlook()
        assert outlook.hold == hold
        assert [(each.worker, each.level) for each in outlook.workers] == [(worker.runs.execution.worker, 4)]
        [passage] = await door.degradation.history()
        assert (passage.rule, passage.detail["reason"]) == ("operator", "moving house")
        clock.advance(30 * 60)
        levels = [await step(worker, clock) for _ in range(40)]
        assert levels[-1] == 0
        await door.start("single", "after")
        assert await door.degradation.release() is False


async def test_a_process_that_only_starts_runs_goes_by_the_best_worker(make: Any) -> None:
    provider, clock = Provider(), FakeClock()
    provider.broken = {"small", "spare"}
    async with (
        opened(make(), provider, clock=clock) as worker,
        opened(make(), clock=clock, executes=False) as door,
    ):
        for _ in range(4):
            await ask(worker, 5)
            await step(worker, clock)
        with pytest.raises(Degraded):
            await door.start("single", "Hello?")
        clock.advance(16)
        await door.start("single", "The worker is gone, so its level says nothing.")


async def test_a_process_that_begins_to_execute_finds_its_own_level(make: Any) -> None:
    clock = FakeClock()
    async with opened(make(), clock=clock, executes=False) as door:
        await door.start("single", "Hello")
        await door.engine.start()
        try:
            await door.degradation.hold(1, span=timedelta(minutes=5), reason="drill", by="ann")
            assert await step(door, clock) == 1
        finally:
            await door.engine.stop(timedelta(0))


async def test_where_it_is_switched_off_no_rule_changes_the_level(make: Any) -> None:
    provider, clock = Provider(), FakeClock()
    provider.broken = {"small", "spare"}
    async with opened(make(degradation={**RULES, "enabled": False}), provider, clock=clock) as running:
        await ask(running, 6)
        assert await step(running, clock) == 0
        await running.degradation.hold(1, span=timedelta(seconds=30), reason="drill", by="ann")
        assert await step(running, clock, seconds=1) == 1
        assert await step(running, clock, seconds=30) == 0


EVENTS = list(chunks(completion("Hello there.")))
FAULTS: dict[str, tuple[Any, str]] = {
    "429": (fails(429, "slow down", retry_after="120"), "model_overloaded"),
    "500": (fails(500), "model_overloaded"),
    "hangs": ("hangs", "model_unreachable"),
    "refuses connections": (None, "model_unreachable"),
    "nonsense": (raw("<html>not found</html>"), "model_nonsense"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("team", ["desk", "single"])
async def test_a_fault_of_the_provider_ends_the_run_unless_a_stand_in_answers(
    settings: Settings, fault: str, team: str
) -> None:
    with serving() as bad, serving(says(completion("From the spare."))) as good:
        reply, code = FAULTS[fault]
        if reply is not None:
            bad.replies = [bad.hangs() if reply == "hangs" else reply]
        bad.url = bad.url if reply else "http://127.0.0.1:9/v1"
        models = {
            "small": {**MODELS["small"], "base_url": bad.url, "api_key": "k", "timeout": 0.5},
            "spare": {**MODELS["spare"], "base_url": good.url, "api_key": "k"},
        }
        url = settings.database.url
        async with opened(make_settings(url, models=models), providers=None) as running:
            run = await running.run(team, "Hello")
            assert (run.state, run.result) == ("completed", "From the spare.")
            fell = [each.data for each in await running.runs.events(run.id) if each.type == "model.fell_back"]
            assert {(each["from"], each["to"], each["error"]) for each in fell} == {("small", "spare", code)}
            c = ledger_entries.c
            answered = select(c.deployment, c.cost_micros).where(c.outcome == "ok")
            entries = await running.database.read(lambda found: found.execute(answered).all())
            # 20 tokens in at 100 $ and 5 out at 200 $ a million
            assert set(entries) == {("spare", 3000)}
            agent = str((await running.runs.calls(run.id))[0].key.agent)
            labels = {"team": team, "agent": agent, "deployment": "small", "to": "spare", "release": ""}
            assert sample(running, "proctor_model_fallbacks_total", **labels) == 1
        models["small"]["fallback"] = []
        teams = {team: {"retries": 0}}
        async with opened(make_settings(url, models=models, teams=teams), providers=None) as running:
            run = await running.run(team, "Hello")
            assert (run.state, run.error_code) == ("failed", code)


async def test_half_a_stream_fails_typed_even_where_a_stand_in_could_answer(settings: Settings) -> None:
    with serving(breaks_off(*EVENTS[:3])) as bad, serving() as good:
        models = {
            "small": {**MODELS["small"], "base_url": bad.url, "api_key": "k"},
            "spare": {**MODELS["spare"], "base_url": good.url, "api_key": "k"},
        }
        changed = make_settings(settings.database.url, models=models, teams={"single": {"retries": 0}})
        async with opened(changed, providers=None) as running:
            run = await running.run("single", "Hello")
            assert (run.state, run.error_code) == ("failed", "model_unreachable")
            assert good.bodies == []


async def test_what_is_due_by_the_clock_is_caught_up_when_runs_are_taken_again(make: Any) -> None:
    clock = FakeClock()
    async with opened(make(), clock=clock) as running:
        await running.schedules.add("daily", "signed", "Good morning", cron="0 8 * * *")
        await running.degradation.hold(4, span=timedelta(days=1), reason="drill", by="ann")
        await running.degradation.tick()
        clock.advance(9 * 60 * 60)
        await running._fire_schedules()
        assert await running.runs.page() == ()
        await running.degradation.hold(2, span=timedelta(days=1), reason="drill", by="ann")
        await running.degradation.tick()
        await running._fire_schedules()
        [run] = await running.runs.page()
        assert run.simple


async def test_while_no_runs_are_taken_a_schedule_is_not_run_by_hand_either(make: Any) -> None:
    async with opened(make()) as running:
        await running.schedules.add("daily", "signed", "Good morning", cron="0 8 * * *")
        await running.degradation.hold(4, span=timedelta(days=1), reason="drill", by="ann")
        await running.degradation.tick()
        with pytest.raises(Degraded):
            await running.schedules.run_now("daily")
        assert await running.runs.page() == ()


@pytest.mark.parametrize(("level", "span"), [(7, timedelta(hours=1)), (4, timedelta(0)), (4, timedelta.max)])
async def test_what_is_no_level_or_no_time_is_not_held(make: Any, level: Any, span: timedelta) -> None:
    async with opened(make()) as running:
        with pytest.raises(InvalidInput):
            await running.degradation.hold(level, span=span, reason="", by="ann")


def test_an_operator_holds_shows_and_releases_a_level(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PROCTOR_")}
    environ["PROCTOR_DATABASE__URL"] = f"sqlite:///{tmp_path}/proctor.db"

    def proctor_says(*arguments: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "proctor", "degradation", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert json.loads(proctor_says("show", "--json")) == {
        "level": 0,
        "means": "normal",
        "hold": None,
        "workers": [],
    }
    said = proctor_says("set", "3", "--for", "2h30min", "--reason", "moving house", "--by", "ann")
    assert "Held by ann" in said
    assert "moving house" in said
    shown = json.loads(proctor_says("show", "--json"))
    assert (shown["level"], shown["hold"]["reason"]) == (3, "moving house")
    assert "Level 3: tools that change something are refused." in proctor_says("show")
    assert json.loads(proctor_says("clear", "--json")) == {"released": True}
    assert "No level is held." in proctor_says("clear")
    assert "never changed" in proctor_says("history")
    proctor_says("set", "5", code=64)
    assert "no length of time" in proctor_says("set", "1", "--for", "soon", code=1)
