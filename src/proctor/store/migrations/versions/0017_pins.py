"""What each tool of a server said of itself when it was believed."""

import sqlalchemy as sa
from alembic import op

from proctor.store._types import AnyText, UtcDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "tool_pins",
        sa.Column("server", sa.String(64), primary_key=True),
        sa.Column("tool", sa.String(255), primary_key=True),
        sa.Column("digest", sa.String(64)),
        sa.Column("spec", AnyText),
        sa.Column("pinned_at", UtcDateTime),
        sa.Column("pinned_by", AnyText),
        sa.Column("seen_digest", sa.String(64)),
        sa.Column("seen_spec", AnyText),
        sa.Column("seen_at", UtcDateTime),
    )
