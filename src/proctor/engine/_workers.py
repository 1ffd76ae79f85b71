"""Workers: the processes that execute runs, as each of them says of itself."""

import asyncio
import os
import socket
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import timedelta

from sqlalchemy import Connection

from proctor.core import Clock, DatabaseUnavailable
from proctor.engine import _sql
from proctor.engine._values import Worker
from proctor.store import Database

BEAT = timedelta(seconds=5)
"""How often a worker says that it is there."""

KEPT = timedelta(days=1)
"""How long a dead worker is kept."""

PATIENCE = 0.5
"""Seconds that a worker's end waits for the database."""


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
        self.id = id
        self._engine = engine
        self._teams = teams
        self._running = running
        self._stopping = False

    async def beat(self) -> None:
        """Says that this process is there."""
        at = self._clock.now()
        myself = Worker(
            id=self.id,
            host=socket.gethostname(),
            pid=os.getpid(),
            engine=self._engine,
            teams=tuple(sorted(self._teams)),
            running=self._running(),
            stopping=self._stopping,
            started_at=at,
            seen_at=at,
        )

        def say(connection: Connection) -> None:
            if not _sql.seen(connection, myself):
                _sql.remove_silent(connection, at - KEPT)
                _sql.add(connection, myself)

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
        with suppress(TimeoutError, DatabaseUnavailable):
            async with asyncio.timeout(PATIENCE):
                await self._database.commit(lambda connection: _sql.remove(connection, self.id))

    async def page(self) -> tuple[Worker, ...]:
        """All workers that were seen within a day, those seen last first."""
        since = self._clock.now() - KEPT
        return await self._database.read(lambda connection: _sql.page(connection, since))
