"""That what was deleted isn't in the database's files any more, as far as a database can see to that."""

import time

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

PATIENCE = 10.0
"""Seconds that readers of old pages are waited for."""
PAUSE = 0.05

TOUCHED = (
    "runs",
    "calls",
    "events",
    "blobs",
    "thread_states",
    "approvals",
    "approval_votes",
    "standing_approvals",
    "batch_requests",
    "cached_answers",
    "knowledge_sources",
    "knowledge_chunks",
    "schedules",
    "ledger_entries",
    "consents",
    "vault",
    "privacy_keys",
)


def overwrite_deleted(connection: Connection) -> None:
    """Lets SQLite write zeros where this connection deletes."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


def scrub(engine: Engine) -> bool:
    """Whether the database's files hold nothing of what was deleted.

    SQLite: its full text is merged, so that its index forgets; the file is written anew and its log emptied.
    That takes as long as copying the file; others wait with what they write. Where a reader holds on to an
    old page for longer than the patience, what was deleted stands in the log until the next time.

    PostgreSQL: `VACUUM` makes the space free; the server overwrites it when it needs it. Its log, standbys
    and backups keep what they have until they are recycled. `VACUUM FULL`, which locks each table while it
    copies it, is left to the operator.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"VACUUM {', '.join(TOUCHED)}"))
            return False
        try:
            connection.exec_driver_sql("INSERT INTO knowledge_terms(knowledge_terms) VALUES ('optimize')")
            connection.exec_driver_sql("VACUUM")
        except OperationalError:  # others write for longer than is waited
            return False
        return _empty_log(connection)


def _empty_log(connection: Connection) -> bool:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
        except OperationalError:  # locked by another checkpoint
            busy = 1
        if not busy or time.monotonic() > end:
            return not busy
        time.sleep(PAUSE)
