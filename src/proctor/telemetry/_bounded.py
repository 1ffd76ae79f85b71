"""Label sets in a bounded number: teams may name agents and tools as they please, while they run."""

from collections.abc import Callable, Collection
from typing import Generic, TypeVar

T = TypeVar("T")

OTHER = "other"
"""Stands for each name beyond those that are told apart."""

MOST = 500
"""Label sets that a metric tells apart, where nothing else is configured."""


class Bounded(Generic[T]):
    """What belongs to a label set, made once for each; from a number of them on, some labels are `other`.

    `folds` are the places of the labels whose values nobody has configured. The others' are few.
    """

    def __init__(self, make: Callable[..., T], *, folds: Collection[int], most: int) -> None:
        self._make = make
        self._folds = frozenset(folds)
        self._most = most
        self._made: dict[tuple[str, ...], T] = {}

    def of(self, *labels: str) -> T:
        """What belongs to these labels."""
        made = self._made.get(labels)
        if made is not None:
            return made
        if len(self._made) >= self._most:
            labels = tuple(OTHER if place in self._folds else label for place, label in enumerate(labels))
            made = self._made.get(labels)
        if made is None:
            made = self._made[labels] = self._make(*labels)
        return made
