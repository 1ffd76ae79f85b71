"""Since when each budget counts what it counts."""

import sqlalchemy as sa
from alembic import op

from proctor.store._types import AnyText, UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "budgets_in_force",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("counts", AnyText, nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
    )
