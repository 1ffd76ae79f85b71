"""The tables of runs and their journal, of schedules, and of the workers that execute runs."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text, false

from proctor.store import AnyText, UtcDateTime, metadata

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
    Index("runs_state", "state", "id"),
    Index("runs_queue", "state", "priority", "id"),
    Index("runs_thread", "thread_id", "id"),
    Index("runs_taken", "taken_at"),
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
    Column("kept_at", UtcDateTime, nullable=False),
)

schedules = Table(
    "schedules",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("team", String(64), nullable=False),
    Column("target", Text, nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("task", Text, nullable=False),
    Column("cron", String(200), nullable=False),
    Column("zone", String(64), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("requester", String(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime),
    Column("last_at", UtcDateTime),
    Column("last_run_id", String(40)),
    Index("schedules_next", "next_at"),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("engine", String(16), nullable=False),
    Column("teams", Text, nullable=False),
    Column("running", Integer, nullable=False),
    Column("stopping", Boolean, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)
