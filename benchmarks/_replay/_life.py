"""One life of a worker: a process that says where it stands, until it is killed or has done its work."""

import asyncio
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing import Pipe, get_context

import psutil

from benchmarks._replay import _worker
from benchmarks._replay._worker import ANSWERED, ASKED, RESUMED, Work

_STORE_ENDS = 20.0
"""Seconds in which a store must have ended whose client is dead."""

_forks = get_context("forkserver")
_forks.set_forkserver_preload(["benchmarks._replay._worker", "mcp.client"])


class Life:
    """A worker process. Of what it did only the database, the shops and its marks outlive it."""

    def __init__(self, work: Work) -> None:
        self._marks, self._far_end = Pipe(duplex=False)
        self._process = _forks.Process(target=_worker.main, args=(work, self._far_end), daemon=True)
        self._stores: set[psutil.Process] = set()
        self._news = asyncio.Event()
        self.over = asyncio.Event()
        """Set when the process is dead."""
        self.asked = 0
        """Model calls that began."""
        self.answered = 0
        """Model calls that ended."""
        self.resumed = 0
        """Failed runs that were resumed."""

    @property
    def thinks(self) -> bool:
        """Whether the worker is within a model call."""
        return self.asked > self.answered

    async def start(self) -> None:
        """Returns when the process runs."""
        await asyncio.to_thread(self._process.start)
        self._far_end.close()
        os.set_blocking(self._marks.fileno(), False)
        asyncio.get_running_loop().add_reader(self._marks.fileno(), self._read)

    async def until(self, reached: Callable[[], bool]) -> None:
        """Returns when the worker's marks say so, or when it is dead."""
        while not self.over.is_set() and not reached():
            self._news.clear()
            await self._news.wait()

    def kill(self, *, with_stores: bool) -> None:
        """Ends the worker with SIGKILL; its stores too, where the whole machine is meant to be lost."""
        self._note_stores()
        self._process.kill()
        if with_stores:
            _kill(self._stores)

    def kill_stores(self) -> bool:
        """Whether there were stores to end with SIGKILL; the worker lives on."""
        self._note_stores()
        alive = [store for store in self._stores if _alive(store)]
        _kill(alive)
        return bool(alive)

    async def end(self) -> int:
        """The exit code, when nothing is left of the worker.

        A store may still write when its client is dead, and nobody could tell then what it did.
        """
        await self.over.wait()
        await asyncio.to_thread(self._process.join)
        async with asyncio.timeout(_STORE_ENDS):
            while any(map(_alive, self._stores)):  # noqa: ASYNC110 - the system tells a parent alone
                await asyncio.sleep(0.01)
        code = self._process.exitcode
        self._process.close()
        self._marks.close()
        assert code is not None
        return code

    def _note_stores(self) -> None:
        with suppress(psutil.NoSuchProcess):
            self._stores.update(psutil.Process(self._process.pid).children())

    def _read(self) -> None:
        marks = os.read(self._marks.fileno(), 65536)
        if not marks:
            asyncio.get_running_loop().remove_reader(self._marks.fileno())
            self.over.set()
        self.asked += marks.count(ASKED)
        self.answered += marks.count(ANSWERED)
        self.resumed += marks.count(RESUMED)
        self._news.set()


def _kill(stores: Iterable[psutil.Process]) -> None:
    for store in stores:
        with suppress(psutil.NoSuchProcess):
            store.kill()


def _alive(store: psutil.Process) -> bool:
    """Whether it can still act; a dead one that nobody has buried can't."""
    with suppress(psutil.NoSuchProcess):
        return bool(store.is_running() and store.status() != psutil.STATUS_ZOMBIE)
    return False
