"""Keys, sessions, and the tokens of first starts."""

import sqlalchemy as sa
from alembic import op

from proctor.store._types import AnyText, UtcDateTime

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "access_keys",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("roles", sa.String(100), nullable=False),
        sa.Column("tenant", sa.String(64)),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", AnyText, nullable=False),
        sa.Column("expires_at", UtcDateTime),
        sa.Column("revoked_at", UtcDateTime),
        sa.Column("successor", sa.String(40)),
        sa.Column("used_at", UtcDateTime),
    )
    op.create_index("access_keys_name", "access_keys", ["name"])
    op.create_table(
        "access_sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("roles", sa.String(100), nullable=False),
        sa.Column("tenant", sa.String(64)),
        sa.Column("began_at", UtcDateTime, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
    )
    op.create_index("access_sessions_seen", "access_sessions", ["seen_at"])
    op.create_table(
        "access_setups",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("expires_at", UtcDateTime, nullable=False),
    )
