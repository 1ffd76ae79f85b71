"""A period as an auditor reads it: who decided, overrode, changed and saw how much, and what was found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, or_, select

from proctor import audit
from proctor.audit import Deeds, Entry, Position, Wanted
from proctor.inspection._filing import filed
from proctor.inspection._history import entries
from proctor.inspection._tables import findings
from proctor.inspection._values import Filed

Part = Literal["decisions", "overrides", "changes", "accesses", "privacy", "other"]

PARTS: dict[Part, tuple[str, ...]] = {
    "decisions": ("approval", "standing"),
    "overrides": (
        "degradation",
        "budget.raised",
        "run.cancelled",
        "run.resumed",
        "run.started_for",
        "budget.released",
        "pin.accepted",
        "alert",
    ),
    "changes": ("settings", "budget", "schedule", "key", "pin", "vault", "document", "thread"),
    "accesses": ("session", "export", "run.read", "subject.read"),
    "privacy": ("consent", "hold", "subject"),
}
"""By the beginnings of actions; the longest one that fits decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the record says of a period."""

    since: datetime
    until: datetime
    deeds: Sequence[Deeds]
    """Who did what how often."""
    overruled: Sequence[Entry]
    """Decisions of people that weren't a plain yes: what an agent wanted was changed or refused."""
    settings: Sequence[Entry]
    """Changes of the configuration."""
    findings: Sequence[Filed]
    """What was found in the period, or before and still holds."""
    position: Position | None
    """How far the record had come."""


def report(connection: Connection, *, since: datetime, until: datetime) -> Report:
    """What the record says of a period."""
    audit.hold_still(connection)
    decided = entries(connection, Wanted(since=since, until=until, action="approval.decided"))
    found = select(findings).where(
        findings.c.first_at < until, or_(findings.c.first_at >= since, findings.c.gone_at.is_(None))
    )
    return Report(
        since=since,
        until=until,
        deeds=audit.deeds(connection, Wanted(since=since, until=until)),
        overruled=[entry for entry in decided if entry.details.get("decision") != "approve"],
        settings=entries(connection, Wanted(since=since, until=until, action="settings.changed")),
        findings=[filed(row) for row in connection.execute(found.order_by(findings.c.id))],
        position=audit.stands(connection),
    )


def part_of(action: str) -> Part:
    """Where a report tells of an action."""
    best: tuple[int, Part] = (0, "other")
    for part, beginnings in PARTS.items():
        for beginning in beginnings:
            if action == beginning or action.startswith(f"{beginning}."):
                best = max(best, (len(beginning), part))
    return best[1]
