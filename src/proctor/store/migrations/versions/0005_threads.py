"""Conversations."""

import sqlalchemy as sa
from alembic import op

from proctor.store._types import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "threads",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("team", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("turns", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("spoken_at", UtcDateTime),
    )
    op.create_table(
        "thread_states",
        sa.Column("thread_id", sa.String(40), primary_key=True),
        sa.Column("run_id", sa.String(40), primary_key=True),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
    )
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("turn", sa.Integer))
        runs.add_column(sa.Column("follows", sa.String(40)))
    op.create_index("runs_thread", "runs", ["thread_id", "state", "turn"])
