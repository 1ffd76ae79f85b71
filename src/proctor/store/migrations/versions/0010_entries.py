"""Whose money it was, and how the request ended that it was paid for."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns."""
    with op.batch_alter_table("ledger_entries") as entries:
        entries.alter_column("kind", type_=sa.String(8), existing_type=sa.String(5), existing_nullable=False)
        entries.add_column(sa.Column("tenant", sa.String(64), nullable=False, server_default="default"))
        entries.add_column(sa.Column("requester", sa.String(200), nullable=False, server_default=""))
        entries.add_column(sa.Column("thread_id", sa.String(40), nullable=False, server_default=""))
        entries.add_column(sa.Column("outcome", sa.String(40), nullable=False, server_default="ok"))
        entries.add_column(sa.Column("worker", sa.String(100), nullable=False, server_default=""))
        entries.add_column(sa.Column("cache_write_tokens", sa.BigInteger, nullable=False, server_default="0"))
        entries.add_column(sa.Column("saved_micros", sa.BigInteger, nullable=False, server_default="0"))
        entries.add_column(sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0"))
