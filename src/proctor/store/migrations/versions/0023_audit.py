"""The record of who decided, changed, saw or overrode what; what inspections found."""

import sqlalchemy as sa
from alembic import op

from proctor.store._types import AnyText, UtcDateTime

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables, and lets the database itself refuse to change an entry."""
    op.create_table(
        "audit_entries",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor", AnyText, nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("thing", AnyText, nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("data", AnyText, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("audit_entries_at", "audit_entries", ["at"])
    op.create_index("audit_entries_action", "audit_entries", ["action", "seq"])
    op.create_index("audit_entries_actor", "audit_entries", ["actor", "seq"])
    op.create_table(
        "audit_head",
        sa.Column("one", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("chain", sa.String(40), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    _findings()
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()


def _findings() -> None:
    op.create_table(
        "findings",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("mark", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("severity", sa.String(8), nullable=False),
        sa.Column("run_id", sa.String(40), nullable=False),
        sa.Column("thing", AnyText, nullable=False),
        sa.Column("text", AnyText, nullable=False),
        sa.Column("first_at", UtcDateTime, nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False),
        sa.Column("gone_at", UtcDateTime),
    )
    op.create_index("findings_mark", "findings", ["mark"], unique=True)
    op.create_table(
        "inspections",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("worker", sa.String(100), nullable=False),
        sa.Column("findings", sa.Integer, nullable=False),
    )


def _guard_sqlite() -> None:
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_entries_{act.lower()} BEFORE {act} ON audit_entries "
            "BEGIN SELECT RAISE(ABORT, 'entries of the audit record are never changed'); END"
        )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION proctor_audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION 'entries of the audit record are never changed'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_entries_change BEFORE UPDATE OR DELETE ON audit_entries "
        "FOR EACH ROW EXECUTE FUNCTION proctor_audit_kept()"
    )
    op.execute(
        "CREATE TRIGGER audit_entries_truncate BEFORE TRUNCATE ON audit_entries "
        "FOR EACH STATEMENT EXECUTE FUNCTION proctor_audit_kept()"
    )
