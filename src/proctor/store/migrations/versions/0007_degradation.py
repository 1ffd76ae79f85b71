"""The history of global degradation, levels that operators hold, and where each worker stands."""

import sqlalchemy as sa
from alembic import op

from proctor.store._types import AnyText, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "degradations",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("worker", sa.String(100), nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("previous", sa.Integer, nullable=False),
        sa.Column("rule", sa.String(16), nullable=False),
        sa.Column("detail", AnyText, nullable=False),
    )
    op.create_table(
        "degradation_holds",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
        sa.Column("reason", AnyText, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
    )
    op.create_index("degradation_holds_until", "degradation_holds", ["until"])
    op.create_table(
        "degradation_standings",
        sa.Column("worker", sa.String(100), primary_key=True),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
    )
