"""Alerts, the numbers that they rest on, and where measures are found in the log."""

import sqlalchemy as sa
from alembic import op

from proctor.store._types import AnyText, UtcDateTime

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_MEASURED = sa.text(
    "type IN ('run.started', 'run.rescheduled', 'run.failed', 'loop.detected', 'agent.failed', "
    "'model.called', 'tool.called', 'approval.requested', 'policy.verdict')"
)


def upgrade() -> None:
    """Adds the index, and creates the tables."""
    op.create_index("events_measured", "events", ["at"], sqlite_where=_MEASURED, postgresql_where=_MEASURED)
    for name in ("alert_windows", "alert_hours"):
        op.create_table(
            name,
            sa.Column("at", UtcDateTime, primary_key=True),
            sa.Column("team", sa.String(64), primary_key=True),
            sa.Column("numbers", sa.Text, nullable=False),
        )
    op.create_table("alert_steps", sa.Column("at", UtcDateTime, primary_key=True))
    _alerts()
    _tellings()
    _silences()


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("rule", sa.String(32), nullable=False),
        sa.Column("team", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("text", AnyText, nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("usual", sa.Float),
        sa.Column("runs", sa.Text, nullable=False),
        sa.Column("began_at", UtcDateTime, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.Column("fired_at", UtcDateTime),
        sa.Column("resolved_at", UtcDateTime),
        sa.Column("told_at", UtcDateTime),
        sa.Column("end_told_at", UtcDateTime),
    )
    op.create_index("alerts_state", "alerts", ["state", "id"])


def _tellings() -> None:
    op.create_table(
        "alert_tellings",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("lines", AnyText, nullable=False),
        sa.Column("runs", sa.Text, nullable=False),
    )
    op.create_index("alert_tellings_at", "alert_tellings", ["at"])


def _silences() -> None:
    op.create_table(
        "alert_silences",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("rule", sa.String(32), nullable=False),
        sa.Column("team", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
        sa.Column("reason", AnyText, nullable=False),
        sa.Column("by", AnyText, nullable=False),
    )
    op.create_index("alert_silences_until", "alert_silences", ["until"])
