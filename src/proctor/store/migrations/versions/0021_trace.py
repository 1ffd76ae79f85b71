"""Which trace a run belongs to, and which version of the application it was started under."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns."""
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("trace", sa.String(64), nullable=False, server_default=""))
        runs.add_column(sa.Column("release", sa.String(64), nullable=False, server_default=""))
