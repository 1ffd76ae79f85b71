"""How many questions wait for people, and since when the oldest does."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from proctor.approvals._tables import approvals


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """The questions of one team that nobody has decided."""

    team: str
    count: int
    since: datetime
    """When the oldest was asked."""


def undecided(connection: Connection) -> tuple[Undecided, ...]:
    """The teams whose runs wait for people."""
    asked = func.min(approvals.c.requested_at, type_=approvals.c.requested_at.type)
    query = (
        select(approvals.c.team, func.count().label("count"), asked.label("since"))
        .where(approvals.c.state == "pending")
        .group_by(approvals.c.team)
        .order_by(approvals.c.team)
    )
    return tuple(Undecided(**row._asdict()) for row in connection.execute(query))
