"""What the settings of agents say for whoever calls."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from proctor.core import UNKNOWN_AGENT

T = TypeVar("T")


def narrowest(place: str, settings: Mapping[str, frozenset[T]], otherwise: frozenset[T]) -> frozenset[T]:
    """What is set for the agent at a place, or for the nearest agent that it is part of; else `otherwise`.

    So an agent within another one can do no more than that one, where nothing is said of it; and where nobody
    can tell which agent it is, what all of them may.
    """
    if place == UNKNOWN_AGENT:
        return frozenset.intersection(otherwise, *settings.values())
    return next((settings[word] for word in _words(place) if word in settings), otherwise)


def _words(place: str) -> Iterator[str]:
    """What an agent's settings may stand under: its place, its name, and those of what it is part of."""
    while place:
        yield place
        above, _, name = place.rpartition("/")
        yield name
        place = above
