"""What alerts rest on: the log of runs, and the questions that wait for people."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from proctor import approvals, runs
from proctor.alerts import Alerts, Backlog, Sources, Tally, tally_all
from proctor.core import AlertSettings, Clock, MeasuredBy
from proctor.store import Database

ALERT_LOOK = timedelta(seconds=5)
"""Between looks for a minute that is over."""


def make_alerts(database: Database, settings: AlertSettings, *, clock: Clock) -> Alerts:
    """The alerts of a database, as configured."""
    sources = Sources(observe=_observe, behind=_behind, backlog=_backlog, began=runs.first_start)
    return Alerts(database, clock=clock, settings=settings, sources=sources)


def _observe(connection: Connection, since: datetime, until: datetime) -> Mapping[str, Tally]:
    return tally_all(runs.measures(connection, since, until), runs.signs(connection, since, until))


def _behind(
    connection: Connection, since: datetime, until: datetime, by: MeasuredBy, team: str
) -> tuple[str, ...]:
    return runs.behind(connection, since, until, by, team=team)


def _backlog(connection: Connection) -> Sequence[Backlog]:
    return [
        Backlog(team=one.team, open=one.count, oldest=one.since) for one in approvals.undecided(connection)
    ]
