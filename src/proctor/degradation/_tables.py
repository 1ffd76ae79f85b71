"""The tables of degradation: what happened, what an operator holds, and where each worker stands."""

from sqlalchemy import Column, Index, Integer, String, Table

from proctor.store import AnyText, UtcDateTime, metadata

degradations = Table(
    "degradations",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("worker", String(100), nullable=False),
    Column("level", Integer, nullable=False),
    Column("previous", Integer, nullable=False),
    Column("rule", String(16), nullable=False),
    Column("detail", AnyText, nullable=False),
)

holds = Table(
    "degradation_holds",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("level", Integer, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("by", String(200), nullable=False),
    Index("degradation_holds_until", "until"),
)

standings = Table(
    "degradation_standings",
    metadata,
    Column("worker", String(100), primary_key=True),
    Column("level", Integer, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)
