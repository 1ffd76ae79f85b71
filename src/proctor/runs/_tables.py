"""The tables of runs, of their journal, and of the conversations that they belong to."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    desc,
    false,
    text,
)

from proctor.store import AnyText, UtcDateTime, metadata

MEASURED = text(
    "type IN ('run.started', 'run.rescheduled', 'run.failed', 'loop.detected', 'agent.failed', "
    "'model.called', 'tool.called', 'approval.requested', 'policy.verdict')"
)
"""Entries of the log that measures are taken from. It stands in the queries as it stands in the index, else
that isn't used."""

runs = Table(
    "runs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("team", String(64), nullable=False),
    Column("target", Text, nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("task", Text, nullable=False),
    Column("result", AnyText),
    Column("error_code", String(40)),
    Column("error", AnyText),
    Column("cost", BigInteger, nullable=False),
    Column("events", Integer, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("due_at", UtcDateTime),
    Column("handed_at", UtcDateTime),
    Column("taken_at", UtcDateTime),
    Column("worker", String(100)),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("requester", String(200), nullable=False, server_default=""),
    Column("simple", Boolean, nullable=False, server_default=false()),
    Column("thread_id", String(40)),
    Column("schedule_id", String(40)),
    Column("turn", Integer),
    Column("follows", String(40)),
    Column("pace", String(8), nullable=False, server_default="prompt"),
    Column("asks", Text, nullable=False, server_default=""),
    Column("subject", String(200), nullable=False, server_default=""),
    Column("purpose", String(64), nullable=False, server_default=""),
    Column("erased_at", UtcDateTime),
    Column("trace", String(64), nullable=False, server_default=""),
    Column("release", String(64), nullable=False, server_default=""),
    Index("runs_state", "state", "id"),
    Index("runs_queue", "state", desc("priority"), "id"),
    Index("runs_due", "state", "due_at"),
    Index("runs_thread", "thread_id", "state", "turn"),
    Index("runs_taken", "taken_at"),
    Index("runs_subject", "subject", "id"),
    Index("runs_finished", "finished_at"),
)

calls = Table(
    "calls",
    metadata,
    Column("run_id", String(40), primary_key=True),
    Column("agent", String(200), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("fingerprint", String(32), primary_key=True),
    Column("occurrence", Integer, primary_key=True),
    Column("position", Integer),
    Column("attempt", Integer, nullable=False),
    Column("request", AnyText, nullable=False),
    Column("outcome", AnyText),
    Column("cost", BigInteger, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("duration_ms", Float),
    Index("calls_position", "run_id", "position"),
)

events = Table(
    "events",
    metadata,
    Column("run_id", String(40), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("type", String(32), nullable=False),
    Column("agent", String(200), nullable=False),
    Column("data", AnyText, nullable=False),
    Index("events_measured", "at", sqlite_where=MEASURED, postgresql_where=MEASURED),
)

lost_attempts = Table(
    "lost_attempts",
    metadata,
    Column("run_id", String(40), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("worker", String(100), nullable=False),
    Index("lost_attempts_worker", "worker"),
)

blobs = Table(
    "blobs",
    metadata,
    Column("digest", String(32), primary_key=True),
    Column("body", AnyText, nullable=False),
)

threads = Table(
    "threads",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("team", String(64), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("turns", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("spoken_at", UtcDateTime),
)

thread_states = Table(
    "thread_states",
    metadata,
    Column("thread_id", String(40), primary_key=True),
    Column("run_id", String(40), primary_key=True),
    Column("turn", Integer, nullable=False),
    Column("state", AnyText, nullable=False),
    Column("subject", String(200), nullable=False, server_default=""),
    Column("purpose", String(64), nullable=False, server_default=""),
)

repeats = Table(
    "repeats",
    metadata,
    Column("caller", String(300), primary_key=True),
    Column("route", String(100), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("digest", String(32), nullable=False),
    Column("thing", String(40), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("repeats_at", "at"),
)
