"""Workers: the processes that execute runs, as each of them says of itself."""

import asyncio
import json
import os
import socket
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from proctor.core import Clock, DatabaseUnavailable, canonical_json
from proctor.runs._tables import workers
from proctor.store import Database

BEAT = timedelta(seconds=5)
"""How often a worker says that it is there."""

ALIVE = timedelta(seconds=15)
"""Who has said nothing for so long is dead, or cut off."""

KEPT = timedelta(days=1)
"""How long a dead worker is kept."""

PATIENCE = 0.5
"""Seconds that a worker's end waits for the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process that executes runs, or did so until lately."""

    id: str
    """As its runs name it."""
    host: str
    pid: int
    engine: str
    teams: tuple[str, ...]
    running: int
    """Runs that it executes."""
    stopping: bool
    """Whether it is ending its runs at their next calls, and takes up no more."""
    started_at: datetime
    seen_at: datetime

    def alive(self, at: datetime) -> bool:
        """Whether it has said that it is there, lately as seen from an instant."""
        return at - self.seen_at < ALIVE


class Workers:
    """The workers of one database, and what this process says of itself."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        id: str,
        engine: str,
        teams: Collection[str],
        running: Callable[[], int],
    ) -> None:
        self._database = database
        self._clock = clock
        self._id = id
        self._engine = engine
        self._teams = teams
        self._running = running
        self._stopping = False

    async def beat(self) -> None:
        """Says that this process is there."""
        at, running, stopping = self._clock.now(), self._running(), self._stopping

        def say(connection: Connection) -> None:
            mine = update(workers).where(workers.c.id == self._id)
            seen = connection.execute(mine.values(seen_at=at, running=running, stopping=stopping))
            if seen.rowcount == 0:
                connection.execute(delete(workers).where(workers.c.seen_at < at - KEPT))
                connection.execute(
                    insert(workers).values(
                        id=self._id,
                        host=socket.gethostname(),
                        pid=os.getpid(),
                        engine=self._engine,
                        teams=canonical_json(sorted(self._teams)),
                        running=running,
                        stopping=stopping,
                        started_at=at,
                        seen_at=at,
                    )
                )

        await self._database.commit(say)

    async def stop(self) -> None:
        """Says that this process takes up nothing more."""
        self._stopping = True
        # A database that is away must not hold up the end: then the others miss the signs of life.
        with suppress(TimeoutError, DatabaseUnavailable):
            async with asyncio.timeout(PATIENCE):
                await self.beat()

    async def leave(self) -> None:
        """Says that this process is no worker any more."""
        self._stopping = False

        def forget(connection: Connection) -> None:
            connection.execute(delete(workers).where(workers.c.id == self._id))

        with suppress(TimeoutError, DatabaseUnavailable):
            async with asyncio.timeout(PATIENCE):
                await self._database.commit(forget)

    async def page(self) -> tuple[Worker, ...]:
        """All workers that were seen within a day, those seen last first."""
        since = self._clock.now() - KEPT

        def query(connection: Connection) -> tuple[Worker, ...]:
            rows = connection.execute(
                select(workers).where(workers.c.seen_at >= since).order_by(workers.c.seen_at.desc())
            )
            return tuple(
                Worker(
                    id=row.id,
                    host=row.host,
                    pid=row.pid,
                    engine=row.engine,
                    teams=tuple(json.loads(row.teams)),
                    running=row.running,
                    stopping=row.stopping,
                    started_at=row.started_at,
                    seen_at=row.seen_at,
                )
                for row in rows
            )

        return await self._database.read(query)
