"""Retention: what is older than its class may be goes, a bounded part at a time."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, func, select, tuple_

from proctor.core import Clock, Kept, PrivacySettings
from proctor.privacy import _clear, _consents, _holds
from proctor.privacy._keys import mark_of
from proctor.privacy._scrub import overwrite_deleted
from proctor.privacy._values import ERASED
from proctor.runs import ENDED, runs, threads
from proctor.store import Database

PAGE = 100
"""Runs, answers, documents or records in one transaction: others' records wait for it."""
PAGES = 50
"""Transactions of one class at a time; the rest comes the next time."""

BY_RUN: tuple[Kept, ...] = ("runs", "journal", "events", "approvals")


class Retention:
    """Deletes what is too old, of one database."""

    def __init__(self, database: Database, settings: PrivacySettings, *, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock

    async def work(self, key: Callable[[], Awaitable[bytes]]) -> int:
        """How many runs, conversations, answers, documents and records were too old. `key` makes marks.

        What is held is left. The files are not written anew: SQLite overwrites what it deletes, and keeps it
        in its log until that is used again.
        """
        at = self._clock.now()
        found = 0
        marks = await key() if self._settings.retention.runs.ceiling else b""
        for kept in BY_RUN:
            found += await self._each(kept, partial(_runs_page, kept=kept, key=marks), at)
        found += await self._each("memory", _memory_page, at)
        found += await self._each("caches", _caches_page, at)
        found += await self._each("knowledge", _documents_page, at)
        return found + await self._consents(at)

    async def _each(self, kept: Kept, page: Callable[..., int], at: datetime) -> int:
        ceiling = self._settings.retention.rule(kept).ceiling
        found = 0
        if ceiling is not None:
            for _ in range(PAGES):
                done = await self._database.commit(partial(page, before=at - ceiling, at=at))
                found += done
                if done < PAGE:
                    break
        return found

    async def _consents(self, at: datetime) -> int:
        ceiling = self._settings.retention.consents.ceiling
        found, after = 0, 0
        if ceiling is None:
            return 0

        def page(connection: Connection) -> tuple[int, int | None]:
            overwrite_deleted(connection)
            held = _holds.held_subjects(connection)
            before = at - ceiling
            return _consents.prune(connection, before, self._settings.purposes, held, after=after, limit=PAGE)

        for _ in range(PAGES):
            gone, last = await self._database.commit(page)
            found += gone
            if last is None:
                break
            after = last
        return found


def too_old(connection: Connection, settings: PrivacySettings, at: datetime) -> dict[Kept, int]:
    """How many runs, conversations, answers and documents were older at an instant than they may be."""
    of: dict[Kept, tuple[Table, Callable[[Connection, datetime], list[ColumnElement[bool]]]]] = {
        **{kept: (runs, partial(_old_runs, kept=kept)) for kept in BY_RUN},
        "memory": (threads, _old_memory),
        "caches": (_clear.table("cached_answers"), _old_answers),
        "knowledge": (_clear.table("knowledge_sources"), _old_documents),
    }
    found: dict[Kept, int] = {}
    for kept, (table, old) in of.items():
        ceiling = settings.retention.rule(kept).ceiling
        if ceiling is not None:
            query = select(func.count()).select_from(table).where(*old(connection, at - ceiling))
            found[kept] = connection.scalar(query) or 0
    return found


def _old_runs(_connection: Connection, before: datetime, *, kept: Kept) -> list[ColumnElement[bool]]:
    return [runs.c.finished_at < before, _clear.remains(kept), ~_holds.held()]


def _old_memory(_connection: Connection, before: datetime) -> list[ColumnElement[bool]]:
    mine = runs.c.thread_id == threads.c.id
    return [
        threads.c.spoken_at < before,
        exists().where(_clear.table("thread_states").c.thread_id == threads.c.id),
        ~exists().where(mine, runs.c.state.not_in(ENDED)),
        ~exists().where(mine, _holds.held()),
    ]


def _old_answers(_connection: Connection, before: datetime) -> list[ColumnElement[bool]]:
    return [_clear.table("cached_answers").c.at < before]


def _old_documents(connection: Connection, before: datetime) -> list[ColumnElement[bool]]:
    sources = _clear.table("knowledge_sources")
    held = list(_holds.held_subjects(connection))
    old = [sources.c.updated < before, sources.c.subject != ""]
    if held:
        old.append(tuple_(sources.c.tenant, sources.c.subject).not_in(held))
    return old


def _runs_page(connection: Connection, *, kept: Kept, key: bytes, before: datetime, at: datetime) -> int:
    overwrite_deleted(connection)
    old = _old_runs(connection, before, kept=kept)
    query = select(runs.c.id, runs.c.tenant, runs.c.subject, runs.c.requester).where(*old)
    rows = connection.execute(query.order_by(runs.c.id).limit(PAGE)).all()
    _clear.clear(connection, [row.id for row in rows], kept, at=at)
    if kept == "runs":
        named = ((row.id, row.tenant, row.subject or row.requester) for row in rows)
        marks = {
            id: name if not name or name.startswith(ERASED) else mark_of(key, tenant, name)
            for id, tenant, name in named
        }
        _clear.rename(connection, marks, at=at)
    return len(rows)


def _memory_page(connection: Connection, *, before: datetime, at: datetime) -> int:  # noqa: ARG001 - as the others
    overwrite_deleted(connection)
    query = select(threads.c.id).where(*_old_memory(connection, before))
    ids: Sequence[str] = connection.scalars(query.order_by(threads.c.id).limit(PAGE)).all()
    _clear.clear_threads(connection, ids)
    return len(ids)


def _caches_page(connection: Connection, *, before: datetime, at: datetime) -> int:  # noqa: ARG001 - as the others
    overwrite_deleted(connection)
    answers = _clear.table("cached_answers")
    page = select(answers.c.key).where(*_old_answers(connection, before)).limit(PAGE)
    return connection.execute(delete(answers).where(answers.c.key.in_(page))).rowcount


def _documents_page(connection: Connection, *, before: datetime, at: datetime) -> int:  # noqa: ARG001 - as the others
    overwrite_deleted(connection)
    sources = _clear.table("knowledge_sources")
    page = select(sources.c.id).where(*_old_documents(connection, before)).limit(PAGE)
    return connection.execute(delete(sources).where(sources.c.id.in_(page))).rowcount
