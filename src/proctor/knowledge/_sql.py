"""The room's queries, one function each."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text

from proctor.knowledge._tables import chunks, sources
from proctor.store import insert_into


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChunk:
    """A passage on its way into the database."""

    title: str
    text: str
    terms: str
    embedding: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSource:
    """A document on its way into the database."""

    name: str
    digest: str
    title: str
    language: str
    tenant: str
    subject: str
    purpose: str
    chunks: tuple[NewChunk, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredChunk:
    """A passage as it is stored."""

    source: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A document that is kept, without its text."""

    name: str
    title: str
    language: str
    updated_at: datetime
    about_a_person: bool
    """Whether it says whom it is about."""


def collections(connection: Connection, under: str) -> dict[str, int]:
    """How many documents each collection holds whose name begins so, by name."""
    query = (
        select(sources.c.collection, func.count().label("documents"))
        .where(func.substr(sources.c.collection, 1, len(under)) == under)  # LIKE takes capitals for small
        .group_by(sources.c.collection)
        .order_by(sources.c.collection)
    )
    return {row.collection: row.documents for row in connection.execute(query)}


def documents(connection: Connection, collection: str, *, after: str, limit: int) -> tuple[Source, ...]:
    """A page of a collection's documents by name, from behind the name `after`."""
    query = (
        select(sources)
        .where(sources.c.collection == collection, sources.c.name > after)
        .order_by(sources.c.name)
        .limit(limit)
    )
    return tuple(
        Source(
            name=row.name,
            title=row.title,
            language=row.language,
            updated_at=row.updated,
            about_a_person=bool(row.subject),
        )
        for row in connection.execute(query)
    )


def digests(connection: Connection, collection: str, names: Collection[str]) -> dict[str, str]:
    """The digests of those documents that are stored, by name."""
    query = select(sources.c.name, sources.c.digest).where(
        sources.c.collection == collection, sources.c.name.in_(names)
    )
    return {row.name: row.digest for row in connection.execute(query)}


def put(connection: Connection, collection: str, documents: Iterable[NewSource], now: datetime) -> None:
    """Stores documents in place of what was stored under their names.

    In the order of names: two processes that store the same documents wait for each other.
    """
    for document in sorted(documents, key=lambda each: each.name):
        values = {
            "digest": document.digest,
            "title": document.title,
            "language": document.language,
            "updated": now,
            "tenant": document.tenant,
            "subject": document.subject,
            "purpose": document.purpose,
        }
        upsert = (
            insert_into(connection, sources)
            .values(collection=collection, name=document.name, **values)
            .on_conflict_do_update(index_elements=["collection", "name"], set_=values)
            .returning(sources.c.id)
        )
        source = connection.execute(upsert).scalar_one()
        connection.execute(delete(chunks).where(chunks.c.source == source))
        rows = [
            {
                "source": source,
                "position": position,
                "title": chunk.title,
                "text": chunk.text,
                "terms": chunk.terms,
                "embedding": chunk.embedding,
            }
            for position, chunk in enumerate(document.chunks)
        ]
        if rows:
            connection.execute(insert(chunks), rows)


def names(connection: Connection, collection: str) -> set[str]:
    """The names of the collection's documents."""
    return set(connection.scalars(select(sources.c.name).where(sources.c.collection == collection)))


def holds(connection: Connection, collection: str, name: str) -> bool:
    """Whether a collection has a document of this name."""
    query = select(sources.c.id).where(sources.c.collection == collection, sources.c.name == name)
    return connection.scalar(query) is not None


def drop(connection: Connection, collection: str, names: Iterable[str]) -> None:
    """Removes documents with their passages."""
    statement = delete(sources).where(sources.c.collection == collection, sources.c.name == bindparam("gone"))
    rows = [{"gone": name} for name in sorted(names)]
    if rows:
        connection.execute(statement, rows)


def stamp(connection: Connection, collection: str) -> tuple[int, int]:
    """Two numbers that change with the collection's passages."""
    query = (
        select(func.count(), func.coalesce(func.max(chunks.c.id), 0))
        .join_from(chunks, sources)
        .where(sources.c.collection == collection)
    )
    count, newest = connection.execute(query).one()
    return count, newest


def embeddings(connection: Connection, collection: str) -> list[tuple[int, bytes]]:
    """The collection's embedded passages: id and vector."""
    query = (
        select(chunks.c.id, chunks.c.embedding)
        .join_from(chunks, sources)
        .where(sources.c.collection == collection, chunks.c.embedding.is_not(None))
        .order_by(chunks.c.id)
    )
    return [(number, vector) for number, vector in connection.execute(query)]


def load(connection: Connection, numbers: Collection[int]) -> dict[int, StoredChunk]:
    """Passages by id."""
    query = (
        select(chunks.c.id, sources.c.name, chunks.c.title, chunks.c.text)
        .join_from(chunks, sources)
        .where(chunks.c.id.in_(numbers))
    )
    return {
        number: StoredChunk(source=source, title=title, text=words)
        for number, source, title, words in connection.execute(query)
    }


_MATCH_SQLITE = text("""
    SELECT c.id, -bm25(knowledge_terms) AS weight FROM knowledge_terms
    JOIN knowledge_chunks c ON c.id = knowledge_terms.rowid
    JOIN knowledge_sources s ON s.id = c.source
    WHERE knowledge_terms MATCH :query AND s.collection = :collection
    ORDER BY weight DESC, c.id LIMIT :limit
""")
_MATCH_POSTGRESQL = text("""
    WITH wanted AS (
        SELECT plainto_tsquery('simple', term) AS query, times
        FROM unnest(CAST(:terms AS text[]), CAST(:times AS integer[])) AS pair(term, times)
    ), hits AS MATERIALIZED (
        SELECT c.id, wanted.query, wanted.times, ts_rank(c.search, wanted.query, 1) AS weight
        FROM wanted
        JOIN knowledge_chunks c ON c.search @@ wanted.query
        JOIN knowledge_sources s ON s.id = c.source
        WHERE s.collection = :collection
    ), rarity AS (
        SELECT query, ln(1 + (:total - count(*) + 0.5) / (count(*) + 0.5)) AS weight FROM hits GROUP BY query
    )
    SELECT hits.id, sum(hits.times * hits.weight * rarity.weight) AS weight
    FROM hits JOIN rarity USING (query)
    GROUP BY hits.id ORDER BY weight DESC, hits.id LIMIT :limit
""")
"""PostgreSQL's own ranking knows no rare and common words: each term's rank is weighed as BM25 does."""


def match(connection: Connection, collection: str, terms: Sequence[str], limit: int) -> dict[int, float]:
    """The passages that hold the terms, best first: ids, with weights that compare within one search only."""
    if not terms:
        return {}
    if connection.dialect.name == "sqlite":
        query = " OR ".join(f'"{term}"' for term in terms)
        statement = _MATCH_SQLITE.bindparams(query=query)
    else:
        times = Counter(terms)
        total, _ = stamp(connection, collection)
        statement = _MATCH_POSTGRESQL.bindparams(terms=list(times), times=list(times.values()), total=total)
    rows = connection.execute(statement, {"collection": collection, "limit": limit})
    return {row.id: float(row.weight) for row in rows}
