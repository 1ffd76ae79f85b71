"""Erasure: everything on a subject goes, page by page, but for what the law demands to be kept."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Literal, TypeAlias

from sqlalchemy import ColumnElement, Connection, and_, func, select, true, update

from proctor import approvals, audit
from proctor.core import Clock, Conflict, DatabaseInUse, Kept, RetentionSettings, to_its_end
from proctor.privacy import _clear, _consents, _holds, _reach, _tombstones
from proctor.privacy._errors import StillRunning
from proctor.privacy._reach import Reached, Whose
from proctor.privacy._scrub import overwrite_deleted, scrub
from proctor.privacy._values import Left, Subject, Tombstone
from proctor.runs import runs
from proctor.store import Database

PAGE = 50
"""Runs in one transaction: others' records wait for it."""
STOPPING = 30.0
"""Seconds that runs have to stop."""
LOOK = 0.2
BOOKING = timedelta(minutes=10)
"""What a worker needs at most to book an answer that a batch brought."""

Cancel = Callable[[str], Awaitable[object]]
Scrubbed: TypeAlias = Literal["now", "later"]
"""When the database's files are written anew: others wait with what they write meanwhile."""
Told = Callable[[int, int], None]
"""Hears how many runs were gone through, and how many there are."""


def untold(_done: int, _all: int) -> None:
    """For who doesn't listen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What an erasure would come to."""

    runs: int
    going_on: int
    """Runs that it would cancel."""
    counts: dict[str, int]
    """Rows of each table."""
    kept: dict[str, Left]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What came of an erasure."""

    tombstone: Tombstone
    files_are_clean: bool
    """Whether the database's files hold nothing of what was deleted: see `scrub`."""


@dataclass(slots=True, kw_only=True)
class _Keeping:
    """What is kept for now, gathered over the pages."""

    rows: Counter[str] = field(default_factory=Counter)
    until: dict[str, datetime] = field(default_factory=dict)
    first: datetime | None = None
    """When the first of it may go."""

    def note(self, kept: str, rows: int, until: datetime) -> None:
        self.rows[kept] += rows
        self.until[kept] = max(until, self.until.get(kept, until))
        self.first = until if self.first is None else min(self.first, until)

    def join(self, other: "_Keeping") -> None:
        for name, rows in other.rows.items():
            self.note(name, rows, other.until[name])
        self.first = min(filter(None, (self.first, other.first)), default=None)

    def left(self) -> dict[str, Left]:
        return {name: Left(rows=rows, until=self.until[name]) for name, rows in self.rows.items()}


class _Undone(Exception):
    """Takes a survey's changes back."""


class Eraser:
    """Erases subjects from one database."""

    def __init__(
        self, database: Database, retention: RetentionSettings, *, clock: Clock, cancel: Cancel
    ) -> None:
        self._database = database
        self._retention = retention
        self._clock = clock
        self._cancel = cancel

    async def erase(
        self, whose: Whose, *, by: str, told: Told = untold, scrubbed: Scrubbed = "now"
    ) -> Erasure:
        """Erases all that is held on a subject but what must be kept.

        Raises:
            OnHold: a hold keeps something of it; nothing was erased.
            StillRunning: a run of the subject doesn't stop; nothing was erased.
        """
        await self._database.read(lambda connection: self._refuse_held(connection, whose))
        await self._stop(whose)
        begun = self._clock.now()

        def begin(connection: Connection) -> Tombstone:
            stone = _tombstones.begin(connection, whose, by=by, at=begun)
            audit.append(
                connection,
                at=begun,
                actor=by,
                action="subject.erased",
                thing=whose.mark,
                tenant=whose.tenant,
                data={"tombstone": stone.id},
            )
            return stone

        stone = await self._database.commit(begin)
        return await self._go_through(whose, stone, told, scrubbed)

    async def go_on(self, stone: Tombstone) -> Erasure:
        """Erases as well what had to be kept, and of which the time is over.

        Raises:
            OnHold: a hold keeps it.
        """
        whose = Whose(tenant=stone.tenant, name="", mark=stone.mark)
        return await self._go_through(whose, stone, untold, "later")

    async def survey(self, whose: Whose) -> Survey:
        """What an erasure would come to now. It is tried in a transaction that is taken back.

        Raises:
            OnHold: a hold keeps something of it.
        """
        found: list[Survey] = []

        def attempt(connection: Connection) -> None:
            self._refuse_held(connection, whose)
            keeping, counts = _Keeping(), Counter[str]()
            which = _reach.quoted(whose)
            going_on = len(_reach.going_on(connection, which))
            total = connection.scalar(select(func.count()).select_from(runs).where(which)) or 0
            at = self._clock.now()
            ended = update(runs).where(which, runs.c.finished_at.is_(None))
            connection.execute(ended.values(state="cancelled", finished_at=at))
            after = ""
            while page := _reach.page(connection, which, after=after, limit=PAGE):
                counts += self._clear_page(connection, whose, page, keeping)
                after = page[-1].id
            counts += self._clear_rest(connection, whose, keeping)
            found.append(Survey(runs=total, going_on=going_on, counts=dict(counts), kept=keeping.left()))
            raise _Undone

        try:
            await self._database.commit(attempt)
        except _Undone:
            return found[-1]
        raise AssertionError("a survey changes nothing")

    async def stop(self, run_id: str) -> None:
        """Asks a run to stop, unless it has ended meanwhile."""
        with suppress(Conflict):
            await self._cancel(run_id)

    async def _stop(self, whose: Whose) -> None:
        """Cancels what goes on, and waits for its end. Where nobody executes runs, it ends at once."""
        which = _reach.quoted(whose)
        waited = 0.0
        asked: set[str] = set()
        while states := await self._database.read(lambda connection: _reach.going_on(connection, which)):
            for run_id in states.keys() - asked:
                asked.add(run_id)
                await self.stop(run_id)
            running = [run_id for run_id, state in states.items() if state == "running"]
            if running and await self._alone(running):
                continue
            if waited >= STOPPING:
                raise StillRunning(
                    f"run {next(iter(states))} was asked to stop, and goes on",
                    hint="Nothing was erased. Look at `proctor workers list`, and erase again.",
                )
            await self._clock.sleep(LOOK)
            waited += LOOK

    async def _alone(self, running: Sequence[str]) -> bool:
        """Whether these runs are ended, because nobody executes runs at all."""
        lock = self._database.lock()
        try:
            await to_its_end(asyncio.to_thread(lock.acquire))
            at = self._clock.now()
            lost = update(runs).where(runs.c.id.in_(running), runs.c.state == "running")
            ended = lost.values(state="cancelled", finished_at=at)

            def end(connection: Connection) -> None:
                connection.execute(ended)
                for run_id in running:
                    approvals.cancel_pending(connection, run_id)

            await self._database.commit(end)
        except DatabaseInUse:
            return False
        finally:
            lock.release()
        return True

    def _refuse_held(self, connection: Connection, whose: Whose) -> None:
        which = _reach.quoted(whose)
        held = connection.scalars(select(runs.c.id).where(which, _holds.held()).limit(PAGE)).all()
        others = connection.scalars(select(runs.c.subject).where(runs.c.id.in_(held)).distinct()).all()
        names = {*whose.names, *filter(None, others)}
        _holds.refuse_held(connection, tenant=whose.tenant, names=names, ids=held)

    async def _go_through(self, whose: Whose, stone: Tombstone, told: Told, scrubbed: Scrubbed) -> Erasure:
        which, keeping = _reach.quoted(whose), _Keeping()
        total = await self._database.read(
            lambda connection: connection.scalar(select(func.count()).select_from(runs).where(which)) or 0
        )
        after, done = "", 0
        erase = partial(self._erase_page, whose=whose, stone=stone.id)
        while True:
            page, kept = await self._database.commit(partial(erase, after=after))
            if not page:
                break
            keeping.join(kept)
            after, done = page[-1].id, done + len(page)
            told(done, total)
        keeping.join(await self._database.commit(partial(self._erase_rest, whose=whose, stone=stone.id)))
        clean = scrubbed == "now" and await asyncio.to_thread(scrub, self._database.engine)
        end = partial(_tombstones.end, id=stone.id, kept=keeping.left(), due_at=keeping.first)
        ended = await self._database.commit(partial(end, at=self._clock.now()))
        return Erasure(tombstone=ended, files_are_clean=clean)

    def _erase_page(
        self, connection: Connection, *, whose: Whose, stone: str, after: str
    ) -> tuple[Sequence[Reached], _Keeping]:
        overwrite_deleted(connection)
        self._refuse_held(connection, whose)
        keeping = _Keeping()
        ended = and_(_reach.quoted(whose), runs.c.finished_at.is_not(None))
        page = _reach.page(connection, ended, after=after, limit=PAGE)
        if page:
            _tombstones.count(connection, stone, self._clear_page(connection, whose, page, keeping))
        return page, keeping

    def _erase_rest(self, connection: Connection, *, whose: Whose, stone: str) -> _Keeping:
        overwrite_deleted(connection)
        keeping = _Keeping()
        _tombstones.count(connection, stone, self._clear_rest(connection, whose, keeping))
        return keeping

    def _clear_page(
        self, connection: Connection, whose: Whose, page: Sequence[Reached], keeping: _Keeping
    ) -> Counter[str]:
        at = self._clock.now()
        counts: Counter[str] = Counter()
        for kept in _clear.OF_RUNS:
            free = self._free(kept, page, keeping, connection, at)
            counts += _clear.clear(connection, free, kept, at=at)
        ids = [run.id for run in page]
        if rows := _clear.unbooked(connection, ids):
            keeping.note("journal", rows, at + BOOKING)
        counts += _clear.clear_subject(connection, whose, ids)
        _clear.rename(connection, dict.fromkeys(ids, whose.mark), at=at)
        return counts

    def _free(
        self,
        kept: Kept,
        page: Sequence[Reached],
        keeping: _Keeping,
        connection: Connection,
        at: datetime,
    ) -> list[str]:
        """The runs of which a class may go; the others are noted where they have something of it."""
        floor = self._retention.rule(kept).floor
        if floor is None:
            return [run.id for run in page]
        young = {run.id: run.ended_at + floor for run in page if run.ended_at and run.ended_at + floor > at}
        query = select(runs.c.id).where(runs.c.id.in_(young), _clear.remains(kept))
        for run_id in connection.scalars(query):
            keeping.note(kept, 1, young[run_id])
        return [run.id for run in page if run.id not in young]

    def _clear_rest(self, connection: Connection, whose: Whose, keeping: _Keeping) -> Counter[str]:
        overwrite_deleted(connection)
        at = self._clock.now()
        floor = self._retention.knowledge.floor
        sources = _clear.table("knowledge_sources").c
        old: ColumnElement[bool] = true()
        if floor is not None:
            old = sources.updated <= at - floor
            query = select(func.count(), func.max(sources.updated)).where(_clear.of_documents(whose), ~old)
            rows, newest = connection.execute(query).one()
            if rows:
                keeping.note("knowledge", rows, newest + floor)
        counts = _clear.clear_rest(connection, whose, at, old)
        if whose.name:
            connection.execute(
                update(_clear.table("knowledge_sources"))
                .where(_clear.of_documents(whose))
                .values(subject=whose.mark)
            )
            subject = Subject(name=whose.name, tenant=whose.tenant)
            counts["consents"] += _consents.rename(connection, subject, whose.mark)
            counts["privacy_holds"] += _holds.rename(connection, subject, whose.mark)
        return +counts
