"""Requests that wait for a provider's batch."""

import sqlalchemy as sa
from alembic import op

from proctor.store._types import AnyText, UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "batch_requests",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("team", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(255), nullable=False),
        sa.Column("requester", sa.String(200), nullable=False),
        sa.Column("thread_id", sa.String(40), nullable=False),
        sa.Column("deployment", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("body", AnyText, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("batch_id", sa.String(40)),
        sa.Column("answer", AnyText),
        sa.Column("error", AnyText),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("ready_at", UtcDateTime, nullable=False),
        sa.Column("deadline_at", UtcDateTime, nullable=False),
        sa.Column("woken_at", UtcDateTime),
    )
    op.create_index("batch_requests_ready", "batch_requests", ["state", "ready_at"])
    op.create_index("batch_requests_batch", "batch_requests", ["batch_id"])
    op.create_index("batch_requests_run", "batch_requests", ["run_id"])
    op.create_table(
        "batches",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("deployment", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("provider_id", sa.String(255)),
        sa.Column("requests", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("next_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("error", AnyText),
    )
    op.create_index("batches_next", "batches", ["state", "next_at"])
