"""The tables of the record: its entries, and the head that each new one follows."""

from sqlalchemy import BigInteger, Column, Index, SmallInteger, String, Table

from proctor.store import AnyText, UtcDateTime, metadata

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", AnyText, nullable=False),
    Column("action", String(64), nullable=False),
    Column("thing", AnyText, nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("data", AnyText, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("audit_entries_at", "at"),
    Index("audit_entries_action", "action", "seq"),
    Index("audit_entries_actor", "actor", "seq"),
)
"""Numbered from 1 without a gap. The database itself refuses to change or delete a row."""

audit_head = Table(
    "audit_head",
    metadata,
    Column("one", SmallInteger, primary_key=True, autoincrement=False),
    Column("chain", String(40), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)
"""One row, whose key is 1: the chain's id and its last entry."""
