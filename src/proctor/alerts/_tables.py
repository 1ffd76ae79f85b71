"""The tables of alerts, and of the numbers that they rest on."""

from sqlalchemy import Column, Float, Index, String, Table, Text

from proctor.store import AnyText, UtcDateTime, metadata

windows = Table(
    "alert_windows",
    metadata,
    Column("at", UtcDateTime, primary_key=True),
    Column("team", String(64), primary_key=True),
    Column("numbers", Text, nullable=False),
)

hours = Table(
    "alert_hours",
    metadata,
    Column("at", UtcDateTime, primary_key=True),
    Column("team", String(64), primary_key=True),
    Column("numbers", Text, nullable=False),
)

steps = Table(
    "alert_steps",
    metadata,
    Column("at", UtcDateTime, primary_key=True),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("rule", String(32), nullable=False),
    Column("team", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("text", AnyText, nullable=False),
    Column("value", Float, nullable=False),
    Column("usual", Float),
    Column("runs", Text, nullable=False),
    Column("began_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("fired_at", UtcDateTime),
    Column("resolved_at", UtcDateTime),
    Column("told_at", UtcDateTime),
    Column("end_told_at", UtcDateTime),
    Index("alerts_state", "state", "id"),
)

tellings = Table(
    "alert_tellings",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("roles", Text, nullable=False),
    Column("lines", AnyText, nullable=False),
    Column("runs", Text, nullable=False),
    Index("alert_tellings_at", "at"),
)

silences = Table(
    "alert_silences",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("rule", String(32), nullable=False),
    Column("team", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("by", AnyText, nullable=False),
    Index("alert_silences_until", "until"),
)
