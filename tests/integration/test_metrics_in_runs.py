"""What is counted while runs go on, wait, and go on elsewhere; and what processes of one database tell."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Response
from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage
from autogen_core import CancellationToken
from autogen_core.memory import ListMemory, MemoryContent
from prometheus_client.parser import text_string_to_metric_families

import proctor
from conftest import make_settings
from proctor import Decision, Settings
from proctor.core import BudgetRule, ModelNonsense, ModelRefused
from proctor.knowledge import Document
from proctor.ledger import set_budget
from proctor.testing import FakeClock, ScriptedModel, tool_call

CARD = "4111 1111 1111 1111"
DESK = {"team": "desk"}
CLERK = DESK | {"agent": "clerk", "deployment": "small", "release": "v7"}
ENDS = ("ok", "cancelled")
ROLES = {"leads": {"members": ["ann@example.org"]}}


class Diarist(AssistantAgent):
    """Keeps whatever card it knows of in its memory."""

    async def on_messages_stream(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> AsyncGenerator[BaseAgentEvent | BaseChatMessage | Response, None]:
        for content in (f"Card {CARD}", "Something harmless"):
            await self._memory[0].add(MemoryContent(content=content, mime_type="text/plain"))
        async for item in super().on_messages_stream(messages, cancellation_token):
            yield item


def application() -> proctor.App:
    app = proctor.App()

    @app.tool(effect="consequential")
    async def decline(customer: str) -> str:
        """Declines a credit."""
        return f"declined {customer}"

    @app.tool(effect="read_only")
    async def statement(customer: str) -> str:
        """Tells what a customer has paid, and by what."""
        return f"{customer} paid by card {CARD}"

    @app.team("desk", tools=["decline", "statement"])
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent(
            "clerk",
            model_client=ctx.model("small"),
            workbench=ctx.tools("decline", "statement"),
            max_tool_iterations=3,
        )

    @app.team("diary")
    def diary(ctx: proctor.TeamContext) -> ChatAgent:
        return Diarist("clerk", model_client=ctx.model("small"), memory=[ListMemory()])

    return app


@asynccontextmanager
async def opened(settings: Settings, *replies: object, **more: object) -> AsyncIterator[proctor.Proctor]:
    model = ScriptedModel(list(replies))
    async with proctor.open(application(), settings=settings, providers={"openai": model}, **more) as running:
        yield running


@pytest.fixture
def make(database_url: str) -> Callable[..., Settings]:
    return lambda **more: make_settings(
        database_url, **{"release": "v7", "roles": ROLES, "teams": {"desk": {"retries": 0}}, **more}
    )


def value(running: proctor.Proctor, name: str, **labels: str) -> float | None:
    return running.metrics.registry.get_sample_value(name, labels)


def verdict(running: proctor.Proctor, stage: str, outcome: str, team: str = "desk") -> float | None:
    return value(running, "proctor_policy_verdicts_total", team=team, stage=stage, outcome=outcome)


async def told(running: proctor.Proctor) -> dict[tuple[str, ...], float]:
    body, _ = await running.metrics_page.read()
    return {
        (sample.name, *(text for _, text in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


async def test_a_decision_made_elsewhere_is_counted_once_by_whoever_goes_on_and_nothing_is_counted_twice(
    make: Callable[..., Settings],
) -> None:
    settings = make(teams={"desk": {"review": {"mode": "manual", "roles": ["leads"]}}})
    clock = FakeClock()
    declines = [tool_call("decline", customer="Ann")]
    async with opened(settings, declines, clock=clock) as first:
        run = await first.run("desk", "Decline Ann's credit.")
        assert value(first, "proctor_model_calls_total", **CLERK, outcome="ok") == 1
        waits = await told(first)
        assert waits["agent_active_count", "clerk", "desk"] == 0
        told_of = ("proctor_calls_total", "proctor_tool_calls_total", "proctor_tool_duration_seconds_count")
        assert not any(count for key, count in waits.items() if key[0] in told_of and "model" not in key)
        assert verdict(first, "input", "allow") == 1
    for replies, decided in ((("It is declined.",), 1), ((), 2)):
        # As `proctor approvals decide` does: by a process that executes nothing, and is scraped by nobody.
        async with opened(settings, executes=False, clock=clock) as desk:
            (approval,) = await desk.approvals()
            clock.advance(90)
            await desk.decide(approval.id, Decision(kind="approve", by="ann@example.org"))
            assert not value(desk, "proctor_approvals_total", **DESK, decision="approve")
        async with opened(settings, *replies, clock=clock) as then:
            run = await then.wait(run.id)
            assert value(then, "proctor_approvals_total", **DESK, decision="approve") == 1
            assert value(then, "proctor_approval_wait_seconds_sum", **DESK) == 90
            assert (value(then, "proctor_model_calls_total", **CLERK, outcome="ok") or 0) == len(replies)
            counted = [value(then, "proctor_calls_total", **DESK, kind="tool", result=end) for end in ENDS]
            assert counted == [len(replies), 0]
            assert (verdict(then, "output", "allow") or 0) == len(replies)
            assert not verdict(then, "input", "allow")
            ended = value(then, "proctor_runs_total", **DESK, release="v7", status="completed")
            assert ended == decided - 1
    assert run.state == "completed"


async def test_verdicts_are_counted_at_every_stage(make: Callable[..., Settings]) -> None:
    policies = {
        "input": {"payment_card": "redact"},
        "tool_result": {"payment_card": "redact"},
        "output": {"payment_card": "deny"},
        "knowledge": {"payment_card": "deny"},
        "memory": {"payment_card": "deny"},
    }
    settings = make(policies=policies, knowledge={"embeddings": "none"})
    looks = [tool_call("statement", customer="Ann")]
    async with opened(settings, looks, f"It was card {CARD}.", "So be it.") as running:
        run = await running.run("desk", f"Who paid by {CARD}?")
        await running.run("diary", f"Remember card {CARD}.")
        await running.knowledge.replace("shop", [Document(name="ann", text=f"Ann's card is {CARD}.")])
        assert run.state == "refused"
        assert verdict(running, "input", "redact") == 1
        assert verdict(running, "tool_result", "redact") == 1
        assert verdict(running, "output", "deny") == 1
        assert verdict(running, "knowledge", "deny", team="") == 1
        assert verdict(running, "memory", "deny", team="diary") == 1


async def test_what_is_remembered_again_when_a_run_goes_on_is_told_once(
    make: Callable[..., Settings],
) -> None:
    review = {"mode": "manual", "roles": ["leads"]}
    settings = make(policies={"memory": {"payment_card": "deny"}}, teams={"diary": {"review": review}})
    async with opened(settings, "So be it.") as first:
        run = await first.run("diary", "Remember the card.")
        assert run.state == "waiting"
        assert [verdict(first, "memory", outcome, "diary") for outcome in ("deny", "allow")] == [1, 1]
        (approval,) = await first.approvals()
        await first.decide(approval.id, Decision(kind="approve", by="ann@example.org"))
    async with opened(settings) as then:
        run = await then.wait(run.id)
        log = await then.runs.events(run.id)
        assert not any(verdict(then, "memory", outcome, "diary") for outcome in ("deny", "allow"))
        assert run.finished_at is not None
        found = await then.analyze(run.created_at, run.finished_at)
    assert run.state == "completed"
    assert found.read == 1, "what may be kept is no trouble"
    told = [event.data["outcome"] for event in log if event.type == "policy.verdict"]
    assert sorted(map(str, told)) == ["allow", "deny"]


async def test_a_run_that_is_cancelled_while_nobody_executes_it_is_counted(
    make: Callable[..., Settings],
) -> None:
    settings, clock = make(), FakeClock()
    async with opened(settings, executes=False, clock=clock) as server:
        later = await server.start("desk", "Later.", at=clock.now() + timedelta(hours=1))
        await server.runs.cancel(later.id)
        ended = value(server, "proctor_runs_total", **DESK, release="v7", status="cancelled")
    assert ended == 1


async def test_a_failed_run_that_is_cancelled_was_counted_as_failed_and_is_not_counted_again(
    make: Callable[..., Settings],
) -> None:
    async with opened(make(), ModelRefused("no"), "Yes.") as running:
        run = await running.run("desk", "Question 1")
        assert run.state == "failed"
        assert (await running.runs.cancel(run.id)).state == "cancelled"
        assert (await running.run("desk", "Question 2")).state == "completed"
        counted = {
            status: value(running, "proctor_runs_total", **DESK, release="v7", status=status)
            for status in ("completed", "failed", "cancelled")
        }
        rate = value(running, "task_completion_rate", **DESK)
    assert counted == {"completed": 1, "failed": 1, "cancelled": 0}
    assert rate == 0.5


async def test_what_was_paid_for_nothing_is_told_so_that_all_costs_add_up_to_the_journal(
    make: Callable[..., Settings],
) -> None:
    models = {"small": {"model": "m", "retries": 1, "price": {"input": 1_000, "output": 2_000}}}
    settings = make(models=models)
    replies = (ModelNonsense("it broke off"), "Yes.", ModelRefused("no"), "No.")
    async with opened(settings, *replies) as running:
        runs = [await running.run("desk", f"Question {number}") for number in range(3)]
        answers = value(running, "proctor_model_cost_micros_total", **CLERK)
        wasted = value(running, "proctor_wasted_cost_micros_total", **DESK, agent="clerk", release="v7")
        assert [run.state for run in runs] == ["completed", "failed", "completed"]
        assert wasted
        assert answers
        assert answers + wasted == sum(run.cost for run in runs)


async def test_two_processes_of_one_database_tell_the_same_of_what_they_share(
    make: Callable[..., Settings],
) -> None:
    settings = make(budget={"daily_usd": 1})
    rule = BudgetRule(usd=2, scope="team", of="desk")
    declines = [tool_call("decline", customer="Ann")]
    async with (
        opened(settings, declines) as worker,
        opened(settings, executes=False) as server,
    ):
        await worker.run("desk", "Decline Ann's credit.")
        await worker.start("desk", "Later.", at=datetime.now(UTC) + timedelta(hours=1))
        store = partial(set_budget, name="desk", rule=rule, at=datetime.now(UTC), by="ann")
        await worker.database.commit(store)
        await worker.workers.beat()
        one, other = await told(worker), await told(server)
        spent = (await worker.runs.page())[-1].cost
    for found in (one, other):
        assert found["proctor_open_runs", "waiting", "desk"] == 1
        assert found["proctor_approvals_open", "desk"] == 1
        assert found["proctor_approval_oldest_seconds", "desk"] >= 0
        assert found["proctor_queue_oldest_seconds", "desk"] == 0
        assert found["proctor_workers", "working"] == 1
        assert found["proctor_budget_limit_micros", "daily"] == 1_000_000
        assert found["proctor_budget_limit_micros", "desk"] == 2_000_000
        assert found["proctor_budget_spent_micros", "daily"] == spent
    shared = ("proctor_open_runs", "proctor_approvals_open", "proctor_workers", "proctor_budget_limit_micros")
    assert {key: one[key] for key in one if key[0] in shared} == {
        key: other[key] for key in other if key[0] in shared
    }


async def test_the_queue_is_as_old_as_the_run_that_nobody_has_taken_up(tmp_path: Path) -> None:
    settings, clock = make_settings(f"sqlite:///{tmp_path}/proctor.db"), FakeClock()
    async with opened(settings, executes=False, clock=clock) as server:
        await server.start("desk", "Now.")
        await server.start("desk", "In an hour.", at=clock.now() + timedelta(hours=1))
        clock.advance(75)
        found = await told(server)
    assert found["proctor_queue_oldest_seconds", "desk"] == 75
    assert found["proctor_open_runs", "queued", "desk"] == 2
