"""The tables of budgets, of what is taken of them, and of what people have added."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from proctor.store import AnyText, UtcDateTime, metadata

budgets = Table(
    "budgets",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("rule", AnyText, nullable=False),
    Column("set_at", UtcDateTime, nullable=False),
    Column("set_by", AnyText, nullable=False),
)

budgets_in_force = Table(
    "budgets_in_force",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("counts", AnyText, nullable=False),
    Column("since", UtcDateTime, nullable=False),
)

budget_accounts = Table(
    "budget_accounts",
    metadata,
    Column("budget", String(64), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("period", String(64), primary_key=True),
    Column("taken", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("lost", BigInteger, nullable=False),
    Column("raised", BigInteger, nullable=False),
    Column("ends_at", UtcDateTime),
    Index("budget_accounts_ends_at", "ends_at"),
)

budget_pieces = Table(
    "budget_pieces",
    metadata,
    Column("budget", String(64), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("period", String(64), primary_key=True),
    Column("holder", String(100), primary_key=True),
    Column("taken", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("budget_pieces_holder", "holder"),
)

budget_grants = Table(
    "budget_grants",
    metadata,
    Column("run_id", String(40), primary_key=True),
    Column("budget", String(64), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("period", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("amount", BigInteger, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", AnyText, nullable=False),
)
