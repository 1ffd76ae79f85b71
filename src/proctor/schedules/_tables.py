"""The table of schedules."""

from sqlalchemy import Column, Index, Integer, String, Table, Text

from proctor.store import UtcDateTime, metadata

schedules = Table(
    "schedules",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("team", String(64), nullable=False),
    Column("target", Text, nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("task", Text, nullable=False),
    Column("cron", String(200), nullable=False),
    Column("zone", String(64), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("requester", String(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime),
    Column("last_at", UtcDateTime),
    Column("last_run_id", String(40)),
    Index("schedules_next", "next_at"),
)
