"""How much of a deployment's rate is taken."""

import sqlalchemy as sa
from alembic import op

from proctor.store._types import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "model_rates",
        sa.Column("deployment", sa.String(64), primary_key=True),
        sa.Column("measure", sa.String(8), primary_key=True),
        sa.Column("full_at", UtcDateTime, nullable=False),
    )
