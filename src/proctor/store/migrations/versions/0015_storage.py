"""The sizes of what is kept, and the audits of the ledger that were made."""

import sqlalchemy as sa
from alembic import op

from proctor.store._types import UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "storage_sizes",
        sa.Column("run_id", sa.String(40), primary_key=True),
        sa.Column("finished_at", UtcDateTime, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "ledger_audits",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("worker", sa.String(100), nullable=False),
        sa.Column("differences", sa.Integer, nullable=False),
    )
