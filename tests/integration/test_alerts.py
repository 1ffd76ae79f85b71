"""What is wrong is found minute by minute, by one process, and told to people: on both databases."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, text, update

import proctor
from proctor.alerts import ROUND, Alerts, Backlog, Sources, Tally, bucket_of, hours, tellings, untold, windows
from proctor.alerts import alerts as table
from proctor.audit import audit_entries
from proctor.core import AlertSettings, InvalidInput, MeasuredBy, NotFound, TeamAlertSettings
from proctor.notices import told
from proctor.runs import events, runs
from proctor.store import Database, insert_into
from proctor.testing import FakeClock

NOON = datetime(2026, 3, 16, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def held(*, calls: int = 20, errors: int = 0, seconds: float = 1.0) -> Tally:
    tally = Tally()
    tally.counts.update({"calls": calls, "errors": errors, "started": calls // 4, "ended": calls // 4})
    tally.spreads["seconds"][bucket_of(seconds)] += calls
    return tally


@dataclass
class Place:
    """A team at work, as the evaluator sees it."""

    errors: int = 0
    seconds: float = 1.0
    calls: int = 20
    every: int = 1
    """Minutes from one that holds anything to the next."""
    teams: tuple[str, ...] = ("desk",)
    began: datetime = NOON - timedelta(hours=1)
    backlog: tuple[Backlog, ...] = ()
    looked: list[tuple[MeasuredBy, str]] = field(default_factory=list)

    def sources(self) -> Sources:
        def observe(_connection: Connection, since: datetime, until: datetime) -> Mapping[str, Tally]:
            first, last = ((at - NOON) // MINUTE // self.every for at in (since, until))
            minutes = last - first
            tally = held(calls=self.calls * minutes, errors=self.errors * minutes, seconds=self.seconds)
            return dict.fromkeys(self.teams, tally) if since >= self.began else {}

        def behind(
            _connection: Connection, _since: datetime, _until: datetime, by: MeasuredBy, team: str
        ) -> tuple[str, ...]:
            self.looked.append((by, team))
            return ("run_1", "run_2")

        def backlog(_connection: Connection) -> Sequence[Backlog]:
            return self.backlog

        def began(_connection: Connection) -> datetime:
            return self.began

        return Sources(observe=observe, behind=behind, backlog=backlog, began=began)


def make_alerts(database: Database, clock: FakeClock, place: Place, **more: object) -> Alerts:
    settings = AlertSettings.model_validate({"roles": ("oncall",), **more})
    return Alerts(database, clock=clock, settings=settings, sources=place.sources())


async def go(alerts: Alerts, clock: FakeClock, minutes: int) -> None:
    for _ in range(minutes):
        clock.advance(60)
        await alerts.tick()


async def count(database: Database, table: object) -> int:
    query = select(func.count()).select_from(table)  # type: ignore[arg-type]
    return await database.read(lambda connection: connection.scalar(query) or 0)


async def kinds(database: Database) -> list[str]:
    query = select(tellings.c.kind).order_by(tellings.c.at, tellings.c.kind)
    return await database.read(lambda connection: list(connection.scalars(query)))


async def test_errors_wait_fire_and_are_over_and_people_are_told_twice(database_url: str) -> None:
    clock, place = FakeClock(NOON + timedelta(seconds=10)), Place()
    async with await Database.open(database_url) as database:
        alerts = make_alerts(database, clock, place)
        await alerts.tick()
        await go(alerts, clock, 3)
        assert await alerts.page() == ()
        place.errors = 14
        await go(alerts, clock, 1)
        (waiting,) = await alerts.page()
        assert (waiting.state, waiting.rule, waiting.team) == ("pending", "error_rate", "desk")
        await go(alerts, clock, 1)
        (firing,) = await alerts.page()
        assert (firing.state, firing.runs) == ("firing", ("run_1", "run_2"))
        assert "28 errors of 100 calls in 5 min (28 %)" in firing.text
        assert place.looked == [("errors", "desk")]
        assert await kinds(database) == ["firing"]
        place.errors = 0
        await go(alerts, clock, 30)
        (over,) = await alerts.page()
        assert over.state == "resolved"
        assert await alerts.get(over.id) == over
        assert await kinds(database) == ["firing", "resolved"]


async def test_a_trouble_of_one_minute_is_not_told(database_url: str) -> None:
    clock, place = FakeClock(NOON + timedelta(seconds=10)), Place()
    async with await Database.open(database_url) as database:
        alerts = make_alerts(database, clock, place, calls_per_second=1, error_rate=0)
        await alerts.tick()
        place.calls = 100
        await go(alerts, clock, 1)
        place.calls = 20
        await go(alerts, clock, 3)
        assert await alerts.page() == ()
        assert await kinds(database) == []


async def test_what_is_no_longer_sure_a_minute_later_is_not_told(database_url: str) -> None:
    clock, place = FakeClock(NOON + timedelta(seconds=10)), Place()
    async with await Database.open(database_url) as database:
        alerts = make_alerts(database, clock, place)
        await alerts.tick()
        await go(alerts, clock, 3)
        place.errors = 14
        await go(alerts, clock, 1)
        place.errors, place.calls = 0, 100
        await go(alerts, clock, 1)  # 14 errors of 180 calls are beyond the line, but may be chance
        assert [alert.state for alert in await alerts.page()] == ["pending"]
        assert await kinds(database) == []


async def test_few_errors_of_few_calls_say_nothing(database_url: str) -> None:
    clock, place = FakeClock(NOON + timedelta(seconds=10)), Place(calls=2)
    async with await Database.open(database_url) as database:
        alerts = make_alerts(database, clock, place)
        await go(alerts, clock, 3)
        place.errors = 1
        await go(alerts, clock, 1)
        place.errors = 0
        await go(alerts, clock, 5)
        assert await alerts.page() == ()


async def test_of_two_processes_one_looks_at_each_minute(database_url: str) -> None:
    clock, place = FakeClock(NOON + timedelta(seconds=10)), Place(errors=8)
    async with await Database.open(database_url) as one, await Database.open(database_url) as two:
        first, second = make_alerts(one, clock, place), make_alerts(two, clock, place)
        for _ in range(8):
            clock.advance(60)
            await first.tick()
            await second.tick()
            first, second = second, first
        found = await first.page()
        assert [(alert.state, alert.rule) for alert in found] == [("firing", "error_rate")]
        assert await kinds(one) == ["firing"]
        query = select(func.count(), func.count(windows.c.at.distinct())).select_from(windows)
        rows = await one.read(lambda connection: connection.execute(query).one())
        assert rows[0] == rows[1]


async def test_who_was_down_catches_up_and_tells_once_what_is_still_so(database_url: str) -> None:
    clock, place = FakeClock(NOON + timedelta(seconds=10)), Place()
    async with await Database.open(database_url) as database:
        await make_alerts(database, clock, place).tick()
        place.errors = 8
        clock.advance(7 * 3600)
        alerts = make_alerts(database, clock, place)
        await alerts.tick()
        assert [alert.state for alert in await alerts.page()] == ["firing"]
        assert await kinds(database) == ["firing"]
        assert await count(database, hours) == 8
        await alerts.tick()
        assert await kinds(database) == ["firing"]


async def test_hours_that_nobody_looked_at_are_read_beside_what_is_short(tmp_path: Path) -> None:
    clock, sources = FakeClock(NOON + timedelta(seconds=10)), Place(began=NOON - timedelta(hours=3)).sources()
    begun, go_on = threading.Event(), threading.Event()

    def observe(connection: Connection, since: datetime, until: datetime) -> Mapping[str, Tally]:
        begun.set()
        go_on.wait(20)
        return sources.observe(connection, since, until)

    slow, settings = replace(sources, observe=observe), AlertSettings(roles=("oncall",))
    async with await Database.open(f"sqlite:///{tmp_path}/proctor.db") as database:
        many = [Alerts(database, clock=clock, settings=settings, sources=slow) for _ in range(8)]
        looking = [asyncio.create_task(alerts.tick()) for alerts in many]
        try:
            await asyncio.to_thread(begun.wait, 20)
            async with asyncio.timeout(10):
                for _ in range(50):
                    await count(database, hours)
        finally:
            go_on.set()
            await asyncio.gather(*looking)


async def test_what_belongs_together_is_told_in_one_message(database_url: str) -> None:
    clock, place = FakeClock(NOON + timedelta(seconds=10)), Place(errors=8, seconds=9.0, teams=("a", "b"))
    async with await Database.open(database_url) as database:
        alerts = make_alerts(database, clock, place)
        await go(alerts, clock, 2)
        (message,) = await database.read(lambda connection: untold(connection, told, clock.now()))
        assert message.kind == "firing"
        assert message.roles == ("oncall",)
        assert message.runs == ("run_1", "run_2")
        assert [line.split(":")[0] for line in message.lines] == [
            f"{team}, {rule}" for team in ("all teams", "a", "b") for rule in ("error_rate", "p99_seconds")
        ]
        assert ROUND


async def test_what_stays_wrong_is_told_again_after_a_while(database_url: str) -> None:
    clock, place = FakeClock(NOON + timedelta(seconds=10)), Place(errors=8)
    async with await Database.open(database_url) as database:
        alerts = make_alerts(database, clock, place, repeat_every=600)
        await go(alerts, clock, 25)
        assert await kinds(database) == ["firing", "repeated", "repeated"]


async def test_a_silence_holds_at_once_stands_in_the_record_and_ends(database_url: str) -> None:
    clock, place = FakeClock(NOON + timedelta(seconds=10)), Place(errors=8)
    async with await Database.open(database_url) as database:
        alerts = make_alerts(database, clock, place)
        hushed = await alerts.silence(team="de*", span=timedelta(hours=1), reason="known", by="ann")
        await go(alerts, clock, 4)
        assert [alert.state for alert in await alerts.page()] == ["silenced"]
        assert await kinds(database) == []
        assert await alerts.silences() == (hushed,)
        await alerts.unsilence(hushed.id, by="bob")
        assert [alert.state for alert in await alerts.page()] == ["firing"]
        await go(alerts, clock, 1)
        assert await kinds(database) == ["firing"]
        with pytest.raises(NotFound):
            await alerts.unsilence(hushed.id, by="bob")
        query = select(audit_entries.c.actor, audit_entries.c.action).order_by(audit_entries.c.seq)
        done = await database.read(lambda connection: [tuple(row) for row in connection.execute(query)])
        assert done == [("ann", "alert.silenced"), ("bob", "alert.unsilenced")]


async def test_a_silence_leaves_an_alert_resolved_that_is_so_at_the_same_time(postgres_url: str) -> None:
    clock, place = FakeClock(NOON + timedelta(seconds=10)), Place(errors=8)
    async with asyncio.timeout(60), await Database.open(postgres_url) as database:
        alerts = make_alerts(database, clock, place)
        await go(alerts, clock, 4)
        with database.engine.connect() as other:
            other.execute(update(table).values(state="resolved", resolved_at=clock.now()))
            silencing = asyncio.create_task(alerts.silence(span=timedelta(hours=1), reason="known", by="ann"))
            waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while not await database.read(lambda connection: connection.scalar(waiting)):
                await asyncio.sleep(0.01)
            other.commit()
            await silencing
        assert [alert.state for alert in await alerts.page()] == ["resolved"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"rule": "nothing"},
        {"reason": " "},
        {"span": timedelta(0)},
        {"span": timedelta(days=400)},
        {"team": "x" * 65},
    ],
)
async def test_a_silence_without_sense_is_refused(tmp_path: str, wrong: dict[str, object]) -> None:
    async with await Database.open(f"sqlite:///{tmp_path}/a.db") as database:
        alerts = make_alerts(database, FakeClock(NOON), Place())
        given = {"span": MINUTE, "reason": "known", "by": "ann", **wrong}
        with pytest.raises(InvalidInput):
            await alerts.silence(**given)  # type: ignore[arg-type]


async def test_questions_that_wait_too_long_are_told(database_url: str) -> None:
    clock, place = FakeClock(NOON + timedelta(seconds=10)), Place()
    place.backlog = (Backlog(team="desk", open=3, oldest=NOON - timedelta(hours=6)),)
    async with await Database.open(database_url) as database:
        alerts = make_alerts(database, clock, place)
        await go(alerts, clock, 2)
        (found,) = await alerts.page()
        assert (found.rule, found.state) == ("backlog", "firing")
        assert "3 questions wait for people, the oldest for 6 h" in found.text


async def test_a_team_has_lines_and_people_of_its_own(database_url: str) -> None:
    clock, place = FakeClock(NOON + timedelta(seconds=10)), Place(errors=8)
    own = {"desk": TeamAlertSettings(error_rate=0.5)}
    async with await Database.open(database_url) as database:
        alerts = make_alerts(database, clock, place, teams=own)
        await go(alerts, clock, 3)
        assert await alerts.page() == ()
        own = {"desk": TeamAlertSettings(roles=("desk",))}
        alerts = make_alerts(database, clock, place, teams=own)
        await go(alerts, clock, 3)
        (message,) = await database.read(lambda connection: untold(connection, told, clock.now()))
        assert message.roles == ("desk",)


async def test_what_is_far_from_a_teams_own_past_is_told_with_its_numbers(database_url: str) -> None:
    clock = FakeClock(NOON + timedelta(seconds=10))
    place = Place(seconds=0.5, began=NOON - timedelta(days=10))
    async with await Database.open(database_url) as database:
        alerts = make_alerts(database, clock, place)
        await alerts.tick()
        await go(alerts, clock, 2)
        assert await alerts.page() == ()
        place.seconds = 2.0  # no fixed line is crossed
        await go(alerts, clock, 6)
        (found,) = await alerts.page()
        assert (found.rule, found.state) == ("latency", "firing")
        assert "model calls took longer than 0.5" in found.text
        assert "usual at this hour" in found.text
        assert "highest of 10 days" in found.text


async def test_a_trouble_that_is_over_is_soon_resolved_and_the_next_one_told_anew(database_url: str) -> None:
    clock = FakeClock(NOON + timedelta(seconds=10))
    place = Place(began=NOON - timedelta(days=10))
    async with await Database.open(database_url) as database:
        alerts = make_alerts(database, clock, place, error_rate=0)
        await alerts.tick()
        place.errors = 2
        await go(alerts, clock, 30)
        assert [alert.state for alert in await alerts.page()] == ["firing"]
        place.errors = 0
        await go(alerts, clock, 30)
        assert [alert.state for alert in await alerts.page()] == ["resolved"]
        place.errors = 2
        await go(alerts, clock, 10)
        assert [alert.state for alert in await alerts.page()] == ["firing", "resolved"]


async def test_a_rate_far_below_one_is_told_with_its_digits(tmp_path: Path) -> None:
    clock = FakeClock(NOON + timedelta(seconds=10))
    place = Place(calls=4, every=60, began=NOON - timedelta(days=10))
    async with await Database.open(f"sqlite:///{tmp_path}/a.db") as database:
        alerts = make_alerts(database, clock, place)
        await alerts.tick()
        place.every = 5
        await go(alerts, clock, 118)
        (found,) = [alert for alert in await alerts.page() if alert.rule == "burst"]
        assert found.text.startswith("0.14 runs a minute in 180 min; usual at this time 0.017")


async def test_a_team_that_falls_silent_is_told(database_url: str) -> None:
    clock = FakeClock(NOON + timedelta(seconds=10))
    place = Place(began=NOON - timedelta(days=10))
    async with await Database.open(database_url) as database:
        alerts = make_alerts(database, clock, place)
        await alerts.tick()
        await go(alerts, clock, 2)
        place.calls = 0
        await go(alerts, clock, 15)
        assert [(alert.rule, alert.state) for alert in await alerts.page()] == [("drop", "firing")]


@pytest.mark.parametrize(
    "told", [{"roles": ["leads"]}, {"roles": ["oncall"], "teams": {"desk": {"roles": ["leads"]}}}]
)
async def test_nobody_is_told_of_an_alert_where_no_role_has_an_address(
    settings: proctor.Settings, told: dict[str, object]
) -> None:
    clock = FakeClock(NOON + timedelta(seconds=10))
    reached, silent = {"members": ["ann"], "notify": ["json://127.0.0.1:9"]}, {"members": ["bob"]}
    more = {"roles": {"oncall": reached, "leads": silent}, "alerts": {**told, "after": 0}}
    given = proctor.Settings.model_validate({**settings.model_dump(exclude_unset=True), **more})
    async with proctor.open(proctor.App(), settings=given, executes=False, clock=clock) as running:
        await running.database.commit(lambda connection: _log_errors(connection, NOON + MINUTE / 2))
        clock.advance(60)
        await running.alerts.tick()
        await running.notices.work()
        assert [(alert.state, alert.told_at) for alert in await running.alerts.page()] == [("firing", None)]
        assert await running.notices.page() == ()


async def test_a_running_proctor_finds_errors_in_its_log_and_writes_to_people(
    settings: proctor.Settings,
) -> None:
    clock = FakeClock(NOON + timedelta(seconds=10))
    more = {
        "roles": {
            "oncall": {"members": ["ann"], "notify": ["json://127.0.0.1:9"]},
            "leads": {"members": ["bob"]},
        },
        "alerts": {"roles": ["leads", "oncall"], "after": 0},
    }
    given = proctor.Settings.model_validate({**settings.model_dump(exclude_unset=True), **more})
    async with proctor.open(proctor.App(), settings=given, executes=False, clock=clock) as running:
        await running.database.commit(lambda connection: _log_errors(connection, NOON + MINUTE / 2))
        clock.advance(60)
        await running.alerts.tick()
        found = {(alert.team, alert.rule, alert.state) for alert in await running.alerts.page()}
        assert found == {("desk", "error_rate", "firing")}
        assert [alert.told_at is None for alert in await running.alerts.page()] == [False]
        await running.notices.work()
        (notice,) = await running.notices.page()
        assert (notice.kind, notice.audience, notice.state) == ("firing", "oncall", "pending")
        assert notice.attempts == 1


def _log_errors(connection: Connection, at: datetime) -> None:
    run = {
        "id": "run_1",
        "team": "desk",
        "target": "",
        "tenant": "default",
        "state": "running",
        "attempt": 1,
        "task": "t",
        "cost": 0,
        "events": 0,
        "cancel_requested": False,
        "created_at": at,
    }
    connection.execute(insert_into(connection, runs), run)
    data = '{"server":"shop","tool":"look","error":true,"refused_by":"","cost":0,"ms":20.0}'
    for seq in range(1, 21):
        row = {"run_id": "run_1", "seq": seq, "at": at, "type": "tool.called", "agent": "a", "data": data}
        connection.execute(insert_into(connection, events), row)
