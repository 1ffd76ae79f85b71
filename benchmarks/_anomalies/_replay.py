"""A day before the real evaluator, over a real database, on a clock that is set."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sqlalchemy import Connection

from benchmarks._anomalies._injected import CONCERNED, inject
from benchmarks._anomalies._world import BEFORE, BEGIN, DAY, Anomaly, World, make_natures
from proctor.alerts import Alert, Alerts, Backlog, Sources, Tally, hours, steps, windows
from proctor.core import AlertSettings, MeasuredBy
from proctor.store import Database, insert_into
from proctor.testing import FakeClock

DAYS = 14
"""Of the past."""
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day that is replayed, and the days before it."""

    past: Mapping[str, Mapping[datetime, Tally]]
    minutes: Mapping[datetime, Mapping[str, Tally]]
    """By their ends."""
    anomalies: Sequence[Anomaly]

    @property
    def begins(self) -> datetime:
        """When the day begins."""
        return BEGIN + timedelta(days=DAYS)

    def is_quiet(self, anomaly: Anomaly) -> bool:
        """Whether its team hardly did anything in its time."""
        ends = (self.begins + MINUTE * (minute + 1) for minute in range(anomaly.start, anomaly.end))
        held = (self.minutes[at].get(anomaly.team) for at in ends)
        return sum(tally.counts["calls"] for tally in held if tally) < CONCERNED


def make_day(seed: int, *, teams: int, each: int) -> Day:
    """A day as its seed makes it, with so many anomalies of each kind; with none it is a good day."""
    random = np.random.default_rng(seed)
    natures = make_natures(random, teams)
    anomalies = inject(random, natures, DAYS, each)
    past, days = {}, {}
    for nature in natures:
        world = World(nature, random)
        past[nature.name] = world.past(DAYS)
        days[nature.name] = world.day(DAYS, [one for one in anomalies if one.team == nature.name])
    begins = BEGIN + timedelta(days=DAYS)
    minutes = {
        begins + MINUTE * (place + 1 - BEFORE): {
            team: held[place] for team, held in days.items() if held[place]
        }
        for place in range(DAY + BEFORE)
    }
    return Day(past=past, minutes=minutes, anomalies=anomalies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a day came to."""

    alerts: tuple[Alert, ...]
    """Those that fired."""
    cpu_ms_a_minute: float


def replay(day: Day, settings: AlertSettings) -> Replayed:
    """The alerts that fire in a day."""
    with TemporaryDirectory() as folder:
        return asyncio.run(_replay(day, settings, Path(folder) / "proctor.db"))


async def _replay(day: Day, settings: AlertSettings, file: Path) -> Replayed:
    clock = FakeClock(day.begins + timedelta(seconds=10))

    def observe(_connection: Connection, since: datetime, until: datetime) -> Mapping[str, Tally]:
        return day.minutes[until] if until - since == MINUTE else {}

    def behind(*_of: Connection | datetime | MeasuredBy | str) -> tuple[str, ...]:
        return ()

    def backlog(_connection: Connection) -> tuple[Backlog, ...]:
        return ()

    def began(_connection: Connection) -> datetime:
        return BEGIN

    async with await Database.open(f"sqlite:///{file}") as database:
        await database.commit(lambda connection: _fill(connection, day))
        sources = Sources(observe=observe, behind=behind, backlog=backlog, began=began)
        alerts = Alerts(database, clock=clock, settings=settings, sources=sources)
        used = time.process_time()
        for _ in range(DAY):
            clock.advance(60)
            await alerts.tick()
        used = time.process_time() - used
        found: list[Alert] = []
        while page := await alerts.page(before=found[-1].id if found else "", limit=500):
            found += page
    fired = tuple(alert for alert in found if alert.fired_at is not None)
    return Replayed(alerts=fired, cpu_ms_a_minute=1000 * used / DAY)


def _fill(connection: Connection, day: Day) -> None:
    for team, past in day.past.items():
        rows = [{"at": at, "team": team, "numbers": tally.write()} for at, tally in past.items() if tally]
        connection.execute(insert_into(connection, hours), rows)
    for ended, tallies in day.minutes.items():
        if ended <= day.begins and tallies:
            rows = [{"at": ended, "team": team, "numbers": tally.write()} for team, tally in tallies.items()]
            connection.execute(insert_into(connection, windows), rows)
    connection.execute(insert_into(connection, steps), {"at": day.begins})
