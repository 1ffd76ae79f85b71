"""How often nearly the same question is another one: by intents, and by one changed word that decides."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks._cache._data import Asked
from proctor.knowledge import Embedder
from proctor.models import asks_the_same

THRESHOLDS = (0.90, 0.93, 0.95, 0.97)
RECOMMENDED = 0.95
MOST_FALSE = 0.002
"""Share of the lookups that may be answered as another intent, on the half that chose nothing."""
MOST_CHANGED = 0.02
"""Share of the questions with one changed word that may be taken for the same."""


def _groups(*lines: str) -> tuple[list[str], ...]:
    return tuple(line.split() for line in lines)


NAMES = _groups(
    "paris london boston chicago tokyo berlin madrid rome dallas houston seattle miami denver orlando",
    "kevin mary john sam sarah mike jane steve tom bob jim jenny matt",
    "spanish french german italian chinese japanese russian",
    "chicken pizza lasagna pasta beef rice eggs shrimp spaghetti",
    "visa mastercard",
    "gold platinum premium",
    "chase citibank",
    "mom dad brother sister",
)
"""Words of which one in the place of another asks for something else, and that no list of the cache holds."""

KNOWN = _groups(
    "usd gbp euros dollars pounds yen pesos",
    "checking savings",
    "monday tuesday wednesday thursday friday saturday sunday",
    "today tomorrow yesterday",
    "up down",
    "buy sell",
    "increase decrease",
    "open close",
    "before after",
    "incoming outgoing",
    "deposit withdraw",
    "physical virtual",
    "credit debit",
    "last next",
    "with without",
)
"""Such words that it knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearness:
    """One set, or a half of it, at one threshold."""

    set: str
    half: str
    similarity: float
    lookups: int
    hits: int
    false: int
    """Hits on a question that asks for something else."""
    false_unguarded: int
    """The same by embeddings alone."""

    @property
    def hit_rate(self) -> float:
        """Of the lookups."""
        return self.hits / self.lookups

    @property
    def false_rate(self) -> float:
        """Of the lookups."""
        return self.false / self.lookups


async def by_intent(name: str, asked: Sequence[Asked]) -> list[Nearness]:
    """Each question looked up among all others of its half, in both halves of a set."""
    middle = len(asked) // 2
    return [
        figures
        for half, part in (("chosen on", asked[:middle]), ("kept apart", asked[middle:]))
        for figures in await _of_half(name, half, part)
    ]


async def by_swap(name: str, groups: Sequence[Sequence[str]], asked: Sequence[Asked]) -> list[Nearness]:
    """Questions, each looked up where only the same one with another word of its group was answered."""
    pairs = list(_swapped(groups, [one.text for one in asked]))
    one = await _vectors([given for given, _ in pairs])
    other = await _vectors([changed for _, changed in pairs])
    cosines = (one * other).sum(axis=1)
    same = np.array([asks_the_same(*pair) for pair in pairs])
    return [
        Nearness(
            set=name,
            half="kept apart",
            similarity=least,
            lookups=len(pairs),
            hits=int(((cosines >= least) & same).sum()),
            false=int(((cosines >= least) & same).sum()),
            false_unguarded=int((cosines >= least).sum()),
        )
        for least in THRESHOLDS
    ]


async def _of_half(name: str, half: str, asked: Sequence[Asked]) -> list[Nearness]:
    vectors = await _vectors([one.text for one in asked])
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1.0)
    guarded = np.full_like(cosines, -1.0)
    for row, column in np.argwhere(cosines >= min(THRESHOLDS)):
        if asks_the_same(asked[row].text, asked[column].text):
            guarded[row, column] = cosines[row, column]
    wants = np.array([one.wants for one in asked])
    return [
        Nearness(
            set=name,
            half=half,
            similarity=least,
            lookups=len(asked),
            hits=int((guarded.max(axis=1) >= least).sum()),
            false=_false(guarded, wants, least),
            false_unguarded=_false(cosines, wants, least),
        )
        for least in THRESHOLDS
    ]


def _false(cosines: NDArray[np.float32], wants: NDArray[np.str_], least: float) -> int:
    """Lookups whose nearest question is near enough and asks for something else."""
    return int(((cosines.max(axis=1) >= least) & (wants[cosines.argmax(axis=1)] != wants)).sum())


async def _vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    embed = Embedder().embed
    return np.concatenate([await embed(texts[start : start + 64]) for start in range(0, len(texts), 64)])


def _swapped(groups: Sequence[Sequence[str]], texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    rng = random.Random(3)
    for text in texts:
        for group in groups:
            for word in group:
                other = rng.choice([each for each in group if each != word])
                changed = re.sub(rf"\b{word}\b", other, text, flags=re.IGNORECASE)
                if changed != text and other not in text.lower():
                    yield text, changed
