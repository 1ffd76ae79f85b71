"""The arithmetic of a rate: a bucket that fills steadily, and that many processes draw from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

WINDOW_SECONDS = 60.0
HOLD_SECONDS = 1.0
"""For how long a process may use what it has taken: by so much a request may be later than it is counted."""
BURST_SHARE = 10
"""The part of a minute's rate, as a divisor, that may be used at once."""

Measure: TypeAlias = Literal["requests", "tokens"]
Amounts: TypeAlias = Mapping[Measure, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What is left of one rate, told by the seconds until the bucket would be full again: 0 is full.

    It fills so that no 60 s see more than the limit: a full bucket, and what flows in within the 60 s and
    the second that a request may be late, are the limit together. (The generic cell rate algorithm, ITU-T
    I.371, with the burst taken off the rate.)
    """

    limit: int
    """For a minute."""

    @property
    def burst(self) -> int:
        """What a full bucket holds."""
        return max(1, self.limit // BURST_SHARE)

    @property
    def interval(self) -> float:
        """Seconds in which one more flows in."""
        return (WINDOW_SECONDS + HOLD_SECONDS) / (self.limit - self.burst + 1)

    def wait(self, until_full: float, amount: int) -> float:
        """Seconds until an amount may be drawn: one that no bucket holds from a full one, on credit."""
        return max(0.0, until_full - (self.burst - min(amount, self.burst)) * self.interval)

    def after(self, until_full: float, amount: int, *, wait: float) -> float:
        """Seconds until the bucket is full again, when an amount is drawn after a wait."""
        return max(until_full, wait) + amount * self.interval

    def left(self, until_full: float) -> int:
        """What may be drawn at once."""
        return max(0, int(self.burst - until_full / self.interval))

    def corrected(self, until_full: float, back: int) -> float:
        """Seconds until it is full again, when an amount flows back that was drawn and not used.

        More than twice a minute's rate is never owed: that tells of a clock that was set back.
        """
        most = 2 * self.limit * self.interval
        return min(most, max(0.0, max(0.0, until_full) - back * self.interval))
