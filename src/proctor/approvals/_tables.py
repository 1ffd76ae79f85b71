"""The tables of questions to people."""

from sqlalchemy import Column, Index, Integer, String, Table, Text

from proctor.store import AnyText, UtcDateTime, metadata

approvals = Table(
    "approvals",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("run_id", String(40), nullable=False),
    Column("call_key", String(64), nullable=False),
    Column("team", String(64), nullable=False),
    Column("agent", String(200), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("role", String(64), nullable=False),
    Column("text", AnyText, nullable=False),
    Column("action", AnyText, nullable=False),
    Column("digest", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("decision", String(16)),
    Column("comment", AnyText),
    Column("decided_by", AnyText),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("decided_at", UtcDateTime),
    Column("tenant", String(64), nullable=False, server_default="default"),
    Column("requester", AnyText, nullable=False, server_default=""),
    Column("thread_id", String(40)),
    Column("terms", AnyText, nullable=False, server_default="{}"),
    Column("roles", Text, nullable=False, server_default=""),
    Column("barred", AnyText, nullable=False, server_default=""),
    Column("stage", Integer, nullable=False, server_default="1"),
    Column("escalations", Integer, nullable=False, server_default="0"),
    Column("expires_at", UtcDateTime),
    Column("remind_at", UtcDateTime),
    Column("edited", AnyText),
    Column("conversation", AnyText, nullable=False, server_default="[]"),
    Index("approvals_call", "run_id", "call_key", unique=True),
    Index("approvals_state", "state", "id"),
    Index("approvals_team", "state", "team", "id"),
    Index("approvals_expiry", "state", "expires_at"),
    Index("approvals_reminder", "state", "remind_at"),
)

votes = Table(
    "approval_votes",
    metadata,
    Column("approval_id", String(40), primary_key=True),
    Column("person", String(200), primary_key=True),
    Column("name", AnyText, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("stage", Integer, nullable=False),
    Column("comment", AnyText, nullable=False),
    Column("standing", AnyText),
    Column("at", UtcDateTime, nullable=False),
)

delegations = Table(
    "approval_delegations",
    metadata,
    Column("approval_id", String(40), primary_key=True),
    Column("person", String(200), primary_key=True),
    Column("delegate", String(200), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

standing = Table(
    "standing_approvals",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("team", String(64), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("server", String(64), nullable=False),
    Column("tool", Text, nullable=False),
    Column("bar", String(32), nullable=False),
    Column("scope", String(8), nullable=False),
    Column("run_id", String(40), nullable=False),
    Column("thread_id", String(40)),
    Column("arguments", AnyText, nullable=False),
    Column("exact", Integer, nullable=False),
    Column("approval_id", String(40), nullable=False),
    Column("made_by", AnyText, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("revoked_by", AnyText),
    Index("standing_bar", "bar", "team", "tenant"),
)
