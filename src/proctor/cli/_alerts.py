"""`proctor alerts`."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from cyclopts import App as Commands
from cyclopts import Parameter
from rich.text import Text

from proctor.alerts import OPEN, Alert, AlertState, Rule, Silence, rules_in_force
from proctor.app import Proctor, load_settings
from proctor.cli._options import ConfigFile, Json, Limit, read_duration, this_user
from proctor.cli._output import age, console, duration, instant, print_json, print_table
from proctor.cli._reading import with_proctor

_MOODS: dict[AlertState, str] = {"pending": "yellow", "firing": "red", "silenced": "dim", "resolved": "green"}
_COLUMNS = ("state", "team", "rule", "since", "id", "what")

T = TypeVar("T", Alert, Silence)

alerts = Commands(name="alerts", help="See what is wrong, and hush what is known.", help_format="plaintext")


@alerts.command(name="list")
def list_alerts(
    *,
    team: str | None = None,
    rule: Rule | None = None,
    limit: Limit = 50,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """List what is wrong now: what waits to be told, fires, or is silenced; newest first.

    Parameters
    ----------
    team
        Only alerts of this team.
    rule
        Only alerts of this rule.
    limit
        At most so many.
    """
    found = with_proctor(
        config, lambda proctor: proctor.alerts.page(states=OPEN, team=team, rule=rule, limit=limit)
    )
    _print(found, _COLUMNS, _alert_row, json=json, none="Nothing is wrong.")


@alerts.command
def history(
    *,
    team: str | None = None,
    rule: Rule | None = None,
    state: AlertState | None = None,
    before: str = "",
    limit: Limit = 50,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """List alerts in every state, newest first; those that are over are kept for 90 days.

    Parameters
    ----------
    team
        Only alerts of this team.
    rule
        Only alerts of this rule.
    state
        Only alerts in this state.
    before
        Only those that are older than the alert with this id: for the next page.
    limit
        At most so many.
    """
    states = (state,) if state else ()
    found = with_proctor(
        config,
        lambda proctor: proctor.alerts.page(states=states, team=team, rule=rule, before=before, limit=limit),
    )
    _print(found, _COLUMNS, _alert_row, json=json, none="There were no such alerts.")


@alerts.command
def show(alert: str, /, *, config: ConfigFile = None, json: Json = False) -> None:
    """Show one alert: what was found, what is usual, since when, who was told, and the runs behind it.

    Parameters
    ----------
    alert
        Its id.
    """
    one = with_proctor(config, lambda proctor: proctor.alerts.get(alert))
    if json:
        print_json(asdict(one))
        return
    out = console()
    out.print(Text(f"{one.rule} of {one.team or 'all teams'}: {one.state}", style="bold"))
    out.print(Text(one.text))
    for name, at in (
        ("began", one.began_at),
        ("fired", one.fired_at),
        ("told", one.told_at),
        ("last seen", one.seen_at),
        ("resolved", one.resolved_at),
    ):
        if at is not None:
            out.print(Text(f"{name}: {instant(at)}"))
    for run in one.runs:
        out.print(Text(f"run behind it: {run}"))


@alerts.command
def silence(
    *,
    reason: str,
    team: str = "*",
    rule: str = "*",
    span: Annotated[str, Parameter(name="--for")] = "2h",
    by: str | None = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Tell nobody of some alerts for a while. They are still listed, as silenced.

    Parameters
    ----------
    reason
        Why; it stays in the record.
    team
        Alerts of this team; * and ? stand for anything.
    rule
        Alerts of this rule, likewise.
    span
        How long: 90s, 30m, 2h, 1d.
    by
        Who silences; else the user of this machine.
    """
    held, who = read_duration(span), this_user() if by is None else by

    async def done(proctor: Proctor) -> Silence:
        return await proctor.alerts.silence(rule=rule, team=team, span=held, reason=reason, by=who)

    made = with_proctor(config, done)
    if json:
        print_json(asdict(made))
    else:
        console().print(Text(f"{made.id} holds until {instant(made.until)}."))


@alerts.command
def unsilence(silence: str, /, *, config: ConfigFile = None, json: Json = False) -> None:
    """End a silence now.

    Parameters
    ----------
    silence
        Its id.
    """
    ended = with_proctor(config, lambda proctor: proctor.alerts.unsilence(silence, by=this_user()))
    if json:
        print_json(asdict(ended))
    else:
        console().print(Text(f"{ended.id} has ended: people are told again."))


@alerts.command
def silences(*, config: ConfigFile = None, json: Json = False) -> None:
    """List the silences that hold now."""
    found = with_proctor(config, lambda proctor: proctor.alerts.silences())
    columns = ("id", "team", "rule", "left", "by", "reason")
    _print(found, columns, _silence_row, json=json, none="Nothing is silenced.")


@alerts.command(name="test")
def send_test(*, config: ConfigFile = None, json: Json = False) -> int:
    """Send a test message to all who are told of alerts, and tell which addresses failed."""
    roles = load_settings(config).settings.alerts.all_roles

    async def done(proctor: Proctor) -> dict[str, dict[str, str]]:
        return {role: await proctor.notices.test(role) for role in roles}

    found = with_proctor(config, done)
    if json:
        print_json(found)
    elif not roles:
        console().print("Nobody is told of alerts: name roles in [alerts].")
    else:
        rows = [
            (Text("failed", style="red") if error else Text("sent", style="green"), role, target, error)
            for role, targets in found.items()
            for target, error in targets.items()
        ]
        if rows:
            print_table(console(), ("", "role", "target", "error"), rows)
        for role, targets in found.items():
            if not targets:
                console().print(Text(f"Role {role} has no addresses: add notify = […] to [roles.{role}]."))
    return 0 if found and all(targets and not any(targets.values()) for targets in found.values()) else 1


@alerts.command
def rules(*, team: str = "", config: ConfigFile = None, json: Json = False) -> None:
    """List the rules that are in force, with their lines.

    Parameters
    ----------
    team
        As they are for this team.
    """
    settings = load_settings(config).settings.alerts.of(team)
    found = rules_in_force(settings)
    if json:
        print_json({"enabled": settings.enabled, "roles": settings.roles, "rules": found})
        return
    if not settings.enabled:
        console().print("No rule is in force: alerts are not enabled.")
    print_table(console(), ("rule", "tells when"), list(found.items()))


def _print(
    found: Sequence[T],
    columns: Sequence[str],
    row: Callable[[T, datetime], Sequence[str | Text]],
    *,
    json: bool,
    none: str,
) -> None:
    if json:
        print_json([asdict(one) for one in found])
    elif found:
        now = datetime.now(UTC)
        print_table(console(), columns, [row(one, now) for one in found], right=("since",))
    else:
        console().print(none)


def _alert_row(alert: Alert, now: datetime) -> Sequence[str | Text]:
    return (
        Text(alert.state, style=_MOODS[alert.state]),
        alert.team or "all teams",
        alert.rule,
        age((now - alert.began_at).total_seconds()),
        alert.id,
        alert.text,
    )


def _silence_row(one: Silence, now: datetime) -> Sequence[str | Text]:
    left = duration((one.until - now).total_seconds())
    return one.id, one.team, one.rule, left, one.by, one.reason
