"""Those in this process who are told of a run: when its log grows, and of its tokens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from proctor.core import Token

Listener: TypeAlias = Callable[[Token | None], None]
"""Takes a token, or the news that something else has happened."""


class Watchers:
    """All of them, by run."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}

    @contextmanager
    def telling(self, run_id: str, listener: Listener) -> Iterator[None]:
        """Tells a listener of a run, while it is needed."""
        self._listeners.setdefault(run_id, []).append(listener)
        try:
            yield
        finally:
            self._listeners[run_id].remove(listener)
            if not self._listeners[run_id]:
                del self._listeners[run_id]

    def wake(self, run_id: str) -> None:
        """Tells that something has happened to a run."""
        for tell in self._listeners.get(run_id, ()):
            tell(None)

    def publish(self, token: Token) -> None:
        """Hands a token to those who follow its run."""
        for tell in self._listeners.get(token.run_id, ()):
            tell(token)
