"""Schedules and delayed runs, on both databases: what is due is started once, whatever races or dies."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent
from sqlalchemy import text

import proctor
from proctor import Settings
from proctor.cli import main
from proctor.core import Conflict, InvalidInput, NotFound
from proctor.engine import BEAT
from proctor.runs import Run, Share
from proctor.testing import FakeClock, ScriptedModel

MONDAY = datetime(2026, 3, 23, 6, 59, tzinfo=UTC)
"""One minute before eight o'clock in Berlin."""
EIGHT = {"cron": "0 8 * * MON-FRI", "zone": "Europe/Berlin"}
TEAMS = """
import proctor
from autogen_agentchat.agents import AssistantAgent

app = proctor.App()

@app.team("desk")
def desk(ctx: proctor.TeamContext) -> AssistantAgent:
    return AssistantAgent("clerk", model_client=ctx.model("small"))
"""
CARD = "4111 1111 1111 1111"


def application() -> proctor.App:
    app = proctor.App()

    @app.team("desk")
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("clerk", model_client=ctx.model("small"))

    return app


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(MONDAY)


@pytest.fixture
def make(database_url: str) -> Callable[..., Settings]:
    from conftest import make_settings

    return lambda **more: make_settings(database_url, **more)


@asynccontextmanager
async def opened(
    settings: Settings, clock: FakeClock | None = None, **more: object
) -> AsyncIterator[proctor.Proctor]:
    """A process; with `executes=False` its schedules are fired by hand."""
    model = ScriptedModel(lambda _call: "Done.")
    more = {"executes": False, "grace": timedelta(0), **more}
    async with proctor.open(
        application(), settings=settings, clock=clock, providers={"openai": model}, **more
    ) as running:  # type: ignore[arg-type]
        async with asyncio.timeout(60):
            yield running


async def started(running: proctor.Proctor) -> Sequence[Run]:
    return await running.runs.page()


async def test_a_schedule_starts_one_run_for_each_due_time(
    make: Callable[..., Settings], clock: FakeClock
) -> None:
    async with opened(make(), clock, target="shop.py") as running:
        added = await running.schedules.add("report", "desk", "Report.", **EIGHT, priority=5, requester="ann")
        assert added.next_at == MONDAY + timedelta(minutes=1)
        await running.schedules.fire()
        assert await started(running) == ()
        clock.advance(60)
        await running.schedules.fire()
        await running.schedules.fire()
        (run,) = await started(running)
        assert (run.state, run.task, run.target, run.priority, run.requester, run.schedule_id) == (
            "queued",
            "Report.",
            "shop.py",
            5,
            "ann",
            added.id,
        )
        fired = await running.schedules.get("report")
        assert (fired.last_at, fired.last_run_id) == (added.next_at, run.id)
        assert fired.next_at == MONDAY + timedelta(days=1, minutes=1)


async def test_times_that_were_missed_are_caught_up_by_one_run(
    make: Callable[..., Settings], clock: FakeClock
) -> None:
    settings = make()
    async with opened(settings, clock) as running:
        await running.schedules.add("report", "desk", "Report.", **EIGHT)
    clock.advance(3.5 * 24 * 3600)
    async with opened(settings, clock) as running:
        await running.schedules.fire()
        await running.schedules.fire()
        assert len(await started(running)) == 1
        assert (await running.schedules.get("report")).next_at == MONDAY + timedelta(days=4, minutes=1)


async def test_of_many_processes_that_fire_at_once_one_starts_the_run(
    make: Callable[..., Settings], clock: FakeClock
) -> None:
    async with AsyncExitStack() as stack:
        settings = make()
        desks = [await stack.enter_async_context(opened(settings, clock)) for _ in range(6)]
        for number in range(5):
            await desks[0].schedules.add(f"report-{number}", "desk", "Report.", **EIGHT)
        for _ in range(4):
            clock.advance(24 * 3600)
            await asyncio.gather(*(desk.schedules.fire() for desk in desks))
        runs = await desks[0].runs.page(limit=100)
        assert len(runs) == 4 * 5
        assert len({(run.schedule_id, run.due_at) for run in runs}) == 4 * 5


@pytest.mark.parametrize(
    ("zone", "cron", "eve"),
    [
        ("Europe/Berlin", "30 2 * * *", datetime(2026, 3, 28, 12, tzinfo=UTC)),
        ("Europe/Berlin", "30 2 * * *", datetime(2026, 10, 24, 12, tzinfo=UTC)),
        ("America/New_York", "30 2 * * *", datetime(2026, 3, 7, 12, tzinfo=UTC)),
        ("America/New_York", "30 1 * * *", datetime(2026, 10, 31, 12, tzinfo=UTC)),
    ],
)
async def test_in_a_night_in_which_the_clocks_change_a_schedule_fires_once(
    make: Callable[..., Settings], zone: str, cron: str, eve: datetime
) -> None:
    clock = FakeClock(eve)
    async with opened(make(), clock) as running:
        await running.schedules.add("nightly", "desk", "Report.", cron=cron, zone=zone)
        for _ in range(24 * 4):
            clock.advance(15 * 60)
            await running.schedules.fire()
        assert len(await started(running)) == 1


async def test_a_paused_schedule_neither_fires_nor_catches_up(
    make: Callable[..., Settings], clock: FakeClock
) -> None:
    async with opened(make(), clock) as running:
        await running.schedules.add("report", "desk", "Report.", **EIGHT)
        assert (await running.schedules.pause("report")).next_at is None
        clock.advance(2 * 24 * 3600)
        await running.schedules.fire()
        resumed = await running.schedules.resume("report")
        await running.schedules.fire()
        assert await started(running) == ()
        assert resumed.next_at == MONDAY + timedelta(days=2, minutes=1)
        assert await running.schedules.resume("report") == resumed


async def test_a_schedule_that_is_paused_or_removed_while_it_fires_starts_nothing(
    make: Callable[..., Settings], clock: FakeClock
) -> None:
    settings = make()
    async with opened(settings, clock) as one, opened(settings, clock) as other:
        for name in ("paused", "removed"):
            await one.schedules.add(name, "desk", "Report.", **EIGHT)
        clock.advance(60)
        # In the order in which they are given, jobs of one process are committed.
        await asyncio.gather(
            one.schedules.pause("paused"), one.schedules.remove("removed"), one.schedules.fire()
        )
        await other.schedules.fire()
        assert await started(one) == ()
        with pytest.raises(NotFound):
            await one.schedules.get("removed")


async def test_a_run_outside_the_times_leaves_them_as_they_are(
    make: Callable[..., Settings], clock: FakeClock
) -> None:
    async with opened(make(), clock) as running:
        added = await running.schedules.add("report", "desk", "Report.", **EIGHT)
        await running.schedules.pause("report")
        run = await running.schedules.run_now("report", requester="ben")
        assert (run.state, run.requester, run.due_at, run.schedule_id) == ("queued", "ben", None, added.id)
        after = await running.schedules.get("report")
        assert (after.next_at, after.last_at, after.last_run_id) == (None, None, run.id)


async def test_what_cannot_be_a_schedule_is_refused(make: Callable[..., Settings], clock: FakeClock) -> None:
    async with opened(make(), clock) as running:
        add = running.schedules.add
        await add("report", "desk", "Report.", **EIGHT)
        with pytest.raises(Conflict):
            await add("report", "desk", "Report again.", **EIGHT)
        with pytest.raises(NotFound):
            await add("other", "dsk", "Report.", **EIGHT)
        for wrong in (
            {"cron": "soon"},
            {"zone": "Mars/Olympus"},
            {"priority": 10**9},
            {"tenant": "x" * 65},
            {"tenant": " "},
        ):
            with pytest.raises(InvalidInput):
                await add("other", "desk", "Report.", **EIGHT | wrong)
        with pytest.raises(InvalidInput):
            await add("../etc", "desk", "Report.", **EIGHT)
        with pytest.raises(InvalidInput):
            await add("other", "desk", " ", **EIGHT)
        assert [schedule.name for schedule in await running.schedules.page()] == ["report"]


async def test_the_text_of_a_schedule_passes_the_input_policy_when_it_is_added_and_when_it_fires(
    make: Callable[..., Settings], clock: FakeClock
) -> None:
    settings = make()
    async with opened(settings, clock) as running:
        added = await running.schedules.add("pay", "desk", f"Charge {CARD}.", **EIGHT)
        assert CARD not in added.task
        with pytest.raises(InvalidInput):
            await running.schedules.add("leak", "desk", "Use AKIAIOSFODNN7EXAMPLE", **EIGHT)
        await running.database.commit(
            lambda connection: connection.execute(
                text("UPDATE schedules SET task = 'Use AKIAIOSFODNN7EXAMPLE'")
            )
        )
        clock.advance(60)
        await running.schedules.fire()
        (run,) = await started(running)
        assert (run.state, "AKIA" in run.task) == ("refused", False)


async def test_a_schedule_that_cannot_be_read_any_more_holds_up_no_other(
    make: Callable[..., Settings], clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(make(), clock) as running:
        await running.schedules.add("broken", "desk", "Report.", **EIGHT)
        await running.schedules.add("sound", "desk", "Report.", **EIGHT)
        await running.database.commit(
            lambda connection: connection.execute(
                text("UPDATE schedules SET zone = 'Mars/Olympus' WHERE name = 'broken'")
            )
        )
        clock.advance(60)
        with caplog.at_level("WARNING", "proctor.schedules"):
            await running.schedules.fire()
            await running.schedules.fire()
        (run,) = await started(running)
        assert run.schedule_id == (await running.schedules.get("sound")).id
        assert len(caplog.records) == 1


async def test_a_schedule_whose_team_is_gone_is_told_of_once_and_not_run(
    make: Callable[..., Settings], clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    settings, later = make(), proctor.App()
    later.team("other")(lambda ctx: AssistantAgent("clerk", model_client=ctx.model("small")))
    async with opened(settings, clock) as running:
        await running.schedules.add("report", "desk", "Report.", **EIGHT)
    clock.advance(3600)
    async with proctor.open(later, settings=settings, clock=clock, executes=False) as running:
        with caplog.at_level("WARNING", "proctor.schedules"):
            await running.schedules.fire()
            await running.schedules.fire()
        with pytest.raises(NotFound):
            await running.schedules.run_now("report")
        assert await started(running) == ()
    assert len(caplog.records) == 1


async def test_schedules_of_other_applications_are_left_to_them(
    make: Callable[..., Settings], clock: FakeClock
) -> None:
    settings = make()
    async with opened(settings, clock, target="shop.py") as shop:
        await shop.schedules.add("report", "desk", "Report.", **EIGHT)
    clock.advance(60)
    for share in (Share(teams=frozenset(["other"])), Share(place="bank.py"), Share(only="run_1")):
        async with opened(settings, clock, share=share) as elsewhere:
            await elsewhere.schedules.fire()
            assert await started(elsewhere) == ()
    async with opened(settings, clock, share=Share(teams=frozenset(["desk"]), place="shop.py")) as shop:
        await shop.schedules.fire()
        assert len(await started(shop)) == 1


async def test_a_process_that_executes_fires_by_itself_and_the_run_completes(
    make: Callable[..., Settings], clock: FakeClock
) -> None:
    async with opened(make(), clock, executes=True) as running:
        await running.schedules.add("report", "desk", "Report.", **EIGHT)
        clock.advance(60)
        while not (runs := await started(running)):
            await asyncio.sleep(0.02)
        run = await running.wait(runs[0].id)
        assert (run.state, run.result) == ("completed", "Done.")


async def test_a_delayed_run_is_not_taken_up_before_its_time_also_after_a_restart(
    make: Callable[..., Settings], clock: FakeClock
) -> None:
    settings = make()
    async with opened(settings, clock, executes=True) as running:
        run = await running.start("desk", "Report.", at=MONDAY + timedelta(hours=2))
        assert (run.state, run.due_at) == ("queued", MONDAY + timedelta(hours=2))
    clock.advance(2 * 3600 - 1)
    async with opened(settings, clock, executes=True) as running:
        await running.engine.idle()
        assert (await running.runs.get(run.id)).state == "queued"
        clock.advance(1)
        assert (await running.wait(run.id)).state == "completed"


async def test_a_delayed_run_can_be_cancelled(make: Callable[..., Settings], clock: FakeClock) -> None:
    async with opened(make(), clock, executes=True) as running:
        run = await running.start("desk", "Report.", at=MONDAY + timedelta(hours=2))
        assert (await running.runs.cancel(run.id)).state == "cancelled"
        clock.advance(3 * 3600)
        await running.engine.idle()
        assert (await running.runs.get(run.id)).state == "cancelled"


async def test_a_time_that_is_over_means_at_once_and_one_without_a_zone_nothing(
    make: Callable[..., Settings], clock: FakeClock
) -> None:
    async with opened(make(), clock, executes=True) as running:
        run = await running.run("desk", "Report.", at=MONDAY - timedelta(days=1))
        assert run.state == "completed"
        with pytest.raises(InvalidInput):
            await running.start("desk", "Report.", at=datetime(2026, 12, 1))  # noqa: DTZ001 - what is refused


async def test_workers_say_that_they_are_there_and_the_dead_are_told_and_dropped(
    make: Callable[..., Settings], clock: FakeClock
) -> None:
    settings = make()
    async with opened(settings, clock) as dead:
        await dead.workers.beat()
        async with opened(settings, clock, executes=True) as living:
            async with asyncio.timeout(10):
                while len(await dead.workers.page()) < 2:
                    await asyncio.sleep(0.02)
            clock.advance(20)
            await living.workers.beat()
            told = {worker.id: worker for worker in await living.workers.page()}
            assert [worker.alive(clock.now()) for worker in told.values()] == [True, False]
            (alive, *_) = told.values()
            assert (alive.teams, alive.running, alive.engine, alive.stopping) == (
                ("desk",),
                0,
                "embedded",
                False,
            )
            clock.advance(24 * 3600)
            await living.workers.beat()
            assert [worker.id for worker in await living.workers.page()] == [alive.id]
        assert await dead.workers.page() == ()
    assert timedelta(seconds=15) >= BEAT * 3


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """What a command of `proctor` prints with `--json`, in a folder with an application."""
    (tmp_path / "teams.py").write_text(TEAMS)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["proctor", *arguments, "--json"])
        with pytest.raises(SystemExit):
            main()
        return json.loads(capsys.readouterr().out)

    return call


@pytest.mark.filterwarnings("ignore:Cyclopts application invoked")
def test_the_command_line_adds_shows_pauses_runs_and_removes_a_schedule(command: Callable[..., Any]) -> None:
    cron = ("--cron", "0 8 * * MON-FRI", "--zone", "Europe/Berlin")
    added = command(
        "schedules", "add", "report", "teams.py:desk", "Report.", *cron, "--priority", "3", "--by", "ann"
    )
    assert (added["team"], added["priority"], added["requester"]) == ("desk", 3, "ann")
    assert command("schedules", "list") == [added]
    coming = command("schedules", "show", "report")["coming"]
    assert [coming[0], len(set(coming))] == [added["next_at"], 3]
    assert command("schedules", "pause", "report")["next_at"] is None
    run = command("schedules", "run-now", "report", "--by", "ben")
    assert run["state"] == "queued"
    assert command("schedules", "resume", "report") == added | {"last_run_id": run["id"]}
    assert command("schedules", "remove", "report")["name"] == "report"
    assert command("schedules", "show", "report")["error"]["code"] == "not_found"
    assert command("schedules", "list") == command("workers", "list") == []


@pytest.mark.filterwarnings("ignore:Cyclopts application invoked")
def test_the_command_line_queues_runs_for_later(command: Callable[..., Any]) -> None:
    for when in (("--in", "1d12h"), ("--at", "2999-12-01T08:00+01:00"), ("--at", "2999-12-01")):
        assert command("run", "teams.py:desk", "Report.", *when)["state"] == "queued"
    for wrong in (
        ("--in", "soon"),
        ("--in", "9" * 9 + "w"),
        ("--at", "noon"),
        ("--at", "2999-12-01", "--in", "1h"),
    ):
        assert command("run", "teams.py:desk", "Report.", *wrong)["error"]["code"] == "invalid_input"
    later = command("run", "teams.py:desk", "Report.", "--in", "1h", "--priority", "7", "--by", "ann")
    told = ("id", "due_at", "priority", "requester", "worker", "schedule", "thread", "failures", "simple")
    newest, *others = command("runs", "list")
    assert len(others) == 3
    assert {name: newest[name] for name in told} == {name: later[name] for name in told}
    assert later["due_at"] > later["created_at"]
    assert (later["priority"], later["requester"], later["worker"]) == (7, "ann", None)
