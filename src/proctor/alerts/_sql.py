"""The statements of alerts, one function each."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Row, delete, func, select, update
from sqlalchemy import insert as insert_plain

from proctor.alerts._tables import alerts, hours, silences, steps, tellings, windows
from proctor.alerts._tally import Tally
from proctor.alerts._values import OPEN, Alert, AlertState, Rule, Silence, Telling, TellingKind
from proctor.core import NotFound
from proctor.store import insert_into


def claim(connection: Connection, at: datetime) -> bool:
    """Whether the minute that ends then is the caller's to look at: it is nobody else's ever again."""
    statement = insert_into(connection, steps).values(at=at).on_conflict_do_nothing()
    return connection.execute(statement.returning(steps.c.at)).first() is not None


def last_step(connection: Connection) -> datetime | None:
    """The end of the newest minute that was looked at."""
    found: datetime | None = connection.scalar(select(func.max(steps.c.at)))
    return found


def add_windows(connection: Connection, at: datetime, tallies: Mapping[str, Tally]) -> None:
    """Adds what a minute held, by the instant at which it ended."""
    _add(connection, windows, at, tallies)


def windows_after(connection: Connection, since: datetime) -> list[tuple[datetime, str, Tally]]:
    """What minutes held that ended after that, in order."""
    query = select(windows).where(windows.c.at > since).order_by(windows.c.at)
    return [(row.at, row.team, Tally.read(row.numbers)) for row in connection.execute(query)]


def add_hours(connection: Connection, at: datetime, tallies: Mapping[str, Tally]) -> None:
    """Adds what an hour held, by the instant at which it began."""
    _add(connection, hours, at, tallies)


def hours_since(connection: Connection, since: datetime) -> list[tuple[datetime, str, Tally]]:
    """What hours held that began from then on, in order."""
    query = select(hours).where(hours.c.at >= since).order_by(hours.c.at)
    return [(row.at, row.team, Tally.read(row.numbers)) for row in connection.execute(query)]


def _add(connection: Connection, table: Any, at: datetime, tallies: Mapping[str, Tally]) -> None:
    rows = [{"at": at, "team": team, "numbers": tally.write()} for team, tally in tallies.items() if tally]
    if rows:
        connection.execute(insert_into(connection, table).on_conflict_do_nothing(), rows)


def standing(connection: Connection) -> tuple[Alert, ...]:
    """Alerts that aren't over."""
    query = select(alerts).where(alerts.c.state.in_(OPEN)).order_by(alerts.c.id)
    return tuple(_alert(row) for row in connection.execute(query))


def untold_ends(connection: Connection, since: datetime) -> tuple[Alert, ...]:
    """Alerts that were told, are over since then, and whose end wasn't told."""
    over = alerts.c.state == "resolved", alerts.c.resolved_at >= since
    query = select(alerts).where(*over, alerts.c.told_at.is_not(None), alerts.c.end_told_at.is_(None))
    return tuple(_alert(row) for row in connection.execute(query.order_by(alerts.c.id)))


def lately_over(connection: Connection, since: datetime) -> dict[tuple[Rule, str], datetime]:
    """When alerts of a rule and a team last were over, as far as that was since then."""
    query = (
        select(alerts.c.rule, alerts.c.team, func.max(alerts.c.resolved_at, type_=alerts.c.resolved_at.type))
        .where(alerts.c.state == "resolved", alerts.c.resolved_at >= since)
        .group_by(alerts.c.rule, alerts.c.team)
    )
    return {(cast("Rule", rule), team): at for rule, team, at in connection.execute(query)}


def put(connection: Connection, kept: Sequence[Alert]) -> None:
    """Writes alerts as they are now."""
    if not kept:
        return
    statement = insert_into(connection, alerts)
    new = {column.name: statement.excluded[column.name] for column in alerts.c if column.name != "id"}
    rows = [{**asdict(alert), "runs": " ".join(alert.runs)} for alert in kept]
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=new), rows)


def turn(connection: Connection, alert: Alert, state: AlertState) -> None:
    """Puts an alert into another state, unless somebody else did meanwhile."""
    still = alerts.c.id == alert.id, alerts.c.state == alert.state
    connection.execute(update(alerts).where(*still).values(state=state))


def drop(connection: Connection, ids: Sequence[str]) -> None:
    """Takes out alerts that came to nothing."""
    if ids:
        connection.execute(delete(alerts).where(alerts.c.id.in_(ids)))


def page(
    connection: Connection,
    *,
    states: Sequence[AlertState] = (),
    team: str | None = None,
    rule: str | None = None,
    before: str = "",
    limit: int = 50,
) -> tuple[Alert, ...]:
    """A page of alerts, newest first, from before the id `before`."""
    query = select(alerts).order_by(alerts.c.id.desc()).limit(limit)
    if states:
        query = query.where(alerts.c.state.in_(states))
    if team is not None:
        query = query.where(alerts.c.team == team)
    if rule is not None:
        query = query.where(alerts.c.rule == rule)
    if before:
        query = query.where(alerts.c.id < before)
    return tuple(_alert(row) for row in connection.execute(query))


def get(connection: Connection, alert_id: str) -> Alert:
    """One alert.

    Raises:
        NotFound: there is none.
    """
    row = connection.execute(select(alerts).where(alerts.c.id == alert_id)).first()
    if row is None:
        raise NotFound(f"there is no alert {alert_id}", hint="`proctor alerts history` shows the newest.")
    return _alert(row)


def add_silence(connection: Connection, silence: Silence) -> None:
    """Adds a silence."""
    connection.execute(insert_plain(silences), asdict(silence))


def end_silence(connection: Connection, silence_id: str, at: datetime) -> Silence:
    """A silence that ends now.

    Raises:
        NotFound: there is none with this id that still holds.
    """
    ended = update(silences).where(silences.c.id == silence_id, silences.c.until > at)
    row = connection.execute(ended.values(until=at).returning(*silences.c)).first()
    if row is None:
        raise NotFound(
            f"no silence {silence_id} holds now", hint="`proctor alerts silences` shows those that do."
        )
    return _silence(row)


def silences_at(connection: Connection, at: datetime) -> tuple[Silence, ...]:
    """The silences that hold then."""
    query = select(silences).where(silences.c.until > at, silences.c.at <= at).order_by(silences.c.id)
    return tuple(_silence(row) for row in connection.execute(query))


def add_telling(connection: Connection, telling: Telling) -> None:
    """Adds a message to people."""
    row = {**asdict(telling), "roles": " ".join(telling.roles)}
    row |= {"lines": "\n".join(telling.lines), "runs": " ".join(telling.runs)}
    connection.execute(insert_plain(tellings), row)


def last_tellings(connection: Connection, since: datetime) -> dict[tuple[str, ...], datetime]:
    """When each circle of people was last told anything, as far as that was since then."""
    query = select(tellings.c.roles, func.max(tellings.c.at)).where(tellings.c.at >= since)
    return {tuple(roles.split()): at for roles, at in connection.execute(query.group_by(tellings.c.roles))}


def telling(connection: Connection, telling_id: str) -> Telling:
    """One message to people.

    Raises:
        NotFound: there is none.
    """
    row = connection.execute(select(tellings).where(tellings.c.id == telling_id)).first()
    if row is None:
        raise NotFound(f"nobody was told anything under {telling_id}")
    return _telling(row)


def tellings_since(connection: Connection, since: datetime, *conditions: Any) -> tuple[Telling, ...]:
    """Messages to people since then, in order, as far as the conditions hold."""
    query = select(tellings).where(tellings.c.at >= since, *conditions).order_by(tellings.c.at)
    return tuple(_telling(row) for row in connection.execute(query))


def prune(
    connection: Connection, *, windows_before: datetime, hours_before: datetime, before: datetime
) -> None:
    """Takes out what is too old to serve anything: numbers, and alerts that are long over."""
    connection.execute(delete(windows).where(windows.c.at < windows_before))
    connection.execute(delete(steps).where(steps.c.at < windows_before))
    connection.execute(delete(hours).where(hours.c.at < hours_before))
    connection.execute(delete(alerts).where(alerts.c.state == "resolved", alerts.c.resolved_at < before))
    connection.execute(delete(tellings).where(tellings.c.at < before))
    connection.execute(delete(silences).where(silences.c.until < before))


def _alert(row: Row[Any]) -> Alert:
    return Alert(
        id=row.id,
        rule=cast("Rule", row.rule),
        team=row.team,
        state=cast("AlertState", row.state),
        text=row.text,
        value=row.value,
        usual=row.usual,
        runs=tuple(row.runs.split()),
        began_at=row.began_at,
        seen_at=row.seen_at,
        fired_at=row.fired_at,
        resolved_at=row.resolved_at,
        told_at=row.told_at,
        end_told_at=row.end_told_at,
    )


def _silence(row: Row[Any]) -> Silence:
    return Silence(
        id=row.id,
        rule=row.rule,
        team=row.team,
        at=row.at,
        until=row.until,
        reason=row.reason,
        by=row.by,
    )


def _telling(row: Row[Any]) -> Telling:
    return Telling(
        id=row.id,
        at=row.at,
        kind=cast("TellingKind", row.kind),
        roles=tuple(row.roles.split()),
        lines=tuple(row.lines.split("\n")),
        runs=tuple(row.runs.split()),
    )
