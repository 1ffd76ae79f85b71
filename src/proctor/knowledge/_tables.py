"""The room's tables, and the full-text index that each database adds to them."""

from sqlalchemy import Column, Connection, ForeignKey, Integer, LargeBinary, Table, Text, UniqueConstraint

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
    UniqueConstraint("collection", "name"),
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

_SQLITE = (
    """CREATE VIRTUAL TABLE IF NOT EXISTS knowledge_terms USING fts5(
        terms, content='knowledge_chunks', content_rowid='id', tokenize="unicode61 remove_diacritics 0")""",
    """CREATE TRIGGER IF NOT EXISTS knowledge_chunks_added AFTER INSERT ON knowledge_chunks BEGIN
        INSERT INTO knowledge_terms(rowid, terms) VALUES (new.id, new.terms);
    END""",
    """CREATE TRIGGER IF NOT EXISTS knowledge_chunks_dropped AFTER DELETE ON knowledge_chunks BEGIN
        INSERT INTO knowledge_terms(knowledge_terms, rowid, terms) VALUES ('delete', old.id, old.terms);
    END""",
)
_POSTGRESQL = (
    """ALTER TABLE knowledge_chunks ADD COLUMN IF NOT EXISTS search tsvector
        GENERATED ALWAYS AS (to_tsvector('simple', terms)) STORED""",
    "CREATE INDEX IF NOT EXISTS knowledge_chunks_search ON knowledge_chunks USING gin (search)",
)


def index_ddl(dialect: str) -> tuple[str, ...]:
    """The statements that add full text to the tables on `sqlite` or `postgresql`; they may be repeated."""
    return _SQLITE if dialect == "sqlite" else _POSTGRESQL


def ensure_index(connection: Connection) -> None:
    """Adds full text to the room's tables where it is missing."""
    for statement in index_ddl(connection.dialect.name):
        connection.exec_driver_sql(statement)
