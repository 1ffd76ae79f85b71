"""Those in this process who follow a run: woken when its log grows, and handed its tokens."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from proctor.core import Token


class Listener(Protocol):
    """One that is told of a run."""

    def put(self, news: Token | None) -> None:
        """Takes a token, or the news that something else has happened."""


class Watch:
    """One that follows a run."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Token | None] = asyncio.Queue()

    def put(self, news: Token | None) -> None:
        """Hands over a token, or the news that something else has happened."""
        self._queue.put_nowait(news)

    def take(self) -> tuple[list[Token], bool]:
        """The tokens that came so far, and whether something else has happened since."""
        taken = [self._queue.get_nowait() for _ in range(self._queue.qsize())]
        return [item for item in taken if item is not None], None in taken

    async def tokens(self, within: float) -> AsyncIterator[Token]:
        """Tokens until something else happens, or none comes for so many seconds."""
        while True:
            try:
                async with asyncio.timeout(within):
                    item = await self._queue.get()
            except TimeoutError:
                return
            if item is None:
                return
            yield item

    async def news(self, within: float) -> None:
        """Returns when something happens, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._queue.get()


class Watchers:
    """All watches of this process, by run."""

    def __init__(self) -> None:
        self._watches: dict[str, list[Listener]] = {}

    @contextmanager
    def of(self, run_id: str) -> Iterator[Watch]:
        """A watch of a run, while it is needed."""
        watch = Watch()
        with self.telling(run_id, watch):
            yield watch

    @contextmanager
    def telling(self, run_id: str, listener: Listener) -> Iterator[None]:
        """Tells a listener of a run, while it is needed."""
        self._watches.setdefault(run_id, []).append(listener)
        try:
            yield
        finally:
            self._watches[run_id].remove(listener)
            if not self._watches[run_id]:
                del self._watches[run_id]

    def wake(self, run_id: str) -> None:
        """Tells that something has happened to a run."""
        for watch in self._watches.get(run_id, ()):
            watch.put(None)

    def publish(self, token: Token) -> None:
        """Hands a token to those who follow its run."""
        for watch in self._watches.get(token.run_id, ()):
            watch.put(token)
