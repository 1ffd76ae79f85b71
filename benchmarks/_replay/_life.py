"""One life of a worker: a process that says where it stands, until it is struck or has done its work."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing import Pipe, get_context

import psutil

from benchmarks._replay import _worker
from benchmarks._replay._worker import ANSWERED, ASKED, FAULTS, Work

_STORE_ENDS = 20.0
"""Seconds in which a store must have ended whose client is dead."""

_forks = get_context("forkserver")
_forks.set_forkserver_preload(["benchmarks._replay._worker", "mcp.client", "temporalio.worker"])


class Life:
    """A worker process. Of what it did only the database, the shops and its marks outlive it."""

    def __init__(self, work: Work) -> None:
        self._marks, self._far_end = Pipe(duplex=False)
        self._process = _forks.Process(target=_worker.main, args=(work, self._far_end), daemon=True)
        self._stores: set[psutil.Process] = set()
        self.pid = 0
        self.over = asyncio.Event()
        """Set when the process is dead."""
        self.drained = False
        """Whether it was asked to end."""
        self.frozen = False
        self.asked = 0
        """Model calls that began."""
        self.answered = 0
        """Model calls that ended."""
        self.faults: Counter[str] = Counter()
        """Faults of the provider, by kind."""

    @property
    def active(self) -> bool:
        """Whether it works: is neither dead nor frozen nor about to end."""
        return self.pid != 0 and not (self.over.is_set() or self.frozen or self.drained)

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
        assert self._process.pid is not None
        self.pid = self._process.pid

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

    async def drain(self) -> float:
        """Seconds that the worker took to end after SIGTERM."""
        self.drained = True
        self._note_stores()
        began = time.monotonic()
        self._signal(signal.SIGTERM)
        await self.over.wait()
        return time.monotonic() - began

    def freeze(self) -> None:
        """Lets the process stand still, as a machine that is out of memory, or moved, does."""
        self.frozen = True
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets the process go on."""
        self._signal(signal.SIGCONT)
        self.frozen = False

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

    def _signal(self, sign: signal.Signals) -> None:
        if self.pid and not self.over.is_set():
            with suppress(ProcessLookupError):
                os.kill(self.pid, sign)

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
        self.faults.update({fault: marks.count(mark) for fault, mark in FAULTS.items()})


def _kill(stores: Iterable[psutil.Process]) -> None:
    for store in stores:
        with suppress(psutil.NoSuchProcess):
            store.kill()


def _alive(store: psutil.Process) -> bool:
    """Whether it can still act; a dead one that nobody has buried can't."""
    with suppress(psutil.NoSuchProcess):
        return bool(store.is_running() and store.status() != psutil.STATUS_ZOMBIE)
    return False
