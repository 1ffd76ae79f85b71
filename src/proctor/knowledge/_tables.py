"""The room's tables. The migration adds each database's own full text to them."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from proctor.store import UtcDateTime, metadata

sources = Table(
    "knowledge_sources",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("collection", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("updated", UtcDateTime, nullable=False),
    Column("tenant", Text, nullable=False, server_default="default"),
    Column("subject", Text, nullable=False, server_default=""),
    Column("purpose", Text, nullable=False, server_default=""),
    UniqueConstraint("collection", "name"),
    Index("knowledge_sources_subject", "subject"),
)

chunks = Table(
    "knowledge_chunks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column(
        "source", Integer, ForeignKey("knowledge_sources.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("position", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("terms", Text, nullable=False),
    Column("embedding", LargeBinary),
    sqlite_autoincrement=True,  # ids are never used again: the newest one tells whether anything changed
)
