"""The tables of consents, holds, tombstones, keys and the vault."""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from proctor.store import AnyText, UtcDateTime, metadata

consents = Table(
    "consents",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("act", String(8), nullable=False),
    Column("version", String(64), nullable=False),
    Column("channel", String(200), nullable=False),
    Column("recorded_by", AnyText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("consents_subject", "subject", "purpose", "number"),
    sqlite_autoincrement=True,
)

holds = Table(
    "privacy_holds",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("mark", String(40), nullable=False),
    Column("run_id", String(40), nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("placed_by", AnyText, nullable=False),
    Column("placed_at", UtcDateTime, nullable=False),
    Column("released_by", AnyText),
    Column("released_at", UtcDateTime),
    Index("privacy_holds_subject", "subject"),
    Index("privacy_holds_run", "run_id"),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("mark", String(40), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("erased_by", AnyText, nullable=False),
    Column("counts", Text, nullable=False),
    Column("kept", Text, nullable=False),
    Column("due_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Index("tombstones_mark", "mark"),
    Index("tombstones_due", "due_at"),
)

privacy_keys = Table(
    "privacy_keys",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("key", LargeBinary, nullable=False),
    Column("sealed", Boolean, nullable=False),
)
"""The key of marks, and one for each subject of the vault; sealed by the key that isn't in the database."""

vault = Table(
    "vault",
    metadata,
    Column("scope", String(40), primary_key=True),
    Column("token", String(120), primary_key=True),
    Column("mark", String(40), nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("vault_mark", "mark"),
)
