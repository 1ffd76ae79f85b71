"""Rules, votes, expiry and standing approvals."""

import sqlalchemy as sa
from alembic import op

from proctor.store._types import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns and creates the tables."""
    _terms()
    _people()
    _standing()


def _terms() -> None:
    with op.batch_alter_table("approvals") as approvals:
        approvals.alter_column("decided_by", type_=sa.Text, existing_type=sa.String(200))
        approvals.add_column(sa.Column("tenant", sa.String(64), nullable=False, server_default="default"))
        approvals.add_column(sa.Column("requester", sa.Text, nullable=False, server_default=""))
        approvals.add_column(sa.Column("thread_id", sa.String(40)))
        approvals.add_column(sa.Column("terms", sa.Text, nullable=False, server_default="{}"))
        approvals.add_column(sa.Column("roles", sa.Text, nullable=False, server_default=""))
        approvals.add_column(sa.Column("barred", sa.Text, nullable=False, server_default=""))
        approvals.add_column(sa.Column("stage", sa.Integer, nullable=False, server_default="1"))
        approvals.add_column(sa.Column("escalations", sa.Integer, nullable=False, server_default="0"))
        approvals.add_column(sa.Column("expires_at", UtcDateTime))
        approvals.add_column(sa.Column("remind_at", UtcDateTime))
        approvals.add_column(sa.Column("edited", sa.Text))
        approvals.add_column(sa.Column("conversation", sa.Text, nullable=False, server_default="[]"))
    op.create_index("approvals_team", "approvals", ["state", "team", "id"])
    op.create_index("approvals_expiry", "approvals", ["state", "expires_at"])
    op.create_index("approvals_reminder", "approvals", ["state", "remind_at"])


def _people() -> None:
    op.create_table(
        "approval_votes",
        sa.Column("approval_id", sa.String(40), primary_key=True),
        sa.Column("person", sa.String(200), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("stage", sa.Integer, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("standing", sa.Text),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "approval_delegations",
        sa.Column("approval_id", sa.String(40), primary_key=True),
        sa.Column("person", sa.String(200), primary_key=True),
        sa.Column("delegate", sa.String(200), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
    )


def _standing() -> None:
    op.create_table(
        "standing_approvals",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("team", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("server", sa.String(64), nullable=False),
        sa.Column("tool", sa.Text, nullable=False),
        sa.Column("bar", sa.String(32), nullable=False),
        sa.Column("scope", sa.String(8), nullable=False),
        sa.Column("run_id", sa.String(40), nullable=False),
        sa.Column("thread_id", sa.String(40)),
        sa.Column("arguments", sa.Text, nullable=False),
        sa.Column("exact", sa.Integer, nullable=False),
        sa.Column("approval_id", sa.String(40), nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("revoked_at", UtcDateTime),
        sa.Column("revoked_by", sa.Text),
    )
    op.create_index("standing_bar", "standing_approvals", ["bar", "team", "tenant"])
