"""The tables of requests that wait for a provider's batch, and of the batches."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from proctor.store import AnyText, UtcDateTime, metadata

batch_requests = Table(
    "batch_requests",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("run_id", String(64), nullable=False),
    Column("team", String(64), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("agent", String(255), nullable=False),
    Column("requester", String(200), nullable=False),
    Column("thread_id", String(40), nullable=False),
    Column("deployment", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("body", AnyText, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("batch_id", String(40)),
    Column("answer", AnyText),
    Column("error", AnyText),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ready_at", UtcDateTime, nullable=False),
    Column("deadline_at", UtcDateTime, nullable=False),
    Column("woken_at", UtcDateTime),
    Index("batch_requests_ready", "state", "ready_at"),
    Index("batch_requests_batch", "batch_id"),
    Index("batch_requests_run", "run_id"),
)

batches = Table(
    "batches",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("deployment", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("provider_id", String(255)),
    Column("requests", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("error", AnyText),
    Index("batches_next", "state", "next_at"),
)
