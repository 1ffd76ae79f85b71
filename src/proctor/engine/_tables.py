"""The table of workers."""

from sqlalchemy import Boolean, Column, Integer, String, Table, Text

from proctor.store import UtcDateTime, metadata

workers = Table(
    "workers",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("engine", String(16), nullable=False),
    Column("teams", Text, nullable=False),
    Column("running", Integer, nullable=False),
    Column("stopping", Boolean, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)
