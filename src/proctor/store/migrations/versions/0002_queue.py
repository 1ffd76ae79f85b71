"""What a queue of runs needs: when they are due, how urgent they are, and how often they came no further."""

import sqlalchemy as sa
from alembic import op

from proctor.store._types import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns and indexes."""
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("priority", sa.Integer, nullable=False, server_default="0"))
        runs.add_column(sa.Column("due_at", UtcDateTime))
        runs.add_column(sa.Column("handed_at", UtcDateTime))
        runs.add_column(sa.Column("taken_at", UtcDateTime))
        runs.add_column(sa.Column("worker", sa.String(100)))
        runs.add_column(sa.Column("failures", sa.Integer, nullable=False, server_default="0"))
        runs.add_column(sa.Column("requester", sa.String(200), nullable=False, server_default=""))
        runs.add_column(sa.Column("simple", sa.Boolean, nullable=False, server_default=sa.false()))
        runs.add_column(sa.Column("thread_id", sa.String(40)))
        runs.add_column(sa.Column("schedule_id", sa.String(40)))
    op.create_index("runs_queue", "runs", ["state", sa.desc("priority"), "id"])
    op.create_index("runs_due", "runs", ["state", "due_at"])
