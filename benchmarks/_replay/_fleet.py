"""The workers of a benchmark: always so many, since each that ends is replaced."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable

from benchmarks._replay._life import Life
from benchmarks._replay._worker import Work

ENOUGH = 3
"""Workers that broke by themselves, after which no further one is started."""
LOOK = 0.01
"""Seconds between two looks at what no signal tells of."""
AT_IT = 2.0
"""Seconds within which a store that lives has done what it was asked for, also where it pauses."""
LONGEST_DRAIN = 20.0
"""Seconds after which a worker that was asked to end is killed."""


class Fleet:
    """Workers, each with one life after the other."""

    def __init__(self, size: int, work: Callable[[], Work]) -> None:
        self._size = size
        self._work = work
        self._lives: list[Life] = []
        self._answered = 0
        self._closing = False
        self.broke: list[str] = []
        """Workers that ended in another way than by a strike or at the end of their work."""
        self.faults: Counter[str] = Counter()
        """Faults of the provider, by kind."""

    @property
    def answered(self) -> int:
        """Model calls that ended, in all lives."""
        return self._answered + sum(life.answered for life in self._lives)

    @property
    def active(self) -> list[Life]:
        """Workers that work at this moment, the youngest first."""
        return [life for life in reversed(self._lives) if life.active]

    async def work(self) -> None:
        """Returns when a worker of each place has ended by itself, or the fleet is closed."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._size):
                group.create_task(self._hold_a_place())

    async def settled(self) -> None:
        """Returns when no store is still at a call whose run was taken from its worker.

        The worker may live: frozen, about to end, or only thought to be dead.
        """
        await asyncio.sleep(AT_IT)
        while any(life.over.is_set() for life in self._lives):  # noqa: ASYNC110 - as of the stores themselves
            await asyncio.sleep(LOOK)

    async def close(self) -> None:
        """Asks every worker to end."""
        self._closing = True
        for life in self._lives:
            life.thaw()
        await asyncio.gather(*(self.drain(life) for life in self._lives if life.active))

    async def drain(self, life: Life) -> float:
        """Seconds that a worker took to end after it was asked to."""
        try:
            async with asyncio.timeout(LONGEST_DRAIN):
                return await life.drain()
        except TimeoutError:
            self.broke.append(f"a worker did not end within {LONGEST_DRAIN:g} s of SIGTERM")
            life.kill(with_stores=False)
            return LONGEST_DRAIN

    async def end(self) -> None:
        """Returns when nothing is left of any worker."""
        for life in self._lives:
            if life.pid:
                life.kill(with_stores=True)
        await asyncio.gather(*(life.end() for life in self._lives if life.pid))
        self._lives.clear()

    async def _hold_a_place(self) -> None:
        while not self._closing and len(self.broke) < ENOUGH:
            life = Life(self._work())
            self._lives.append(life)
            await life.start()
            if self._closing:
                life.kill(with_stores=True)
            code = await life.end()
            self._lives.remove(life)
            self._answered += life.answered
            self.faults += life.faults
            if code == 0 and not life.drained:
                return
            # Who is asked to end while it starts has nothing yet that could heed it.
            if code not in (0, -signal.SIGKILL) and not (life.drained and code == -signal.SIGTERM):
                self.broke.append(f"a worker ended with code {code}")
