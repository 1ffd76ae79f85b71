"""Which requests were sent with an idempotency key, and what they have made."""

import sqlalchemy as sa
from alembic import op

from proctor.store._types import UtcDateTime

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "repeats",
        sa.Column("caller", sa.String(300), primary_key=True),
        sa.Column("route", sa.String(100), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("thing", sa.String(40), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_index("repeats_at", "repeats", ["at"])
