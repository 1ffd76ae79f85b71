"""What callers have open of requests that last: streams, and answers that are waited for."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from proctor.access import Principal
from proctor.core import RateLimited

SOON = 5.0
"""Seconds after which one may be over."""


class Waits:
    """Those of one process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[tuple[str, str, str]] = Counter()

    @contextmanager
    def one(self, principal: Principal) -> Iterator[None]:
        """A block for which a caller has one more open; who is on this machine may have any number.

        Raises:
            RateLimited: they have too many.
        """
        if principal.kind == "local":
            yield
            return
        who = (principal.kind, principal.tenant or "", principal.name)
        if self._open[who] >= self._most:
            raise RateLimited(
                f"{self._most} streams and waits are open already",
                retry_after=SOON,
                hint="`waits_at_once` under [access] says how many there may be.",
            )
        self._open[who] += 1
        try:
            yield
        finally:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]
