"""Budgets of real runs: people who raise them, agents that are told to finish, calls that fail on the way."""

import asyncio

import pytest
from autogen_agentchat.agents import AssistantAgent
from sqlalchemy import func, select

import proctor
from conftest import make_settings
from proctor.core import Decision, InvalidInput, ModelCall, ModelOverloaded
from proctor.ledger import ledger_entries, reconcile_ledger
from proctor.testing import ScriptedModel

BOUND = 20
PRICE = {"input": 1, "output": 1}


def make_app() -> proctor.App:
    app = proctor.App()

    @app.team("desk")
    def desk(ctx: proctor.TeamContext) -> AssistantAgent:
        return AssistantAgent("clerk", model_client=ctx.model("small"))

    @app.team("pair")
    def pair(ctx: proctor.TeamContext):
        from autogen_agentchat.teams import DiGraphBuilder, GraphFlow

        builder = DiGraphBuilder()
        names = ("one", "two", "three")
        first = AssistantAgent("first", model_client=ctx.model("free"))
        agents = [AssistantAgent(name, model_client=ctx.model("small")) for name in names]
        builder.add_node(first)
        for agent in agents:
            builder.add_node(agent).add_edge(first, agent)
        return GraphFlow(participants=[first, *agents], graph=builder.build())

    return app


def opened(tmp_path, script="All done.", **budgets):
    models = {
        "small": {"model": "m", "price": PRICE, "max_output": 10, "retries": 1},
        "free": {"model": "f", "price": "free"},
    }
    more = {"models": models, "budgets": budgets, "roles": {"owner": {"members": ["ann"]}}}
    settings = make_settings(f"sqlite:///{tmp_path}/proctor.db", **more)
    model = ScriptedModel(script)
    return proctor.open(make_app(), settings=settings, environ={}, providers={"openai": model}), model


async def spent_of(running) -> int:
    return await running.database.read(
        lambda connection: connection.scalar(select(func.sum(ledger_entries.c.cost_micros)))
    )


async def test_a_run_waits_for_a_person_to_raise_its_budget_and_goes_on(tmp_path):
    opening, model = opened(tmp_path, desk={"usd": 0, "outcome": "ask", "step_usd": 1, "roles": ["owner"]})
    async with opening as running, asyncio.timeout(BOUND):
        run = await running.run("desk", "Go on.")
        assert run.state == "waiting"
        [approval] = await running.approvals()
        assert (approval.question.kind, approval.roles) == ("budget", ("owner",))
        edit = Decision(kind="edit", by="ann", arguments={"usd": 2.5})
        await running.decide(approval.id, edit)
        run = await running.wait(run.id)
        assert run.state == "completed"
        events = await running.runs.events(run.id)
        [raised] = [event.data for event in events if event.type == "budget.raised"]
        assert (raised["micros"], raised["by"]) == (2_500_000, "ann")
        assert len(model.calls) == 1


@pytest.mark.parametrize("usd", [1e308, 10**15, 1e-7])
async def test_an_amount_that_no_budget_can_be_raised_by_is_refused_and_the_run_goes_on_waiting(
    tmp_path, usd
):
    opening, _ = opened(tmp_path, desk={"usd": 0, "outcome": "ask", "step_usd": 1})
    async with opening as running, asyncio.timeout(BOUND):
        run = await running.run("desk", "Go on.")
        [approval] = await running.approvals()
        with pytest.raises(InvalidInput):
            await running.decide(approval.id, Decision(kind="edit", by="ann", arguments={"usd": usd}))
        await running.decide(approval.id, Decision(kind="approve", by="ann"))
        assert (await running.wait(run.id)).state == "completed"


async def test_a_run_whose_budget_nobody_raises_fails(tmp_path):
    opening, model = opened(tmp_path, desk={"usd": 0, "outcome": "ask"})
    async with opening as running, asyncio.timeout(BOUND):
        run = await running.run("desk", "Go on.")
        [approval] = await running.approvals()
        await running.decide(approval.id, Decision(kind="reject", by="ann", comment="No."))
        run = await running.wait(run.id)
        assert (run.state, run.error_code) == ("failed", "budget_exceeded")
        assert model.calls == []


async def test_calls_side_by_side_that_meet_a_budget_ask_one_question(tmp_path):
    opening, _ = opened(tmp_path, desk={"usd": 0, "outcome": "ask", "step_usd": 1})
    async with opening as running, asyncio.timeout(BOUND):
        run = await running.run("pair", "Go on.")
        [approval] = await running.approvals()
        await running.decide(approval.id, Decision(kind="approve", by="ann"))
        run = await running.wait(run.id)
        assert run.state == "completed"
        events = await running.runs.events(run.id)
        assert sum(event.type == "budget.raised" for event in events) == 1


async def test_ledger_journal_and_run_agree_on_what_failed_requests_cost(tmp_path):
    failed = False

    def script(call: ModelCall) -> str:
        nonlocal failed
        if not failed:
            failed = True
            raise ModelOverloaded("broke off", produced=True)
        return "All done."

    opening, _ = opened(tmp_path, script)
    async with opening as running, asyncio.timeout(BOUND):
        run = await running.run("desk", "Go on.")
        assert run.state == "completed"
        assert run.cost == await spent_of(running) > 0
        assert await running.database.read(reconcile_ledger) == ()
        events = await running.runs.events(run.id)
        assert sum(event.type == "call.wasted" for event in events) == 1


async def test_a_runs_own_limit_stops_it_before_it_is_passed(tmp_path):
    models = {"small": {"model": "m", "price": PRICE, "max_output": 10}}
    teams = {"desk": {"max_cost_usd": "0.0001"}}
    settings = make_settings(f"sqlite:///{tmp_path}/proctor.db", models=models, teams=teams)
    opening = proctor.open(
        make_app(), settings=settings, environ={}, providers={"openai": ScriptedModel("Done.")}
    )
    async with opening as running, asyncio.timeout(BOUND):
        run = await running.run("desk", "Go on.")
        assert (run.state, run.error_code, run.cost) == ("failed", "budget_exceeded", 0)
        assert "max_cost_usd" in run.error
