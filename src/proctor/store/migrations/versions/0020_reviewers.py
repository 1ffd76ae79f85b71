"""What people decided, found by when they did."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the indexes."""
    op.create_index("approvals_decided", "approvals", ["decided_at"])
    op.create_index("approval_votes_at", "approval_votes", ["at"])
