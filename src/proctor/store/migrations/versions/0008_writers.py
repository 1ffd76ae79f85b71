"""Who writes, and how many transactions of it are committed."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "writers",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("transactions", sa.BigInteger, nullable=False),
    )
