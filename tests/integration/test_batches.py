"""Runs that nobody waits for, from their start to their answers, through a real provider's batches."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent, BaseChatAgent
from autogen_agentchat.base import ChatAgent, Response, Team
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.messages import TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from sqlalchemy import Connection, select, update

from proctor.agents import ModelFeatures, TeamContext
from proctor.approvals import Opinion, roles_from
from proctor.core import (
    ALLOW,
    BudgetRule,
    CallScope,
    DeploymentSettings,
    ModelCall,
    ModelHandler,
    ModelResult,
    Pace,
    ReviewSettings,
    TeamSettings,
    ToolCall,
    ToolResult,
    Verdict,
)
from proctor.ledger import Budgets, Fate, Prices, Reconciler, balances, ledger_entries, make_budget
from proctor.models import Batches, BatchRequest, ConfiguredEndpoints, Models
from proctor.runs import (
    Chains,
    Hooks,
    Limits,
    OutputReview,
    Run,
    Runs,
    Share,
    TeamPlan,
    journal_model,
    runs,
)
from proctor.store import Database
from proctor.testing import FakeClock
from servers.batch_endpoint import BatchProvider, serving_batches

FULL, HALF = 30, 15
"""Micro-dollars of one answer: 20 tokens in, 5 out."""
DAY = Decimal("0.1")
"""Dollars a day."""


@dataclass
class World:
    """What outlives a process."""

    clock: FakeClock = field(default_factory=FakeClock)
    redeeming: asyncio.Event | None = None
    """Where it is set, no answer is ever taken: it tells that one would be."""


class Asker(BaseChatAgent):
    """Asks for several things at once."""

    def __init__(self, ctx: TeamContext) -> None:
        super().__init__("asker", "Asks.")
        self._ctx = ctx

    @property
    def produced_message_types(self) -> Any:
        return (TextMessage,)

    async def on_messages(self, messages: Any, cancellation_token: Any) -> Response:
        words = messages[-1].to_model_text().split()
        found = await self._ctx.batch("Repeat it.", words, model="small", size=1)
        return Response(chat_message=TextMessage(source="asker", content=json.dumps(found)))

    async def on_reset(self, cancellation_token: Any) -> None:
        pass


def pair(ctx: TeamContext) -> Team:
    agents: list[ChatAgent] = [
        AssistantAgent(name, model_client=ctx.model("small"), model_client_stream=True)
        for name in ("one", "two")
    ]
    return RoundRobinGroupChat(agents, termination_condition=MaxMessageTermination(3))


FEATURES = ModelFeatures(vision=False, function_calling=True, structured_output=True, context_window=32_768)
FACTORIES: dict[str, Any] = {"pair": pair, "asker": Asker}


class Process:
    """One worker: its runs, its chore, its models."""

    def __init__(self, world: World, database: Database, provider: BatchProvider) -> None:
        deployment = DeploymentSettings.model_validate(
            {"model": "m-1", "base_url": provider.url, "price": {"input": 1, "output": 2}, "batch": True}
        )
        deployments = {"small": deployment}
        self.world = world
        self.database = database
        self.models = Models(deployments, environ={})
        self.budgets = Budgets(
            {"daily": BudgetRule(usd=DAY)},
            prices=Prices(deployments),
            database=database,
            worker="worker",
            clock=world.clock,
            piece=0.01,
            tools={},
            cheaper=lambda _: None,
            listener=lambda *_: None,
        )
        self.reconciler = Reconciler(
            self.budgets, database, clock=world.clock, gone=_nobody, fate=_unknown, gives_back=False
        )
        self.batches = Batches(
            deployments,
            database,
            ConfiguredEndpoints({}),
            clock=world.clock,
            hold=self.budgets.hold,
            redeem=self._redeem,
            release=self.budgets.release,
            unclaimed=self._unclaimed,
            unfinished=unfinished,
            wake=wake,
        )
        self.runs = Runs(
            database,
            clock=world.clock,
            linger=timedelta(0),
            hooks=Hooks(
                plan=self._plan,
                screen=lambda _task, _team, _parts: Verdict(outcome="allow"),
                finished=lambda *_: None,
                segment=lambda _: None,
                simplifies=lambda _: False,
                team=lambda _: TeamSettings(),
                roles=roles_from({}),
            ),
            share=Share(),
            limits=Limits(),
            worker="worker",
        )

    async def _plan(self, run: Run) -> TeamPlan:
        return TeamPlan(
            name=run.team,
            factory=FACTORIES[run.team],
            tools={},
            models={"small": FEATURES},
            chains=Chains(model=self._ask, tool=_no_tools),
            settings=TeamSettings(),
            on_agent_failure=lambda *_: None,
            on_decision=lambda _: None,
            on_waste=lambda *_: None,
            review=OutputReview(
                settings=ReviewSettings(),
                read=lambda *_: ALLOW,
                catalogue=lambda _: False,
                holds=lambda _: True,
                licensed={},
                judge=_no_judge,
            ),
            remembers=lambda _: ALLOW,
            on_memory=lambda _: None,
            redact=lambda text: text,
        )

    async def _ask(self, call: ModelCall) -> ModelResult:
        links = (journal_model, self.budgets.thrift, self.batches.model, self.budgets.model)
        handler = self.models.complete
        for link in reversed(links):
            handler = partial(_through, link, handler)
        return await handler(call)

    async def _redeem(self, call: ModelCall, handle: ModelHandler) -> ModelResult:
        result = await self.budgets.redeem(call, handle)
        if self.world.redeeming is not None:
            self.world.redeeming.set()
            await asyncio.get_running_loop().create_future()
        return result

    def _unclaimed(self, connection: Connection, request: BatchRequest, result: ModelResult) -> None:
        cost = self.budgets.unclaimed(connection, request, result)
        of_run = runs.c.id == request.run_id
        connection.execute(update(runs).where(of_run).values(cost=runs.c.cost + cost))

    async def start(self, team: str, task: str, *, pace: Pace = "patient") -> Run:
        return await self.runs.start(self.runs.intake.prepare(team, task, pace=pace))

    async def execute(self) -> list[Run]:
        """The runs whose turn it was, as their segments left them."""
        due = await self.runs.execution.due(20)
        left = await asyncio.gather(*(self.runs.execution.execute(run_id) for run_id in due))
        return [run for run in left if run is not None]

    async def later(self, seconds: float = 61) -> int:
        self.world.clock.advance(seconds)
        return await self.batches.work()

    async def entries(self) -> list[tuple[str, int]]:
        """The outcome and the cost of each request, as the ledger holds them."""
        columns = ledger_entries.c.outcome, ledger_entries.c.cost_micros
        rows = await self.database.read(lambda c: c.execute(select(*columns)).all())
        return sorted((outcome, int(cost)) for outcome, cost in rows)

    async def set_aside(self) -> int:
        """What of the day's budget is neither spent nor free, once this process needs nothing of it."""
        await self.budgets.close()
        await self.reconciler.work()
        budget, at = make_budget("daily", BudgetRule(usd=DAY)), self.world.clock.now()
        (balance,) = await self.database.read(partial(balances, budget=budget, at=at, limit=1))
        return balance.set_aside + balance.lost


async def _through(link: Any, proceed: ModelHandler, call: ModelCall) -> ModelResult:
    result: ModelResult = await link(call, proceed)
    return result


async def _nobody(_workers: Collection[str]) -> Collection[str]:
    return ()


async def _unknown(_worker: str) -> Fate:
    return "open"


async def _no_judge(_scope: CallScope, _answer: str) -> Opinion:
    raise AssertionError("nobody judges these teams' answers")


async def _no_tools(_call: ToolCall) -> ToolResult:
    raise AssertionError("these teams have no tools")


def unfinished(connection: Connection, ids: Collection[str]) -> set[str]:
    final = ("completed", "cancelled", "refused")
    query = select(runs.c.id).where(runs.c.id.in_(list(ids)), runs.c.state.not_in(final))
    return set(connection.scalars(query))


def wake(connection: Connection, ids: Collection[str]) -> set[str]:
    resting = runs.c.id.in_(list(ids)), runs.c.state == "queued", runs.c.due_at.is_not(None)
    return set(connection.scalars(update(runs).where(*resting).values(due_at=None).returning(runs.c.id)))


@pytest.fixture
def provider() -> Iterator[BatchProvider]:
    with serving_batches() as provider:
        yield provider


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def opened(provider: BatchProvider, world: World, database_url: str) -> Any:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Process]:
        async with await Database.open(database_url) as database, asyncio.timeout(60):
            process = Process(world, database, provider)
            await process.runs.execution.recover()
            try:
                yield process
            finally:
                await process.batches.close()
                await process.models.close()

    return opened


async def test_a_patient_run_costs_half_and_rests_while_it_waits(provider, world, opened):
    async with opened() as process:
        run = await process.start("pair", "Hi")
        for turn in (1, 2):
            [left] = await process.execute()
            assert (left.state, left.due_at is not None, len(process.runs.execution)) == ("queued", True, 0)
            assert await process.set_aside() > HALF
            assert await process.execute() == []
            assert await process.later() == 0
            provider.finish(f"batch_{turn}")
            assert await process.later() == 1
        [done] = await process.execute()
        events = await process.runs.events(run.id)
        calls = await process.runs.calls(run.id)
        assert await process.entries() == [("ok", HALF)] * 2
        assert await process.set_aside() == 0
    assert (done.state, done.cost) == ("completed", 2 * HALF)
    assert [call.cost for call in calls] == [HALF] * 2
    assert provider.chats == []
    assert [event.type for event in events if event.type != "message"] == [
        "run.started",
        "model.batched",
        "run.resumed",
        "model.called",
        "model.batched",
        "run.resumed",
        "model.called",
        "run.completed",
    ]


async def test_a_run_that_somebody_waits_for_is_answered_at_once(provider, world, opened):
    async with opened() as process:
        await process.start("pair", "Hi", pace="prompt")
        [done] = await process.execute()
    assert (done.state, done.cost, len(provider.chats)) == ("completed", 2 * FULL, 2)
    assert provider.batches == {}


async def test_calls_made_in_parallel_go_in_one_batch(provider, world, opened):
    async with opened() as process:
        await process.start("asker", "a b c d e")
        await process.execute()
        await process.later()
        assert len(provider.requests("batch_1")) == 5
        provider.finish()
        await process.later()
        [done] = await process.execute()
        assert await process.entries() == [("ok", HALF)] * 5
    assert done.result == json.dumps([f"Answer to: {word}" for word in "abcde"])


async def test_a_process_that_ends_between_any_two_steps_loses_and_doubles_nothing(provider, world, opened):
    async with opened() as process:
        run = await process.start("pair", "Hi")
    for turn in (1, 2):
        async with opened() as process:
            assert [left.state for left in await process.execute()] == ["queued"]
        async with opened() as process:
            await process.later()
        async with opened() as process:
            assert await process.execute() == []
        provider.finish(f"batch_{turn}")
        async with opened() as process:
            await process.later(901)
    async with opened() as process:
        await process.execute()
        done = await process.runs.get(run.id)
        assert await process.entries() == [("ok", HALF)] * 2
        assert await process.set_aside() == 0
    assert (done.state, done.cost) == ("completed", 2 * HALF)
    assert len(provider.keys) == len(set(provider.keys)) == 2


async def test_an_answer_whose_process_dies_before_it_is_recorded_is_taken_again(provider, world, opened):
    async with opened() as process:
        run = await process.start("asker", "a")
        await process.execute()
        await process.later()
        provider.finish()
        await process.later()
        world.redeeming = asyncio.Event()
        dying = asyncio.create_task(process.execute())
        await world.redeeming.wait()
        await process.database.close()
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
    world.redeeming = None
    world.clock.advance(3600)
    async with opened() as process:
        assert await process.entries() == []
        await process.execute()
        done = await process.runs.get(run.id)
        assert await process.entries() == [("ok", HALF)]
        assert await process.set_aside() == 0
    assert (done.state, done.result, done.cost) == ("completed", '["Answer to: a"]', HALF)
    assert provider.chats == []


async def test_after_the_deadline_the_run_goes_on_by_itself_at_the_full_price(provider, world, opened):
    async with opened() as process:
        await process.start("asker", "a")
        [resting] = await process.execute()
        assert resting.due_at == world.clock.now() + timedelta(hours=24)
        await process.later()
        world.clock.advance(24 * 3600)
        [done] = await process.execute()
        assert (done.state, done.cost, len(provider.chats)) == ("completed", FULL, 1)
        for _ in range(2):
            await process.later(901)
        assert provider.batches["batch_1"]["status"] == "cancelling"
        provider.finish(status="cancelled")
        for _ in range(2):
            await process.later(901)
        assert await process.entries() == [("ok", FULL), ("unclaimed", HALF)]
        assert (await process.runs.get(done.id)).cost == FULL + HALF
        assert await process.set_aside() == 0


async def test_a_cancelled_run_takes_its_requests_back(provider, world, opened):
    async with opened() as process:
        run = await process.start("asker", "a b")
        await process.execute()
        await process.runs.cancel(run.id)
        await process.later()
        assert (provider.batches, await process.set_aside()) == ({}, 0)
