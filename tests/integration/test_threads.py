"""Threads: one run of a conversation at a time, in the order of its messages, whoever executes them."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from sqlalchemy import func, select, text

import proctor
from conftest import make_settings
from proctor import Decision, Settings
from proctor.core import BusyThread, Conflict, InvalidInput, ModelCall, NotFound, TeamSettings, ThreadBusy
from proctor.runs import Run, thread_states
from proctor.runs._queue import claim
from proctor.testing import Reply, ScriptedModel


def application() -> proctor.App:
    app = proctor.App()

    @app.team("desk")
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("clerk", model_client=ctx.model("small"))

    @app.team("other")
    def other(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("clerk", model_client=ctx.model("small"))

    @app.team("confirmed")
    def confirmed(ctx: proctor.TeamContext) -> Team:
        members = [AssistantAgent("writer", model_client=ctx.model("small")), ctx.human("manager")]
        return RoundRobinGroupChat(members, termination_condition=MaxMessageTermination(3))

    return app


def configured(settings: Settings, busy: BusyThread) -> Settings:
    team = TeamSettings(busy_thread=busy, retries=0)
    return settings.model_copy(update={"teams": {"desk": team, "confirmed": team}})


class Gate:
    """A model that answers a message when it is let, and keeps which messages it answers at a time."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.open = asyncio.Event()
        self.order: list[str] = []
        self.now = 0
        self.most = 0

    async def __call__(self, call: ModelCall) -> Reply:
        text = str(call.messages[-1]["content"])
        self.order.append(text)
        self.asked.put_nowait(text)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.open.wait()
            await asyncio.sleep(0)
        finally:
            self.now -= 1
        return f"answer to {text}"


async def test_a_message_of_a_conversation_is_not_delayed(settings: Settings) -> None:
    model = ScriptedModel(lambda call: f"answer to {call.messages[-1]['content']}")
    async with (
        asyncio.timeout(30),
        proctor.open(application(), settings=settings, providers={"openai": model}) as running,
    ):
        thread = await running.open_thread("desk")
        with pytest.raises(InvalidInput):
            await running.start("desk", "later", thread=thread.id, at=datetime(2100, 1, 1, tzinfo=UTC))
        run = await running.run("desk", "now", thread=thread.id)
    assert (run.state, run.result) == ("completed", "answer to now")


async def test_messages_that_come_while_a_run_goes_on_wait_in_their_order(settings: Settings) -> None:
    gate = Gate()
    async with (
        asyncio.timeout(30),
        proctor.open(application(), settings=settings, providers={"openai": ScriptedModel(gate)}) as running,
    ):
        thread = await running.open_thread("desk")
        runs = [await running.start("desk", f"message {number}", thread=thread.id) for number in range(4)]
        await gate.asked.get()
        states = [(await running.runs.get(run.id)).state for run in runs]
        aside = await running.start("desk", "on no thread")
        assert await gate.asked.get() == "on no thread", "other runs don't wait"
        gate.open.set()
        ended = [await running.wait(run.id) for run in (*runs, aside)]
    assert states == ["running", "queued", "queued", "queued"]
    assert {run.state for run in ended} == {"completed"}
    assert [text for text in gate.order if text != "on no thread"] == [f"message {n}" for n in range(4)]


async def test_a_run_that_waits_for_a_person_keeps_the_next_waiting(settings: Settings) -> None:
    model = ScriptedModel(lambda call: f"draft {len(call.messages)}")
    async with (
        asyncio.timeout(30),
        proctor.open(application(), settings=settings, providers={"openai": model}) as running,
    ):
        thread = await running.open_thread("confirmed")
        first = await running.run("confirmed", "one", thread=thread.id)
        second = await running.start("confirmed", "two", thread=thread.id)
        await running.engine.idle()
        assert first.state == "waiting"
        assert (await running.runs.get(second.id)).state == "queued"
        (approval,) = await running.approvals()
        await running.decide(approval.id, Decision(kind="approve", by="ann"))
        assert (await running.wait(first.id)).state == "completed"
        assert (await running.wait(second.id)).state == "waiting"


async def test_a_run_that_failed_keeps_nobody_waiting(settings: Settings) -> None:
    model = ScriptedModel([ValueError("broken"), "an answer"])
    async with (
        asyncio.timeout(30),
        proctor.open(
            application(), settings=configured(settings, "queue"), providers={"openai": model}
        ) as running,
    ):
        thread = await running.open_thread("desk")
        first = await running.run("desk", "one", thread=thread.id)
        second = await running.run("desk", "two", thread=thread.id)
    assert (first.state, second.state) == ("failed", "completed")


async def test_a_failed_run_that_is_resumed_waits_for_the_one_that_goes_on(settings: Settings) -> None:
    gate = Gate()
    gate.open.set()
    fails = [ValueError("broken")]

    async def model(call: ModelCall) -> Reply:
        return fails.pop() if fails else await gate(call)

    scripted = ScriptedModel(model)
    async with (
        asyncio.timeout(30),
        proctor.open(
            application(), settings=configured(settings, "queue"), providers={"openai": scripted}
        ) as running,
    ):
        thread = await running.open_thread("desk")
        first = await running.run("desk", "one", thread=thread.id)
        gate.open.clear()
        second = await running.start("desk", "two", thread=thread.id)
        await gate.asked.get()
        await running.resume(first.id)
        assert await running.runs.execution.due(8) == ()
        assert (await running.runs.get(first.id)).state == "queued"
        gate.open.set()
        ended = [await running.wait(run.id) for run in (second, first)]
    assert [run.state for run in ended] == ["completed", "completed"]
    assert gate.most == 1


async def test_a_busy_thread_may_reject_messages(settings: Settings) -> None:
    gate = Gate()
    async with (
        asyncio.timeout(30),
        proctor.open(
            application(),
            settings=configured(settings, "reject"),
            providers={"openai": ScriptedModel(gate)},
        ) as running,
    ):
        thread = await running.open_thread("desk")
        first = await running.start("desk", "one", thread=thread.id)
        with pytest.raises(ThreadBusy) as refusal:
            await running.start("desk", "two", thread=thread.id)
        gate.open.set()
        await running.wait(first.id)
        third = await running.run("desk", "three", thread=thread.id)
        known = await running.threads.runs(thread.id)
    assert (refusal.value.code, refusal.value.status) == ("thread_busy", 409)
    assert third.state == "completed"
    assert [run.task for run in known] == ["one", "three"]


async def test_a_message_may_interrupt_the_runs_before_it(settings: Settings) -> None:
    gate = Gate()
    gate.open.set()
    model = ScriptedModel(gate)
    async with (
        asyncio.timeout(30),
        proctor.open(
            application(), settings=configured(settings, "interrupt"), providers={"openai": model}
        ) as running,
    ):
        thread = await running.open_thread("desk")
        await running.run("desk", "zero", thread=thread.id)
        await gate.asked.get()
        gate.open.clear()
        first = await running.start("desk", "one", thread=thread.id)
        await gate.asked.get()
        second = await running.start("desk", "two", thread=thread.id)
        assert await gate.asked.get() == "two"
        gate.open.set()
        ended = [await running.wait(run.id) for run in (first, second)]
    assert [run.state for run in ended] == ["cancelled", "completed"]
    told = str(model.calls[-1].messages)
    assert "zero" in told
    assert "'one'" not in told, "a run that was cancelled has no part in the conversation"


async def test_an_interruption_takes_back_what_waits_too(settings: Settings) -> None:
    model = ScriptedModel(lambda call: f"draft {len(call.messages)}")
    async with (
        asyncio.timeout(30),
        proctor.open(
            application(), settings=configured(settings, "interrupt"), providers={"openai": model}
        ) as running,
    ):
        thread = await running.open_thread("confirmed")
        first = await running.run("confirmed", "one", thread=thread.id)
        second = await running.run("confirmed", "two", thread=thread.id)
        first = await running.runs.get(first.id)
        asked = await running.approvals()
    assert (first.state, second.state) == ("cancelled", "waiting")
    assert [approval.run_id for approval in asked] == [second.id]


async def test_a_text_that_the_policy_refuses_interrupts_nothing(settings: Settings) -> None:
    gate = Gate()
    async with (
        asyncio.timeout(30),
        proctor.open(
            application(),
            settings=configured(settings, "interrupt"),
            providers={"openai": ScriptedModel(gate)},
        ) as running,
    ):
        thread = await running.open_thread("desk")
        first = await running.start("desk", "one", thread=thread.id)
        await gate.asked.get()
        key = "sk-proj-" + "A1b2C3d4" * 6
        refused = await running.run("desk", f"my key is {key}", thread=thread.id)
        gate.open.set()
        first = await running.wait(first.id)
    assert (refused.state, first.state) == ("refused", "completed")


async def test_a_thread_belongs_to_one_team_and_one_tenant(settings: Settings) -> None:
    model = ScriptedModel(lambda _: "an answer")
    async with proctor.open(application(), settings=settings, providers={"openai": model}) as running:
        thread = await running.open_thread("desk", tenant="acme")
        with pytest.raises(Conflict) as other_team:
            await running.start("other", "hello", thread=thread.id, tenant="acme")
        for stranger in ({}, {"tenant": "globex"}):
            with pytest.raises(NotFound):
                await running.start("desk", "hello", thread=thread.id, **stranger)
        with pytest.raises(NotFound):
            await running.start("desk", "hello", thread="thr_nonesuch", tenant="acme")
        run = await running.run("desk", "hello", thread=thread.id, tenant="acme")
        stored = await running.runs.page()
        thread = await running.threads.get(thread.id)
        (listed,) = await running.threads.page(tenant="acme")
        assert await running.threads.page(tenant="globex") == ()
    assert other_team.value.code == "conflict"
    assert [each.id for each in stored] == [run.id], "a message that wasn't taken left nothing"
    assert (thread.turns, thread.team, thread.tenant, run.thread_id) == (1, "desk", "acme", thread.id)
    assert listed == thread


async def states(running: proctor.Proctor) -> int:
    return await running.database.read(
        lambda connection: connection.scalar(select(func.count()).select_from(thread_states)) or 0
    )


async def test_only_states_that_a_run_may_begin_with_are_kept(settings: Settings) -> None:
    answers: list[Reply] = ["1", "2", ValueError("broken"), "4", "5", "3", "6"]
    async with (
        asyncio.timeout(30),
        proctor.open(
            application(),
            settings=configured(settings, "queue"),
            providers={"openai": ScriptedModel(answers)},
        ) as running,
    ):
        thread = await running.open_thread("desk")
        kept: list[int] = []
        runs: list[Run] = []
        for number in range(1, 6):
            runs.append(await running.run("desk", f"{number}", thread=thread.id))
            kept.append(await states(running))
        await running.resume(runs[2].id)
        assert (await running.wait(runs[2].id)).result == "3"
        kept.append(await states(running))
        assert await running.threads.forget(thread.id) == 1
        last = await running.run("desk", "6", thread=thread.id)
        calls = await running.runs.calls(last.id)
    assert kept == [1, 1, 1, 2, 2, 1], "the failed run's own beginning stays until it has ended"
    assert len(calls[0].request["messages"]) == 2, "what was forgotten is told to nobody"  # type: ignore[arg-type]


async def test_a_thread_in_use_is_not_forgotten(settings: Settings) -> None:
    gate = Gate()
    async with (
        asyncio.timeout(30),
        proctor.open(application(), settings=settings, providers={"openai": ScriptedModel(gate)}) as running,
    ):
        thread = await running.open_thread("desk")
        run = await running.start("desk", "one", thread=thread.id)
        with pytest.raises(ThreadBusy):
            await running.threads.forget(thread.id)
        gate.open.set()
        await running.wait(run.id)
        with pytest.raises(NotFound):
            await running.threads.forget("thr_nonesuch")


async def test_several_workers_take_up_one_run_of_a_thread_at_a_time(database_url: str) -> None:
    settings = make_settings(database_url)
    gate = Gate()
    gate.open.set()
    app = application()
    async with asyncio.timeout(60), AsyncExitStack() as stack:
        workers = [
            await stack.enter_async_context(
                proctor.open(
                    app, settings=settings, executes=False, providers={"openai": ScriptedModel(gate)}
                )
            )
            for _ in range(3)
        ]
        threads = [await workers[0].open_thread("desk") for _ in range(2)]
        runs = [
            await workers[number % 3].start("desk", f"{thread.id} {number}", thread=thread.id)
            for number in range(6)
            for thread in threads
        ]

        async def ended(run: Run) -> bool:
            return (await workers[0].runs.get(run.id)).state == "completed"

        async def work(worker: proctor.Proctor) -> None:
            while not all([await ended(run) for run in runs]):
                due = await worker.runs.execution.due(8)
                await asyncio.gather(*(worker.runs.execution.execute(run_id) for run_id in due))
                await asyncio.sleep(0)

        await asyncio.gather(*(work(worker) for worker in workers))
    for thread in threads:
        order = [text for text in gate.order if text.startswith(thread.id)]
        assert order == [f"{thread.id} {number}" for number in range(6)]
    assert gate.most <= len(threads)


async def test_messages_sent_at_once_to_a_rejecting_thread_are_taken_once(database_url: str) -> None:
    settings = configured(make_settings(database_url), "reject")
    async with AsyncExitStack() as stack:
        senders = [
            await stack.enter_async_context(
                proctor.open(application(), settings=settings, executes=False, providers={})
            )
            for _ in range(3)
        ]
        thread = await senders[0].open_thread("desk")
        sent = [sender.start("desk", "hello", thread=thread.id) for sender in senders for _ in range(4)]
        taken = await asyncio.gather(*sent, return_exceptions=True)
    assert sum(isinstance(run, Run) for run in taken) == 1
    assert sum(isinstance(error, ThreadBusy) for error in taken) == len(taken) - 1


async def test_runs_of_a_thread_that_are_handed_out_at_once_are_not_taken_up_at_once(
    database_url: str,
) -> None:
    """A failed run that is resumed comes before the next, which may have been handed out by then."""
    settings = configured(make_settings(database_url), "queue")
    gate = Gate()
    broken = True

    async def model(call: ModelCall) -> Reply:
        return ValueError("broken") if broken else await gate(call)

    providers = {"openai": ScriptedModel(model)}
    async with asyncio.timeout(60), AsyncExitStack() as stack:
        one, two = [
            await stack.enter_async_context(
                proctor.open(application(), settings=settings, executes=False, providers=providers)
            )
            for _ in range(2)
        ]
        threads = [await one.open_thread("desk") for _ in range(16)]
        firsts = [await one.start("desk", "one", thread=thread.id) for thread in threads]
        for run_id in await one.runs.execution.due(16):
            await one.runs.execution.execute(run_id)
        broken = False
        seconds = [await one.start("desk", "two", thread=thread.id) for thread in threads]
        assert len(await one.runs.execution.due(16)) == 16
        for run in firsts:
            await two.resume(run.id)
        assert len(await two.runs.execution.due(16)) == 16
        both = [asyncio.create_task(one.runs.execution.execute(run.id)) for run in seconds]
        both += [asyncio.create_task(two.runs.execution.execute(run.id)) for run in firsts]
        ended = asyncio.as_completed(both)
        assert [await next(ended) for _ in threads] == [None] * 16, "one of each thread waits at the gate"
        gate.open.set()
        taken = [run.thread_id for run in [await each for each in ended] if run is not None]
    assert sorted(taken) == sorted(thread.id for thread in threads)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_claim_waits_for_one_of_the_same_thread_that_is_not_committed_yet(database_url: str) -> None:
    settings = configured(make_settings(database_url), "queue")
    model = ScriptedModel([ValueError("broken")])
    async with (
        asyncio.timeout(30),
        proctor.open(
            application(), settings=settings, executes=False, providers={"openai": model}
        ) as running,
    ):
        thread = await running.open_thread("desk")
        first = await running.start("desk", "one", thread=thread.id)
        assert await running.runs.execution.due(8) == (first.id,)
        await running.runs.execution.execute(first.id)
        second = await running.start("desk", "two", thread=thread.id)
        assert await running.runs.execution.due(8) == (second.id,)
        engine, at = running.database.engine, datetime.now(UTC)

        def take_first() -> Run | None:
            with engine.begin() as connection:
                return claim(connection, first.id, at=at, worker="b")

        with engine.connect() as connection:
            assert claim(connection, second.id, at=at, worker="a") is not None
            await running.resume(first.id)
            assert await running.runs.execution.due(8) == (first.id,), (
                "it doesn't see yet what isn't committed"
            )
            taking = asyncio.create_task(asyncio.to_thread(take_first))
            waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while not await running.database.read(lambda reader: reader.scalar(waiting)):
                assert not taking.done()
                await asyncio.sleep(0.01)
            connection.commit()
        assert await taking is None
