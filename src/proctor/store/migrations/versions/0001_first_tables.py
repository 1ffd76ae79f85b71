"""The first tables: runs, recorded calls, events, approvals, the ledger and knowledge."""

import sqlalchemy as sa
from alembic import op

from proctor.store._types import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_FULL_TEXT = {
    "sqlite": (
        """CREATE VIRTUAL TABLE knowledge_terms USING fts5(
            terms, content='knowledge_chunks', content_rowid='id',
            tokenize="unicode61 remove_diacritics 0")""",
        """CREATE TRIGGER knowledge_chunks_added AFTER INSERT ON knowledge_chunks BEGIN
            INSERT INTO knowledge_terms(rowid, terms) VALUES (new.id, new.terms);
        END""",
        """CREATE TRIGGER knowledge_chunks_dropped AFTER DELETE ON knowledge_chunks BEGIN
            INSERT INTO knowledge_terms(knowledge_terms, rowid, terms) VALUES ('delete', old.id, old.terms);
        END""",
    ),
    "postgresql": (
        """ALTER TABLE knowledge_chunks ADD COLUMN search tsvector
            GENERATED ALWAYS AS (to_tsvector('simple', terms)) STORED""",
        "CREATE INDEX knowledge_chunks_search ON knowledge_chunks USING gin (search)",
    ),
}
"""Full text over words that Proctor has split itself, in each database's own form."""


def upgrade() -> None:
    """Creates the tables."""
    _runs()
    _journal()
    _approvals()
    _ledger()
    _knowledge()


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("team", sa.String(64), nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("error_code", sa.String(40)),
        sa.Column("error", sa.Text),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("events", sa.Integer, nullable=False),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("finished_at", UtcDateTime),
    )
    op.create_index("runs_state", "runs", ["state", "id"])


def _journal() -> None:
    op.create_table(
        "calls",
        sa.Column("run_id", sa.String(40), primary_key=True),
        sa.Column("agent", sa.String(200), primary_key=True),
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("fingerprint", sa.String(32), primary_key=True),
        sa.Column("occurrence", sa.Integer, primary_key=True),
        sa.Column("position", sa.Integer),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("duration_ms", sa.Float),
    )
    op.create_index("calls_position", "calls", ["run_id", "position"])
    op.create_table(
        "events",
        sa.Column("run_id", sa.String(40), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("agent", sa.String(200), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
    )
    op.create_table(
        "blobs",
        sa.Column("digest", sa.String(32), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )


def _approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("run_id", sa.String(40), nullable=False),
        sa.Column("call_key", sa.String(64), nullable=False),
        sa.Column("team", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("role", sa.String(64), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("decision", sa.String(16)),
        sa.Column("comment", sa.Text),
        sa.Column("decided_by", sa.String(200)),
        sa.Column("requested_at", UtcDateTime, nullable=False),
        sa.Column("decided_at", UtcDateTime),
    )
    op.create_index("approvals_call", "approvals", ["run_id", "call_key"], unique=True)
    op.create_index("approvals_state", "approvals", ["state", "id"])


def _ledger() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("team", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(5), nullable=False),
        sa.Column("deployment", sa.String(64), nullable=False),
        sa.Column("model", sa.String(255), nullable=False),
        sa.Column("tool", sa.String(255), nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_input_tokens", sa.BigInteger, nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_micros", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_ledger_entries_day", "ledger_entries", ["day"])
    op.create_index("ix_ledger_entries_at", "ledger_entries", ["at"])
    op.create_index("ix_ledger_entries_run_id", "ledger_entries", ["run_id"])


def _knowledge() -> None:
    op.create_table(
        "knowledge_sources",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("collection", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("updated", UtcDateTime, nullable=False),
        sa.UniqueConstraint("collection", "name"),
    )
    op.create_table(
        "knowledge_chunks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "source",
            sa.Integer,
            sa.ForeignKey("knowledge_sources.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("terms", sa.Text, nullable=False),
        sa.Column("embedding", sa.LargeBinary),
        sqlite_autoincrement=True,
    )
    for statement in _FULL_TEXT[op.get_bind().dialect.name]:
        op.execute(statement)
