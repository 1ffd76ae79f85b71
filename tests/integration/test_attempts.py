"""What becomes of an attempt at a run that is lost, cut off, stranded, or stopped before it has begun."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Never
from uuid import uuid4

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent
from sqlalchemy import create_engine

import proctor
from conftest import make_settings
from proctor import Settings
from proctor.core import ModelCall, NotFound
from proctor.runs import Run
from proctor.testing import FakeClock, Reply, ScriptedModel, tool_call
from servers.temporal import Temporal, running_temporal

BOUND = 30


@dataclass
class Desk:
    """An application whose clerk acts once, and a model that answers when it is told to."""

    acted: list[str] = field(default_factory=list)
    asked: int = 0
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def application(self) -> proctor.App:
        app = proctor.App()

        @app.tool(effect="consequential")
        async def act() -> str:
            """Acts."""
            self.acted.append("act")
            return "done"

        @app.team("desk", tools=["act"])
        def desk(ctx: proctor.TeamContext) -> ChatAgent:
            return AssistantAgent(
                "clerk", model_client=ctx.model("small"), workbench=ctx.tools("act"), max_tool_iterations=3
            )

        return app

    async def answer(self, call: ModelCall) -> Reply:
        self.asked += 1
        await self.go.wait()
        acted = not call.tools or call.messages[-1]["role"] == "tool"
        return "Done." if acted else [tool_call("act")]

    async def until_asked(self, count: int = 1) -> None:
        await until(lambda: self.asked >= count)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def make(database_url: str) -> Callable[..., Settings]:
    return lambda **team: make_settings(database_url, teams={"desk": {"approval": "never", **team}})


@asynccontextmanager
async def opened(settings: Settings, desk: Desk, **more: object) -> AsyncIterator[proctor.Proctor]:
    model = ScriptedModel(desk.answer)
    async with (
        asyncio.timeout(BOUND),
        proctor.open(desk.application(), settings=settings, providers={"openai": model}, **more) as running,  # type: ignore[arg-type]
    ):
        yield running


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(BOUND):
        while not holds():
            await asyncio.sleep(0.01)


async def types(running: proctor.Proctor, run_id: str) -> list[str]:
    return [event.type for event in await running.runs.events(run_id)]


async def taken_up(running: proctor.Proctor, desk: Desk) -> "list[asyncio.Task[Run | None]]":
    """Attempts at all that is due, each in the middle of its first call."""
    execution, before = running.runs.execution, desk.asked
    attempts = [asyncio.create_task(execution.execute(run_id)) for run_id in await execution.due(100)]
    await desk.until_asked(before + len(attempts))
    return attempts


@pytest.mark.parametrize("fate", ["queued", "failed", "cancelled"])
async def test_an_attempt_whose_run_was_taken_from_it_writes_nothing_and_acts_no_more(
    make: Callable[..., Settings], desk: Desk, fate: str
) -> None:
    settings = make(retries=0 if fate == "failed" else 5)
    async with (
        opened(settings, desk, executes=False) as frozen,
        opened(settings, desk, executes=False) as other,
    ):
        run = await frozen.start("desk", "hello")
        [attempt] = await taken_up(frozen, desk)
        await other.runs.execution.find_lost()
        if fate == "cancelled":
            await other.runs.cancel(run.id)

        async def all_of_it() -> tuple[object, ...]:
            runs = other.runs
            return await runs.get(run.id), await runs.events(run.id), await runs.calls(run.id)

        left = await other.runs.get(run.id)
        assert (left.state, left.attempt) == (fate, 1), "no newer attempt fences this one"
        before = await all_of_it()
        desk.go.set()
        assert await attempt is None
        assert (await all_of_it(), desk.acted) == (before, [])


async def test_a_call_that_a_drain_cuts_off_is_no_failed_attempt(
    make: Callable[..., Settings], desk: Desk
) -> None:
    settings = make(retries=0)
    async with opened(settings, desk, grace=timedelta(seconds=0.05)) as running:
        run = await running.start("desk", "hello")
        await desk.until_asked()
    for count in (2, 3):
        async with opened(settings, desk, grace=timedelta(seconds=0.05)):
            await desk.until_asked(count)
    async with opened(settings, desk, executes=False) as aside:
        left = await aside.runs.get(run.id)
        assert (left.state, left.attempt, left.failures, left.due_at) == ("queued", 3, 0, None)
        cut_off = ["run.resumed", "call.wasted"]
        assert await types(aside, run.id) == ["run.started", "call.wasted", *cut_off, *cut_off]
        assert left.cost > 0, "what was sent and never answered may be billed"
    desk.go.set()
    async with opened(settings, desk) as running:
        assert (await running.wait(run.id)).state == "completed"
    assert desk.acted == ["act"]


async def test_runs_that_lose_their_worker_again_rest_each_for_another_time_and_are_parked_at_last(
    make: Callable[..., Settings], desk: Desk
) -> None:
    clock = FakeClock()
    async with opened(make(retries=3), desk, executes=False, clock=clock) as running:
        ids = [(await running.start("desk", str(number))).id for number in range(8)]

        async def lose() -> list[float]:
            """The seconds for which the runs rest after all of them were taken up and lost."""
            attempts = await taken_up(running, desk)
            assert len(attempts) == len(ids)
            for attempt in attempts:  # not asked to stop, as in a process that dies
                attempt.cancel()
            await asyncio.gather(*attempts, return_exceptions=True)
            await running.runs.execution.find_lost()
            runs = [await running.runs.get(run_id) for run_id in ids]
            return [0.0 if run.due_at is None else (run.due_at - clock.now()).total_seconds() for run in runs]

        assert await lose() == [0.0] * len(ids)
        rests = await lose()
        assert len(set(rests)) > 1
        assert all(0.5 <= rest <= 1.5 for rest in rests)
        clock.advance(0.499)
        assert await running.runs.execution.due(100) == ()
        clock.advance(max(rests) - 0.499)
        assert await lose() == pytest.approx([2 * rest for rest in rests], abs=1e-3)
        clock.advance(3)
        await lose()
        for run_id, rest in zip(ids, rests, strict=True):
            run, log = await running.runs.get(run_id), await running.runs.events(run_id)
            assert (run.state, run.error_code) == ("failed", "worker_lost")
            told = [event.data["in_s"] for event in log if event.type == "run.rescheduled"]
            assert told == pytest.approx([0.0, rest, 2 * rest], abs=1e-3)
        labels = {"team": "desk", "status": "failed", "release": ""}
        assert running.metrics.registry.get_sample_value("proctor_runs_total", labels) == len(ids)


async def test_a_worker_leaves_the_run_of_another_application_alone(
    make: Callable[..., Settings], desk: Desk
) -> None:
    settings = make()
    foreign = proctor.App()
    foreign.team("lab")(lambda ctx: AssistantAgent("chemist", model_client=ctx.model("small")))
    lab = proctor.open(
        foreign, settings=settings, executes=False, providers={"openai": ScriptedModel(desk.answer)}
    )
    async with opened(settings, desk, executes=False) as worker, lab as elsewhere:
        run = await elsewhere.start("lab", "hello")
        [attempt] = await taken_up(elsewhere, desk)
        with pytest.raises(NotFound):
            await worker.runs.execution.take_over(run.id)
        assert (await worker.runs.get(run.id)).state == "running"
        assert await types(worker, run.id) == ["run.started"]
        desk.go.set()
        done = await attempt
        assert done is not None
        assert (done.state, done.attempt) == ("completed", 1)


@pytest.fixture(scope="module")
def temporal() -> Iterator[Temporal]:
    with running_temporal() as server:
        yield server


async def test_workers_of_several_applications_share_a_queue(
    postgres_url: str, temporal: Temporal, desk: Desk
) -> None:
    engine = {"kind": "temporal", "address": temporal.address, "queue": uuid4().hex}
    settings = make_settings(postgres_url, engine=engine)
    foreign = proctor.App()
    foreign.team("lab")(lambda ctx: AssistantAgent("chemist", model_client=ctx.model("small")))
    lab = proctor.open(foreign, settings=settings, providers={"openai": ScriptedModel(lambda _: "Done.")})
    async with opened(settings, desk), lab as elsewhere:
        started = [await elsewhere.start("lab", str(number)) for number in range(8)]
        for run in started:
            done = await elsewhere.wait(run.id)
            assert (done.state, done.attempt) == ("completed", 1)


class Leaver(AssistantAgent):
    """An agent that ends the process in which it is asked."""

    def on_messages_stream(self, messages: object, cancellation_token: object) -> Never:
        sys.exit(3)


def leaving(place: str) -> proctor.App:
    """An application with a team of which one part calls `sys.exit`."""
    app = Desk().application()

    @app.tool(effect="read_only")
    def leave() -> str:
        """Ends the process."""
        sys.exit(3)

    @app.tool(effect="read_only")
    async def leave_later() -> str:
        """Ends the process behind an await."""
        await asyncio.sleep(0)
        sys.exit(3)

    def clerk(ctx: proctor.TeamContext, kind: type[AssistantAgent] = AssistantAgent) -> ChatAgent:
        tools = ctx.tools("leave", "leave_later")
        return kind("leaver", model_client=ctx.model("small"), workbench=tools, max_tool_iterations=3)

    async def built_later(ctx: proctor.TeamContext) -> ChatAgent:
        await asyncio.sleep(0)
        return sys.exit(3)

    factories = {
        "a factory": lambda _: sys.exit(3),
        "an async factory": built_later,
        "an agent": lambda ctx: clerk(ctx, Leaver),
    }
    app.team("leaver", tools=["leave", "leave_later"])(factories.get(place, clerk))
    return app


@pytest.mark.parametrize(
    ("place", "state", "code"),
    [
        ("a tool", "completed", None),
        ("an async tool", "completed", None),
        ("a factory", "failed", "team"),
        ("an async factory", "failed", "team"),
        ("an agent", "failed", "agent_failed"),
    ],
)
async def test_who_ends_the_process_ends_no_other_run(
    settings: Settings, desk: Desk, place: str, state: str, code: str | None
) -> None:
    async def answer(call: ModelCall) -> Reply:
        if call.scope.agent != "leaver":
            return await desk.answer(call)
        last = call.messages[-1]
        if last["role"] == "tool":
            return str(last["content"])
        return [tool_call("leave" if place == "a tool" else "leave_later")]

    model = ScriptedModel(answer)
    async with (
        asyncio.timeout(BOUND),
        proctor.open(leaving(place), settings=settings, providers={"openai": model}) as running,
    ):
        other = await running.start("desk", "hello")
        await desk.until_asked()
        run = await running.run("leaver", "hello")
        assert (run.state, run.error_code) == (state, code)
        assert "SystemExit" in (run.result or run.error or "")
        desk.go.set()
        waiting = await running.wait(other.id)
        assert (waiting.state, waiting.attempt) == ("waiting", 1)


def slow_to_begin(place: str, mark: Path) -> proctor.App:
    """An application whose run leaves a mark when it has come to the place, and stays there."""
    app = proctor.App()

    async def slow(ctx: proctor.TeamContext) -> ChatAgent:
        mark.touch()  # noqa: ASYNC240 - a moment, in a test
        await asyncio.get_running_loop().create_future()
        return AssistantAgent("clerk", model_client=ctx.model("small"))

    def quick(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("clerk", model_client=ctx.model("small"))

    planned = place == "its plan"
    app.team("slow", tools=["silent"] if planned else [])(quick if planned else slow)
    return app


PLACES = pytest.mark.parametrize("place", ["its plan", "its team"])


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


@pytest.fixture
def silent(tmp_path: Path, mark: Path) -> Settings:
    """A configuration with a tool server that never comes."""
    command = ["sh", "-c", f"touch {mark}; while read -r line; do :; done"]
    more = {"tools": {"silent": {"command": command}}, "teams": {"slow": {"retries": 0}}}
    return make_settings(f"sqlite:///{tmp_path}/proctor.db", **more)


@PLACES
@pytest.mark.parametrize("by", ["this process", "another process"])
async def test_a_run_is_cancelled_while_something_it_needs_is_still_made(
    silent: Settings, mark: Path, place: str, by: str
) -> None:
    app, providers = slow_to_begin(place, mark), {"openai": ScriptedModel([])}
    aside = proctor.open(app, settings=silent, executes=False, providers=providers)
    async with (
        asyncio.timeout(BOUND),
        proctor.open(app, settings=silent, providers=providers) as running,
        aside as other,
    ):
        run = await running.start("slow", "hello")
        await until(mark.exists)
        asked = await (running if by == "this process" else other).runs.cancel(run.id)
        assert asked.state == "running"
        assert (await running.wait(run.id)).state == "cancelled"
        assert await types(running, run.id) == ["run.started", "run.cancelled"]


@PLACES
async def test_a_run_that_is_drained_while_something_it_needs_is_still_made_is_given_back(
    silent: Settings, mark: Path, place: str
) -> None:
    app, providers = slow_to_begin(place, mark), {"openai": ScriptedModel([])}
    async with (
        asyncio.timeout(BOUND),
        proctor.open(app, settings=silent, providers=providers) as running,
    ):
        run = await running.start("slow", "hello")
        await until(mark.exists)
    async with proctor.open(app, settings=silent, executes=False, providers=providers) as aside:
        left = await aside.runs.get(run.id)
        assert (left.state, left.failures, left.due_at) == ("queued", 0, None)
        assert await types(aside, run.id) == ["run.started"]


async def test_a_run_that_is_stored_while_its_process_stops_executing_is_found_again(
    make: Callable[..., Settings], desk: Desk
) -> None:
    desk.go.set()
    settings = make()
    async with opened(settings, desk) as running:
        engine = create_engine(running.database.engine.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            held = "BEGIN IMMEDIATE" if engine.dialect.name == "sqlite" else "BEGIN; LOCK TABLE runs"
            connection.exec_driver_sql(held)
            starting = asyncio.create_task(running.start("desk", "hello"))
            for _ in range(10):  # it comes to be stored
                await asyncio.sleep(0)
            stopping = asyncio.create_task(running.engine.stop(timedelta(0)))
            await until(lambda: not running.engine.direct)
            connection.exec_driver_sql("ROLLBACK")
        engine.dispose()
        run = await starting
        await stopping
        stranded = await running.runs.get(run.id)
        assert (stranded.state, stranded.attempt) == ("running", 1), "nobody executes it"
        await running.engine.start()
        assert (await running.wait(run.id)).state == "completed"
