"""What alerts rest on: the log of runs, and the questions that wait for people."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from proctor import approvals, runs
from proctor.alerts import Alerts, Backlog, Sources, Tally, tally_all
from proctor.app._settings import Settings
from proctor.core import AlertSettings, Clock, MeasuredBy
from proctor.store import Database

ALERT_LOOK = timedelta(seconds=5)
"""Between looks for a minute that is over."""


def make_alerts(database: Database, settings: Settings, *, clock: Clock) -> Alerts:
    """The alerts of a database, as configured."""
    sources = Sources(observe=_observe, behind=_behind, backlog=_backlog, began=runs.first_start)
    return Alerts(database, clock=clock, settings=_with_those_reached(settings), sources=sources)


def _with_those_reached(settings: Settings) -> AlertSettings:
    """Who has no address isn't told, and an alert that nobody can be told of doesn't count as told."""

    def reached(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if settings.roles[name].notify)

    of = settings.alerts
    teams = {
        name: team if team.roles is None else team.model_copy(update={"roles": reached(team.roles)})
        for name, team in of.teams.items()
    }
    return of.model_copy(update={"roles": reached(of.roles), "teams": teams})


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
