"""The tables of what inspections found, and of the days on which one was made."""

from sqlalchemy import Column, Index, Integer, String, Table

from proctor.store import AnyText, UtcDateTime, metadata

findings = Table(
    "findings",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("mark", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("severity", String(8), nullable=False),
    Column("run_id", String(40), nullable=False),
    Column("thing", AnyText, nullable=False),
    Column("text", AnyText, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("gone_at", UtcDateTime),
    Index("findings_mark", "mark", unique=True),
)
"""Each once, by its mark: of what kind it is and on what."""

inspections = Table(
    "inspections",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("worker", String(100), nullable=False),
    Column("findings", Integer, nullable=False),
)
