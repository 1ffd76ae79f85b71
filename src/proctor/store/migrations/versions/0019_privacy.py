"""Whom runs, memories, documents and cached answers are about; consents, holds, tombstones and the vault."""

import sqlalchemy as sa
from alembic import op

from proctor.store._types import AnyText, UtcDateTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the tags, and creates the tables."""
    _tags()
    _consents()
    _holds()
    _tombstones()
    _vault()


def _tags() -> None:
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("subject", sa.String(200), nullable=False, server_default=""))
        runs.add_column(sa.Column("purpose", sa.String(64), nullable=False, server_default=""))
        runs.add_column(sa.Column("erased_at", UtcDateTime))
    op.create_index("runs_subject", "runs", ["subject", "id"])
    op.create_index("runs_finished", "runs", ["finished_at"])
    with op.batch_alter_table("thread_states") as states:
        states.add_column(sa.Column("subject", sa.String(200), nullable=False, server_default=""))
        states.add_column(sa.Column("purpose", sa.String(64), nullable=False, server_default=""))
    for name, default in (("tenant", "default"), ("subject", ""), ("purpose", "")):
        op.add_column("knowledge_sources", sa.Column(name, sa.Text, nullable=False, server_default=default))
    op.create_index("knowledge_sources_subject", "knowledge_sources", ["subject"])
    with op.batch_alter_table("cached_answers") as answers:
        answers.add_column(sa.Column("run_id", sa.String(40), nullable=False, server_default=""))
    op.create_index("cached_answers_run", "cached_answers", ["run_id"])


def _consents() -> None:
    op.create_table(
        "consents",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("purpose", sa.String(64), nullable=False),
        sa.Column("act", sa.String(8), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("channel", sa.String(200), nullable=False),
        sa.Column("recorded_by", AnyText, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("consents_subject", "consents", ["subject", "purpose", "number"])


def _holds() -> None:
    op.create_table(
        "privacy_holds",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("mark", sa.String(40), nullable=False),
        sa.Column("run_id", sa.String(40), nullable=False),
        sa.Column("reason", AnyText, nullable=False),
        sa.Column("placed_by", AnyText, nullable=False),
        sa.Column("placed_at", UtcDateTime, nullable=False),
        sa.Column("released_by", AnyText),
        sa.Column("released_at", UtcDateTime),
    )
    op.create_index("privacy_holds_subject", "privacy_holds", ["subject"])
    op.create_index("privacy_holds_run", "privacy_holds", ["run_id"])


def _tombstones() -> None:
    op.create_table(
        "tombstones",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("mark", sa.String(40), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("erased_by", AnyText, nullable=False),
        sa.Column("counts", sa.Text, nullable=False),
        sa.Column("kept", sa.Text, nullable=False),
        sa.Column("due_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
    )
    op.create_index("tombstones_mark", "tombstones", ["mark"])
    op.create_index("tombstones_due", "tombstones", ["due_at"])


def _vault() -> None:
    op.create_table(
        "privacy_keys",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.Boolean, nullable=False),
    )
    op.create_table(
        "vault",
        sa.Column("scope", sa.String(40), primary_key=True),
        sa.Column("token", sa.String(120), primary_key=True),
        sa.Column("mark", sa.String(40), nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_index("vault_mark", "vault", ["mark"])
