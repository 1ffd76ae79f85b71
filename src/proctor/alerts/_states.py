"""From findings to alerts: an alert waits, fires, and is over when all has been well for a while."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from proctor.alerts._values import Alert, Finding, Rule, Silence, Telling, TellingKind
from proctor.core import AlertSettings, new_id

LINES = 20
"""Alerts that one message tells of; of more their number is told."""
RUNS = 10
"""Runs that one message names."""

Behind = Callable[[Finding], tuple[str, ...]]
"""The runs that a finding comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """What became of alerts in one step."""

    kept: tuple[Alert, ...]
    """As they are now, new ones included."""
    dropped: tuple[Alert, ...]
    """Those that waited and came to nothing."""


def advance(
    standing: Sequence[Alert],
    findings: Sequence[Finding],
    at: datetime,
    *,
    silences: Sequence[Silence],
    settings: AlertSettings,
    behind: Behind,
) -> Advance:
    """What becomes of the alerts that stand, and of what is found anew."""
    found = {(finding.rule, finding.team): finding for finding in findings}
    kept, dropped = [], []
    for alert in standing:
        finding = found.pop((alert.rule, alert.team), None)
        now = _go_on(alert, finding, at, settings.of(alert.team), behind)
        if now is None:
            dropped.append(alert)
        else:
            kept.append(hushed(now, silences))
    for finding in found.values():
        if finding.acute:
            alert = _begin(finding, at)
            kept.append(hushed(_fire(alert, finding, at, settings.of(alert.team), behind), silences))
    return Advance(kept=tuple(kept), dropped=tuple(dropped))


def hushed(alert: Alert, silences: Sequence[Silence]) -> Alert:
    """A firing alert as silenced where a silence covers it, and else the other way round."""
    if alert.state not in ("firing", "silenced"):
        return alert
    covered = any(silence.covers(alert) for silence in silences)
    return replace(alert, state="silenced" if covered else "firing")


def _begin(finding: Finding, at: datetime) -> Alert:
    return Alert(
        id=new_id("alr"),
        rule=finding.rule,
        team=finding.team,
        state="pending",
        text=finding.text,
        value=finding.value,
        usual=finding.usual,
        runs=(),
        began_at=at,
        seen_at=at,
    )


def _go_on(
    alert: Alert, finding: Finding | None, at: datetime, settings: AlertSettings, behind: Behind
) -> Alert | None:
    if finding is None:
        if alert.state == "pending":
            return None
        if at - alert.seen_at >= settings.clear_after:
            return replace(alert, state="resolved", resolved_at=at)
        return alert
    alert = replace(alert, seen_at=at)
    if finding.acute:
        alert = replace(alert, text=finding.text, value=finding.value, usual=finding.usual)
    return _fire(alert, finding, at, settings, behind) if alert.state == "pending" else alert


def _fire(alert: Alert, finding: Finding, at: datetime, settings: AlertSettings, behind: Behind) -> Alert:
    # What began by chance is seldom as unlikely later: it must be so twice, and not well in between.
    if at - alert.began_at < settings.after or not finding.acute:
        return alert
    return replace(alert, state="firing", fired_at=at, runs=behind(finding))


def tell(
    alerts: Sequence[Alert],
    told: Mapping[tuple[str, ...], datetime],
    at: datetime,
    settings: AlertSettings,
) -> Iterator[tuple[Telling, tuple[Alert, ...]]]:
    """Messages that are due, each with its alerts as they are once it is told.

    `alerts` are those that fire, and those that are over and whose end wasn't told. `told` says when each
    circle of people was last told anything.
    """
    circles: dict[tuple[str, ...], list[Alert]] = {}
    for alert in alerts:
        circles.setdefault(settings.of(alert.team).roles, []).append(alert)
    for roles, theirs in circles.items():
        last = told.get(roles)
        if not roles or (last is not None and at - last < settings.group_for):
            continue
        for kind in ("firing", "repeated", "resolved"):
            due = [alert for alert in theirs if _is_due(alert, at, settings) == kind]
            due.sort(key=lambda alert: (alert.team, alert.rule))
            if due:
                yield _telling(kind, roles, due, at), tuple(_told(alert, kind, at) for alert in due)


def _is_due(alert: Alert, at: datetime, settings: AlertSettings) -> TellingKind | None:
    if alert.state == "resolved":
        return "resolved" if alert.told_at is not None and alert.end_told_at is None else None
    if alert.state != "firing":
        return None
    if alert.told_at is None:
        return "firing"
    return "repeated" if at - alert.told_at >= settings.repeat_every else None


def _told(alert: Alert, kind: TellingKind, at: datetime) -> Alert:
    return replace(alert, end_told_at=at) if kind == "resolved" else replace(alert, told_at=at)


def _telling(kind: TellingKind, roles: tuple[str, ...], alerts: Sequence[Alert], at: datetime) -> Telling:
    lines = [f"{alert.team or 'all teams'}, {alert.rule}: {alert.text}" for alert in alerts[:LINES]]
    if len(alerts) > LINES:
        lines.append(f"and {len(alerts) - LINES} more")
    runs = dict.fromkeys(run for alert in alerts for run in alert.runs)
    return Telling(
        id=new_id("atl"), at=at, kind=kind, roles=roles, lines=tuple(lines), runs=tuple(runs)[:RUNS]
    )


def rules_in_force(settings: AlertSettings) -> dict[Rule, str]:
    """What each rule says, in a sentence."""
    lines = settings
    compared = (
        "off"
        if lines.sensitivity == "off"
        else f"far from usual, by {lines.history.days} days, sensitivity {lines.sensitivity}"
    )
    return {
        "p99_seconds": f"the p99 of model calls is above {lines.p99_seconds:g} s"
        if lines.p99_seconds
        else "off",
        "error_rate": f"more than {lines.error_rate:.2%} of calls fail" if lines.error_rate else "off",
        "calls_per_second": (
            f"more than {lines.calls_per_second:g} calls a second" if lines.calls_per_second else "off"
        ),
        "backlog": (
            f"more than {lines.backlog} questions wait, or one for longer than {lines.backlog_age}"
            if lines.backlog or lines.backlog_age
            else "off"
        ),
        "latency": f"durations of model and tool calls: {compared}",
        "errors": f"shares of calls and runs that fail: {compared}",
        "burst": f"calls a minute, too many: {compared}",
        "drop": f"calls a minute, too few: {compared}",
        "cost": f"costs of calls, and what is spent a minute: {compared}",
        "loops": f"loops, and calls per run: {compared}",
        "verdicts": f"shares of refusals and of questions to people: {compared}",
    }
