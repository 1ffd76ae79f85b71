"""Whose turn it is: priorities, concurrency and rates of teams and tenants, of all workers together."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent
from starlette.responses import JSONResponse, Response

import proctor
from proctor import Decision, Settings
from proctor.app import load_app
from proctor.core import ModelCall
from proctor.runs import Run
from proctor.testing import FakeClock, Reply, ScriptedModel, tool_call
from servers.openai_endpoint import Body, completion, serving
from servers.temporal import Temporal, running_temporal

PATIENCE = 60

APP = """
import proctor
from autogen_agentchat.agents import AssistantAgent

app = proctor.App()

@app.team("desk")
def desk(ctx: proctor.TeamContext) -> AssistantAgent:
    return AssistantAgent("clerk", model_client=ctx.model("small"))

@app.team("lab")
def lab(ctx: proctor.TeamContext) -> AssistantAgent:
    return AssistantAgent("chemist", model_client=ctx.model("small"))
"""


def application() -> proctor.App:
    app = proctor.App()

    @app.tool(effect="consequential")
    def refund() -> str:
        """Pays back."""
        return "refunded"

    def clerk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("clerk", model_client=ctx.model("small"), workbench=ctx.tools("refund"))

    app.team("desk", tools=["refund"])(clerk)
    app.team("lab", tools=["refund"])(clerk)
    return app


@dataclass
class Slow:
    """A model that answers when it is told to, and counts who is being answered."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[str] = field(default_factory=list)
    """The tasks, in the order in which they were taken up."""

    async def __call__(self, call: ModelCall) -> Reply:
        task = str(call.messages[-1]["content"])
        if task == "Refund.":
            return [tool_call("refund")]
        self.asked.append(task)
        if task.startswith("slow"):
            await self.go.wait()
        return "Done."

    async def until(self, count: int) -> None:
        """Returns when so many runs are, or were, executed."""
        while len(self.asked) < count:
            await asyncio.sleep(0.01)


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make(database_url: str) -> Callable[..., Settings]:
    from conftest import make_settings

    return lambda **more: make_settings(database_url, **more)


@asynccontextmanager
async def opened(settings: Settings, slow: Slow, **more: object) -> AsyncIterator[proctor.Proctor]:
    more = {"grace": timedelta(0), **more}
    providers = {"openai": ScriptedModel(slow)}
    async with proctor.open(application(), settings=settings, providers=providers, **more) as running:  # type: ignore[arg-type]
        async with asyncio.timeout(30):
            yield running


async def states(running: proctor.Proctor) -> Counter[str]:
    return Counter(run.state for run in await running.runs.page(limit=100))


async def test_the_more_urgent_run_overtakes_those_that_wait(
    make: Callable[..., Settings], slow: Slow
) -> None:
    async with opened(make(engine={"concurrency": 1}), slow) as running:
        await running.start("desk", "slow")
        await slow.until(1)
        waiting = [await running.start("desk", f"usual {number}") for number in range(3)]
        urgent = await running.start("desk", "urgent", priority=10)
        later = await running.start("desk", "for later", priority=-10)
        slow.go.set()
        for run in (*waiting, urgent, later):
            await running.wait(run.id)
    assert slow.asked == ["slow", "urgent", "usual 0", "usual 1", "usual 2", "for later"]


@pytest.mark.parametrize(
    "limits", [{"teams": {"desk": {"concurrency": 2}}}, {"tenants": {"acme": {"concurrency": 2}}}]
)
async def test_a_team_or_tenant_at_its_limit_holds_up_nobody_else(
    make: Callable[..., Settings], slow: Slow, limits: dict[str, object]
) -> None:
    async with opened(make(**limits, engine={"concurrency": 4}), slow) as running:
        held = [
            await running.start("desk", f"slow {number}", tenant="acme", priority=5) for number in range(40)
        ]
        await slow.until(2)
        other = await running.run("lab", "quick", tenant="other")
        assert other.state == "completed"
        assert sorted(slow.asked) == ["quick", "slow 0", "slow 1"]
        assert await states(running) == Counter(running=2, queued=38, completed=1)
        slow.go.set()
        for run in held:
            await running.wait(run.id)
    assert len(slow.asked) == 41


async def test_no_more_runs_are_taken_up_in_a_minute_than_the_rate_says(
    make: Callable[..., Settings], slow: Slow, clock: FakeClock
) -> None:
    async with opened(make(teams={"desk": {"rate_per_minute": 3}}), slow, clock=clock) as running:
        for number in range(7):
            await running.start("desk", f"quick {number}")
        for completed in (3, 6, 7):
            await running.engine.idle()
            assert (await states(running))["completed"] == completed
            clock.advance(59)
            await running.engine.idle()
            assert (await states(running))["completed"] == completed
            clock.advance(1)


async def test_looks_that_find_nobodys_turn_commit_nothing(
    make: Callable[..., Settings], slow: Slow, clock: FakeClock
) -> None:
    settings = make(teams={"desk": {"concurrency": 1}})
    async with opened(settings, slow, executes=False, clock=clock) as running:
        first = await running.start("desk", "first")
        await running.start("desk", "second")
        await running.start("lab", "later", at=clock.now() + timedelta(hours=1))
        assert await running.runs.execution.due(8) == (first.id,)
        before = running.database.commits
        for _ in range(3):
            assert await running.runs.execution.due(8) == ()
            await running.runs.execution.find_lost()
        assert running.database.commits == before
        assert await running.runs.execution.execute(first.id) is not None


async def test_a_run_that_a_person_let_go_on_waits_for_its_turn_like_all(
    make: Callable[..., Settings], slow: Slow
) -> None:
    async with opened(make(teams={"desk": {"concurrency": 1}}), slow) as running:
        asking = await running.run("desk", "Refund.")
        assert asking.state == "waiting"
        busy = await running.start("desk", "slow")
        await slow.until(1)
        (approval,) = await running.approvals()
        await running.decide(approval.id, Decision(kind="reject"))
        failed = await running.run("lab", "quick")
        assert failed.state == "completed"
        assert (await running.runs.get(asking.id)).state == "queued"
        slow.go.set()
        await running.wait(busy.id)
        assert (await running.wait(asking.id)).state == "completed"


async def test_of_processes_that_ask_at_once_no_two_get_the_same_and_all_together_not_too_many(
    make: Callable[..., Settings], slow: Slow
) -> None:
    settings = make(tenants={"acme": {"concurrency": 5}})
    async with AsyncExitStack() as stack:
        desks = [await stack.enter_async_context(opened(settings, slow, executes=False)) for _ in range(4)]
        for number in range(20):
            await desks[0].start("desk", f"slow {number}", tenant="acme")
        for number in range(6):
            await desks[0].start("desk", f"quick {number}", tenant="other")
        given = [
            id for ids in await asyncio.gather(*(desk.runs.execution.due(10) for desk in desks)) for id in ids
        ]
        assert len(given) == len(set(given)) == 11
        tenants = Counter([(await desks[0].runs.get(id)).tenant for id in given])
        assert tenants == Counter(acme=5, other=6)


async def test_a_run_that_was_given_out_and_not_taken_up_is_given_out_again_and_executed_once(
    make: Callable[..., Settings], slow: Slow, clock: FakeClock
) -> None:
    settings = make(teams={"desk": {"concurrency": 1}})
    async with (
        opened(settings, slow, executes=False, clock=clock) as one,
        opened(settings, slow, executes=False, clock=clock) as other,
    ):
        first = await one.start("desk", "first")
        assert await one.runs.execution.due(5) == (first.id,)
        assert await other.runs.execution.due(5) == ()
        clock.advance(31)
        urgent = await other.start("desk", "slow and urgent", priority=9)
        assert await other.runs.execution.due(5) == (urgent.id,)
        busy = asyncio.create_task(other.runs.execution.execute(urgent.id))
        await slow.until(1)
        # The one that was frozen meanwhile must not make it two at a time.
        assert await one.runs.execution.execute(first.id) is None
        slow.go.set()
        await busy
        assert await other.runs.execution.due(5) == (first.id,)
        done = await other.runs.execution.execute(first.id)
        assert done is not None
        assert done.state == "completed"


async def test_what_a_process_was_about_to_take_up_when_it_died_is_taken_up_at_the_next_start(
    make: Callable[..., Settings], slow: Slow, clock: FakeClock
) -> None:
    settings = make()
    async with opened(settings, slow, executes=False, clock=clock) as dying:
        run = await dying.start("desk", "quick")
        assert await dying.runs.execution.due(5) == (run.id,)
    async with opened(settings, slow, clock=clock) as running:
        assert (await running.wait(run.id)).state == "completed"


class Desk:
    """An endpoint's answers, each of which takes a while; counts how many of whom are being answered."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.order: list[str] = []

    def __call__(self, body: Body) -> Response:
        return _Answer(self, str(body["messages"][-1]["content"]).partition(" ")[0])


class _Answer(Response):
    def __init__(self, desk: Desk, name: str) -> None:
        super().__init__()
        self.desk, self.name = desk, name

    async def __call__(self, scope, receive, send) -> None:
        self.desk.now[self.name] += 1
        self.desk.order.append(self.name)
        self.desk.most |= self.desk.now
        await asyncio.sleep(0.3)  # how long a model takes
        self.desk.now[self.name] -= 1
        await JSONResponse(completion("Done."))(scope, receive, send)


@pytest.fixture(scope="module")
def temporal() -> Iterator[Temporal]:
    with running_temporal() as server:
        yield server


@contextmanager
def workers(folder: Path, count: int) -> Iterator[None]:
    """Processes that execute the folder's application, from when they say so."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PROCTOR_")}
    command = [sys.executable, "-m", "proctor", "worker", "--app", "teams.py"]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(command, cwd=folder, env=inherited, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(count)
        ]
        late = threading.Timer(PATIENCE, lambda: [process.kill() for process in processes])
        late.start()
        try:
            for process in processes:
                assert process.stdout is not None
                assert process.stdout.readline().startswith("Worker ")
            late.cancel()
            yield
        finally:
            late.cancel()
            for process in processes:
                process.terminate()
            for process in processes:
                process.communicate(timeout=PATIENCE)


async def test_limits_hold_over_two_processes_that_share_the_runs(
    tmp_path: Path, postgres_url: str, temporal: Temporal
) -> None:
    desk = Desk()
    with serving(desk) as endpoint:
        price = {"input": 1, "output": 2}
        values = {
            "database": {"url": postgres_url},
            "models": {"small": {"model": "m", "base_url": endpoint.url, "api_key": "x", "price": price}},
            "engine": {"kind": "temporal", "address": temporal.address, "queue": uuid4().hex},
            "teams": {"lab": {"concurrency": 1}},
            "tenants": {"acme": {"concurrency": 3}},
        }
        settings = Settings.model_validate(values)
        write_toml(tmp_path / "proctor.toml", values)
        (tmp_path / "teams.py").write_text(APP)
        with workers(tmp_path, 2):
            runs = await all_runs(tmp_path, settings)
    assert {run.state for run in runs} == {"completed"}
    assert 1 < desk.most["acme"] <= 3
    assert desk.most["lab"] == 1
    assert desk.most["free"] > 3
    assert len({run.worker for run in runs}) == 2
    # What is free to go didn't wait for those that reached their limits before.
    assert max(at for at, name in enumerate(desk.order) if name == "free") < len(desk.order) - 5


async def all_runs(folder: Path, settings: Settings) -> list[Run]:
    """Runs of three kinds after they have ended."""
    app = load_app(str(folder / "teams.py"))
    async with proctor.open(
        app, settings=settings, target=str(folder / "teams.py"), executes=False
    ) as running:
        started = [await running.start("desk", f"acme {number}", tenant="acme") for number in range(15)]
        started += [await running.start("lab", f"lab {number}") for number in range(6)]
        started += [await running.start("desk", f"free {number}") for number in range(10)]
        async with asyncio.timeout(PATIENCE):
            return [await running.wait(run.id) for run in started]


def write_toml(file: Path, values: dict[str, object]) -> None:
    def lines(table: dict[str, object], above: str) -> Iterator[str]:
        plain = {key: value for key, value in table.items() if not isinstance(value, dict) or key == "price"}
        if above and plain:
            yield f"[{above}]"
        for key, value in plain.items():
            said = "{input = 1, output = 2}" if key == "price" else json.dumps(value)
            yield f"{key} = {said}"
        for key, value in table.items():
            if isinstance(value, dict) and key != "price":
                yield from lines(value, f"{above}.{key}" if above else key)

    file.write_text("\n".join(lines(values, "")))
