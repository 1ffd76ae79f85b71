"""Whether somebody waits for a run, and who lost which attempt at it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column and the table."""
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("pace", sa.String(8), nullable=False, server_default="prompt"))
    op.create_table(
        "lost_attempts",
        sa.Column("run_id", sa.String(40), primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True),
        sa.Column("worker", sa.String(100), nullable=False),
    )
    op.create_index("lost_attempts_worker", "lost_attempts", ["worker"])
