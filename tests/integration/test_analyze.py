"""What real failures and refusals have in common, as a program and a person are told."""

import asyncio
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent

import proctor
from conftest import make_settings
from proctor.app import Analysis, Pattern
from proctor.cli import main
from proctor.core import ModelCall, ModelRefused, ModelUnreachable
from proctor.testing import Reply, ScriptedModel, tool_call

CARD = "4111 1111 1111 1111"
SECRET = "Mrs Jones of Elm Street"
RUNS = 9
HOUR = timedelta(hours=1)
PRICE = {"input": 1, "output": 2}
LOOK = tool_call("look", customer=SECRET)
PAYS = [tool_call("pay", customer=f"{SECRET} {number}") for number in range(4)]


def application() -> proctor.App:
    app = proctor.App()

    @app.tool(effect="read_only")
    async def look(customer: str) -> str:
        """Looks a customer up."""
        raise LookupError(f"no customer {customer}")

    @app.tool(effect="read_only")
    async def pay(customer: str) -> str:
        """Tells what a customer has paid."""
        return f"{customer} has paid"

    @app.team("desk", tools=["look", "pay"])
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent(
            "clerk",
            model_client=ctx.model("small"),
            workbench=ctx.tools("look", "pay"),
            max_tool_iterations=3,
        )

    @app.team("office")
    def office(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("boss", model_client=ctx.model("large"))

    return app


def script(call: ModelCall) -> Reply:
    last = call.messages[-1]
    if call.model == "large":
        return ModelUnreachable("nobody answers at 10.0.0.7:443")
    if "break" in str(last["content"]):
        return ModelRefused(f"the order {len(call.messages)} of '{SECRET}' can't be taken")
    if "Hello" in str(last["content"]):
        return "Good day."
    return "It is done." if last["role"] == "tool" else [LOOK, *PAYS]


def settings_in(folder: Path) -> proctor.Settings:
    models = {
        "small": {"model": "gpt-5.4-mini", "price": PRICE, "retries": 0},
        "large": {"model": "gpt-5.4", "price": PRICE, "retries": 0, "fallback": ["small"]},
    }
    teams = {name: {"retries": 0} for name in ("desk", "office")}
    policies = {"marking": "off", "input": {"payment_card": "deny"}}
    return make_settings(
        f"sqlite:///{folder}/proctor.db", models=models, policies=policies, teams=teams, release="v7"
    )


async def work(folder: Path) -> tuple[Analysis, Analysis, Analysis]:
    """All that was found; of one team; and with little that may be read."""
    begun = datetime.now(UTC)
    async with (
        asyncio.timeout(25),
        proctor.open(
            application(), settings=settings_in(folder), providers={"openai": ScriptedModel(script)}
        ) as running,
    ):
        for number in range(RUNS):
            assert (await running.run("desk", f"Look at {number}.")).state == "completed"
            assert (await running.run("office", f"Hello {number}.")).state == "completed"
        assert (await running.run("desk", "Please break.")).state == "failed"
        assert (await running.run("desk", f"Charge {CARD}.")).state == "refused"
        assert (await running.run("office", "Please break.")).state == "failed"
        until = datetime.now(UTC) + timedelta(seconds=1)
        return (
            await running.analyze(begun, until),
            await running.analyze(begun, until, team="office"),
            await running.analyze(begun, until, most=3),
        )


def of(found: Analysis, kind: str) -> Pattern:
    [pattern] = [one for one in found.patterns if one.kind == kind]
    return pattern


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    (tmp_path / "proctor.toml").write_text(f'[database]\nurl = "sqlite:///{tmp_path}/proctor.db"\n')
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["proctor", "analyze", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        return capsys.readouterr().out

    return call


def test_failures_and_refusals_are_told_as_patterns_and_nobodys_words_are(
    tmp_path: Path, command: Callable[..., str]
) -> None:
    found, office, little = asyncio.run(work(tmp_path))
    assert (found.runs, found.failed, found.refused, found.is_cut) == (2 * RUNS + 3, 2, 1, False)
    broken = found.patterns[0]
    assert (broken.kind, broken.count, broken.runs, broken.calls) == ("tool.failed", RUNS, RUNS, RUNS)
    assert broken.code.endswith(".look")
    assert broken.suspect is not None
    assert (broken.suspect.dimension, broken.suspect.value) == ("tool", broken.code)
    assert (broken.suspect.share, broken.suspect.usual) == (1.0, 0.2)
    refused, verdict = of(found, "run.refused"), of(found, "policy.verdict")
    assert (refused.count, refused.code, verdict.message) == (1, verdict.code, "the input was refused")
    assert "payment_card" in verdict.code
    assert refused.message == "who asked is told: Remove the payment card from the text and send it again."
    left = next(one for one in found.patterns if one.kind == "model.fell_back")
    assert left.suspect is not None
    assert (left.suspect.dimension, left.suspect.value, left.suspect.share) == ("model", "large", 1.0)
    assert of(found, "run.failed").message == "the order <number> of <text> can't be taken"
    assert {one.kind for one in office.patterns} == {"model.fell_back", "run.failed"}
    assert (little.read, little.is_cut) == (3, True)
    assert {one.kind for one in little.patterns} == {"run.failed", "model.fell_back", "run.refused"}

    told = json.loads(command("--since", "1h", "--json"))
    assert told["runs"] == {"ended": 2 * RUNS + 3, "failed": 2, "refused": 1}
    assert told["patterns"][0]["suspect"]["value"] == broken.code
    shown = command("--since", "1h")
    assert "suspect: tool" in shown
    assert "in 100% of these, and in 20% of all calls" in shown
    assert f"gave back an error, in {RUNS} of {RUNS} calls" in shown
    for text in (json.dumps(told), shown):
        assert not any(word in text for word in (SECRET, "Jones", CARD, "4111", "10.0.0.7", "Charge"))
    assert "no failures" in command("--since", "1h", "--tenant", "nobody")


async def test_what_a_person_says_of_an_answer_that_they_hold_back_is_not_shown(database_url: str) -> None:
    settings = make_settings(
        database_url,
        roles={"leads": {"members": ["ann"]}},
        teams={"desk": {"review": {"mode": "manual", "roles": ["leads"]}}},
    )
    begun = datetime.now(UTC)
    model = ScriptedModel(["It is done."])
    async with (
        asyncio.timeout(25),
        proctor.open(application(), settings=settings, providers={"openai": model}) as running,
    ):
        run = await running.run("desk", "Look.")
        [approval] = await running.approvals()
        await running.decide(approval.id, proctor.Decision(kind="reject", by="ann", comment=SECRET))
        assert (await running.wait(run.id)).state == "refused"
        later = datetime.now(UTC) + timedelta(seconds=1)
        before, found = await running.analyze(later - HOUR, begun), await running.analyze(begun, later)
    assert (before.runs, before.patterns) == (0, ())
    [pattern] = found.patterns
    assert (pattern.kind, pattern.code, pattern.example) == ("run.refused", "review", run.id)
    assert pattern.message == "the answer was held back in its review"
