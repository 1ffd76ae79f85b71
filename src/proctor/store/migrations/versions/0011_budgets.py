"""Budgets, and what workers have set aside of them."""

import sqlalchemy as sa
from alembic import op

from proctor.store._types import AnyText, UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "budgets",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("rule", AnyText, nullable=False),
        sa.Column("set_at", UtcDateTime, nullable=False),
        sa.Column("set_by", AnyText, nullable=False),
    )
    op.create_table(
        "budget_accounts",
        sa.Column("budget", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(255), primary_key=True),
        sa.Column("period", sa.String(64), primary_key=True),
        sa.Column("taken", sa.BigInteger, nullable=False),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("lost", sa.BigInteger, nullable=False),
        sa.Column("raised", sa.BigInteger, nullable=False),
        sa.Column("ends_at", UtcDateTime),
    )
    op.create_index("budget_accounts_ends_at", "budget_accounts", ["ends_at"])
    op.create_table(
        "budget_pieces",
        sa.Column("budget", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(255), primary_key=True),
        sa.Column("period", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(100), primary_key=True),
        sa.Column("taken", sa.BigInteger, nullable=False),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_index("budget_pieces_holder", "budget_pieces", ["holder"])
    op.create_table(
        "budget_grants",
        sa.Column("run_id", sa.String(40), primary_key=True),
        sa.Column("budget", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(255), primary_key=True),
        sa.Column("period", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("by", AnyText, nullable=False),
    )
