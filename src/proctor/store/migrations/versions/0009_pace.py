"""Whether somebody waits for a run."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column."""
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("pace", sa.String(8), nullable=False, server_default="prompt"))
