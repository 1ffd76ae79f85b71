"""The table of cached answers and its queries, one function each."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, Index, LargeBinary, String, Table, delete, select

from proctor.models._kept import Kept
from proctor.store import AnyText, UtcDateTime, insert_into, metadata

_CANDIDATES = 256
"""Questions, the newest first, that a new one is compared with: bounds what a look costs."""

answers = Table(
    "cached_answers",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("family", String(32), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("deployment", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("answer", AnyText, nullable=False),
    Column("question", AnyText, nullable=False),
    Column("vector", LargeBinary),
    Column("run_id", String(40), nullable=False, server_default=""),
    Index("cached_answers_family", "family", "at"),
    Index("cached_answers_expiry", "expires_at"),
    Index("cached_answers_run", "run_id"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An answer as it is kept."""

    key: str
    family: str
    """What the requests share that differ in their last question only; empty where that isn't asked for."""
    tenant: str
    deployment: str
    at: datetime
    expires_at: datetime
    answer: str
    question: str
    vector: bytes | None
    run_id: str
    """Whose call was answered: what is erased with the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An answered question that a new one may be the same as."""

    question: str
    vector: bytes
    answer: str


def put(connection: Connection, row: Row) -> None:
    """Keeps an answer, in the place of an older one to the same request."""
    values = asdict(row)
    connection.execute(
        insert_into(connection, answers)
        .values(values)
        .on_conflict_do_update(index_elements=["key"], set_=values)
    )


def find(connection: Connection, key: str, *, now: datetime, ttl: timedelta) -> Kept | None:
    """The answer to a request, while it holds for whoever kept it and for whoever asks."""
    query = select(answers.c.answer, answers.c.at, answers.c.expires_at).where(
        answers.c.key == key, answers.c.expires_at > now, answers.c.at > now - ttl
    )
    row = connection.execute(query).first()
    return None if row is None else Kept(text=row.answer, until=min(row.expires_at, row.at + ttl))


def candidates(
    connection: Connection, family: str, *, now: datetime, ttl: timedelta
) -> tuple[Candidate, ...]:
    """The newest answered questions of a family."""
    query = (
        select(answers.c.question, answers.c.vector, answers.c.answer)
        .where(answers.c.family == family, answers.c.expires_at > now, answers.c.at > now - ttl)
        .order_by(answers.c.at.desc())
        .limit(_CANDIDATES)
    )
    return tuple(
        Candidate(question=row.question, vector=row.vector, answer=row.answer)
        for row in connection.execute(query)
    )


def prune(connection: Connection, now: datetime, *, limit: int) -> int:
    """How many answers are gone: a page of those whose time is over."""
    page = select(answers.c.key).where(answers.c.expires_at <= now).limit(limit)
    return connection.execute(delete(answers).where(answers.c.key.in_(page))).rowcount
