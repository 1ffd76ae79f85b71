"""Why a run's answer is looked at, whatever it says."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column."""
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("asks", sa.Text, nullable=False, server_default=""))
