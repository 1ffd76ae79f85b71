"""A clock that stands still until it is told to go."""

import asyncio
from datetime import UTC, datetime, timedelta


class FakeClock:
    """A settable clock. Sleeping takes no real time: it moves the clock and lets other tasks run once."""

    def __init__(self, now: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.instant = now
        """The present; assign to it to set the clock."""
        self.slept: list[float] = []
        """The seconds of every sleep, in order."""

    def now(self) -> datetime:
        """The present instant."""
        return self.instant

    async def sleep(self, seconds: float) -> None:
        """Moves the clock on."""
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Moves the clock on without waiting."""
        self.instant += timedelta(seconds=seconds)
