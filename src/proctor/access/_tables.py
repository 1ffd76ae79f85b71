"""The tables of keys, sessions and the first start. Of each secret they hold a hash alone."""

from sqlalchemy import Column, Index, String, Table

from proctor.store import AnyText, UtcDateTime, metadata

keys = Table(
    "access_keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("person", String(200), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("roles", String(100), nullable=False),
    Column("tenant", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", AnyText, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("successor", String(40)),
    Column("used_at", UtcDateTime),
    Index("access_keys_name", "name"),
)

sessions = Table(
    "access_sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("roles", String(100), nullable=False),
    Column("tenant", String(64)),
    Column("began_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Index("access_sessions_seen", "seen_at"),
)
"""The id is the hash of what the browser holds."""

setups = Table(
    "access_setups",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("expires_at", UtcDateTime, nullable=False),
)
