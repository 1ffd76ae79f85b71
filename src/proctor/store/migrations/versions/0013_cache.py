"""Answers that are given again."""

import sqlalchemy as sa
from alembic import op

from proctor.store._types import AnyText, UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "cached_answers",
        sa.Column("key", sa.String(32), primary_key=True),
        sa.Column("family", sa.String(32), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("deployment", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("answer", AnyText, nullable=False),
        sa.Column("question", AnyText, nullable=False),
        sa.Column("vector", sa.LargeBinary),
    )
    op.create_index("cached_answers_family", "cached_answers", ["family", "at"])
    op.create_index("cached_answers_expiry", "cached_answers", ["expires_at"])
