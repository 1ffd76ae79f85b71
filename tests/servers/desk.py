"""A small database of work that processes share, and what it means to execute a piece of it."""

import asyncio
import fcntl
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO

from proctor.core import DatabaseInUse, EngineSettings
from proctor.engine import Chore, Duties, EmbeddedEngine, Engine, TemporalEngine

TABLES = """
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS work (
    id TEXT PRIMARY KEY, state TEXT, worker TEXT, attempt INTEGER DEFAULT 0, handed REAL DEFAULT 0, taken REAL
);
CREATE TABLE IF NOT EXISTS begun (id TEXT, worker TEXT, at REAL);
"""
HANDED = 3600
STRAYED = 60


class FileLock:
    """The right to execute, as a file that is locked; several may share it."""

    def __init__(self, file: Path, *, shared: bool = False) -> None:
        self._path = file
        self._kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        file = self._path.open("w")
        try:
            fcntl.flock(file, self._kind | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise DatabaseInUse("another process executes") from None
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def held(self) -> bool:
        return self._file is not None


class Desk:
    """Work as one process sees it. An execution ends at once, or where it is held when it is told to."""

    def __init__(
        self,
        file: Path,
        worker: str,
        *,
        held: bool = False,
        breaks: Iterable[str] = (),
        ended: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        self.file = file
        self.worker = worker
        self.most = 0
        self.heeds = True
        """Whether executions come to a boundary when they are told to."""
        self.cancelled: list[str] = []
        self._held = held
        self._ended = ended
        self._breaks = set(breaks)
        self._segments: dict[str, asyncio.Future[str]] = {}
        self._database = sqlite3.connect(file, isolation_level=None, timeout=20)
        self._database.executescript(TABLES)

    def close(self) -> None:
        self._database.close()

    def add(self, *ids: str, state: str = "queued", handed: float = 0, taken: float = 0) -> None:
        rows = [(id, state, handed, taken) for id in ids]
        self._database.executemany("INSERT INTO work (id, state, handed, taken) VALUES (?, ?, ?, ?)", rows)

    def open(self, outcome: str = "done") -> None:
        """Lets what is held end, and nothing be held any more."""
        self._held = False
        self._tell(outcome)

    def suspend(self) -> None:
        if self.heeds:
            self._tell("queued")

    def begun(self) -> list[tuple[str, str]]:
        """Each execution that began, with who began it, in order."""
        return self._database.execute("SELECT id, worker FROM begun ORDER BY at").fetchall()

    def states(self) -> dict[str, str]:
        return dict(self._database.execute("SELECT id, state FROM work").fetchall())

    def duties(self, *chores: Chore) -> Duties[str, str]:
        return Duties(
            due=self._due,
            recover=self._recover,
            orphans=self._orphans,
            execute=self._execute,
            suspend=self.suspend,
            chores=chores,
        )

    def engine(self, settings: EngineSettings, *chores: Chore) -> Engine[str, str]:
        lock = FileLock(self.file.with_suffix(".lock"), shared=settings.kind == "temporal")
        if settings.kind == "temporal":
            return TemporalEngine(self.duties(*chores), settings, lock=lock)
        return EmbeddedEngine(self.duties(*chores), lock=lock, concurrency=settings.concurrency)

    def _tell(self, outcome: str) -> None:
        for segment in self._segments.values():
            if not segment.done():
                segment.set_result(outcome)

    async def _due(self, limit: int) -> Sequence[str]:
        now = time.time()
        rows = self._database.execute(
            "UPDATE work SET handed = ? WHERE id IN (SELECT id FROM work WHERE state = 'queued'"
            " AND handed < ? ORDER BY rowid LIMIT ?) RETURNING id",
            (now, now - HANDED, limit),
        )
        return [id for (id,) in rows.fetchall()]

    async def _recover(self) -> None:
        self._database.execute("UPDATE work SET state = 'queued', handed = 0 WHERE state = 'running'")

    async def _orphans(self) -> Sequence[str]:
        rows = self._database.execute(
            "SELECT id FROM work WHERE state = 'running' AND taken < ?", (time.time() - STRAYED,)
        )
        return [id for (id,) in rows.fetchall()]

    async def _execute(self, id: str) -> str:
        now = time.time()
        claim = "UPDATE work SET state = 'running', worker = ?, attempt = attempt + 1, taken = ?"
        claim += " WHERE id = ? AND state <> 'done' RETURNING attempt"
        claimed = self._database.execute(claim, (self.worker, now, id)).fetchall()
        if not claimed:
            return "nothing"
        self._database.execute("INSERT INTO begun VALUES (?, ?, ?)", (id, self.worker, now))
        if id in self._breaks:
            self._breaks.remove(id)
            raise ConnectionError(f"{id} broke")
        segment = self._segments[id] = asyncio.get_running_loop().create_future()
        self.most = max(self.most, len(self._segments))
        if not self._held:
            segment.set_result("done")
        try:
            outcome = await segment
        except asyncio.CancelledError:
            self.cancelled.append(id)
            raise
        finally:
            del self._segments[id]
        end = "UPDATE work SET state = ?, handed = 0 WHERE id = ? AND attempt = ?"
        self._database.execute(end, (outcome, id, claimed[0][0]))
        self._ended(id, outcome)
        return outcome
