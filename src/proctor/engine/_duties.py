"""What an engine is given: how to find what is due, how to have it executed, what else to see to.

The database is the truth and the queue; an engine only sees to it that what stands there is executed, by
somebody who is alive.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

Work = TypeVar("Work")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chore:
    """Something that is done again and again while an engine runs. It never overlaps itself."""

    name: str
    every: timedelta
    """The pause between the end of one time and the next."""
    work: Callable[[], Awaitable[None]]
    """Does it once. When it fails it is tried again after the same pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties(Generic[Work, Done]):
    """What an engine needs to know of the work that it has executed."""

    due: Callable[[int], Awaitable[Sequence[str]]]
    """The ids of at most so many pieces of work that are due, the most urgent first. What was handed out and
    isn't taken up is handed out again after a while, here or to another process."""
    recover: Callable[[], Awaitable[None]]
    """Makes due again what a dead process left. Called only by whoever has the exclusive right to execute,
    before it does so."""
    orphans: Callable[[], Awaitable[Sequence[str]]]
    """The ids of work that another process says to execute for so long that somebody must look after it."""
    execute: Callable[[str | Work], Awaitable[Done]]
    """Executes one segment of a piece of work, known by its id or given whole. What is not due is left alone.
    An error means that this attempt broke here, not that the work failed."""
    suspend: Callable[[], None]
    """Lets every segment that is executed here end at its next call boundary; its work is due again."""
    chores: tuple[Chore, ...] = ()
