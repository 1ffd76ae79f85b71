"""Trains the router's weights: two linear models over the same figures and words, by Adam, in numpy."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from benchmarks._router._samples import Sample, Tools, as_call
from proctor.models.router import Features, features

Floats = NDArray[np.float32]

SEED = 20261122
DOMAINS = ("legal", "medical", "finance", "code")
SEEN = 8
"""A word is learned that so many requests hold."""
MOST_WORDS = 4_000
LENGTH = 240
"""Words of one request that are learned from."""
LANGUAGES = {"en": 0.75, "zh": 0.25}
"""How much each language counts for."""
EVEN = 0.4
"""0: each request counts alike; 1: each data set, and each domain, does."""
EPOCHS, BATCH, STEP = 14, 256, 0.015
RIDGE_WORDS, RIDGE_FIGURES = 1e-6, 1e-5

BY_HAND: Mapping[str, float] = {
    "answers": 0.15,
    "tool_errors": 0.9,
    "images": 0.5,
    "structured": -0.2,
    "tools": 0.3,
    "prompt": 0.5,
    "chinese": 0.0,
    "mixed": 0.0,
}
"""Weights for `needs more` of what the data sets don't have, or have in one kind of request only: how a run
went so far, images, a format that the answer has to keep, tools and the length of all that goes with them. A
language makes no work hard: in the data sets it only tells which one it is."""
ABOUT = frozenset({*DOMAINS, "code_marks"})
"""The figures that may speak for a domain; the others tell the data sets apart, not what they are about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Samples as numbers."""

    figures: Floats
    words: NDArray[np.int32]
    """Places in the vocabulary; the last place stands for none."""
    scale: Floats
    given: Floats
    """The log-odds of `needs more` by the weights that are set by hand."""
    hard: Floats
    """1 or 0; -1 where it isn't known."""
    domain: NDArray[np.int64]
    """0 for none, then the places of `DOMAINS`; -1 where it isn't known."""
    weight: Floats
    """How much a sample says of `needs more`."""
    domain_weight: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the columns stand for."""

    figures: tuple[str, ...]
    words: tuple[str, ...]


def read(samples: Sequence[Sample]) -> list[Features]:
    """What the router reads of each sample."""
    tools = Tools()
    return [features(as_call(sample, tools)) for sample in samples]


def names_of(found: Sequence[Features]) -> Names:
    """The figures and the words that are learned."""
    seen = Counter(word for one in found for word in one.words)
    words = [word for word, count in seen.most_common(MOST_WORDS) if count >= SEEN]
    figures = {name for one in found for name in one.figures} - BY_HAND.keys()
    return Names(figures=tuple(sorted(figures)), words=tuple(sorted(words)))


def tabulate(samples: Sequence[Sample], found: Sequence[Features], names: Names) -> Table:
    """Samples as numbers."""
    places = {word: place for place, word in enumerate(names.words)}
    words = np.full((len(samples), LENGTH), len(places), dtype=np.int32)
    scale = np.zeros(len(samples), dtype=np.float32)
    for row, one in enumerate(found):
        known = sorted(places[word] for word in one.words & places.keys())[:LENGTH]
        words[row, : len(known)] = known
        scale[row] = len(known) ** -0.5 if known else 0.0
    domains = Counter(sample.domain for sample in samples)
    return Table(
        figures=np.array(
            [[one.figures.get(name, 0.0) for name in names.figures] for one in found], np.float32
        ),
        words=words,
        scale=scale,
        given=np.array(
            [sum(BY_HAND[name] * one.figures.get(name, 0.0) for name in BY_HAND) for one in found], np.float32
        ),
        hard=np.array([-1 if one.hard is None else one.hard for one in samples], np.float32),
        domain=np.array([1 + DOMAINS.index(one.domain) if one.domain else 0 for one in samples]),
        # A large set says more than a small one, and not so much more as it is larger.
        weight=_balanced(samples),
        domain_weight=np.array([domains[one.domain] ** -EVEN for one in samples], np.float32),
    )


def _balanced(samples: Sequence[Sample]) -> Floats:
    """The weights of samples: a large set counts for more, not in proportion; both answers count alike.

    So a chance of one half says that a request looks as much like those that need more as like the others.
    They count alike in each language, or else one whose questions are harder would be taken for hard work.
    """
    origins = Counter(one.origin for one in samples)
    weight = np.array([origins[one.origin] ** -EVEN for one in samples], np.float32)
    for (lang, share), answer in product(LANGUAGES.items(), (True, False)):
        some = np.array([one.lang == lang and one.hard is answer for one in samples])
        weight[some] *= share / max(weight[some].sum(), 1e-9)
    return weight


class Model:
    """The weights while they are learned: one column for `needs more`, one for each domain."""

    def __init__(self, names: Names) -> None:
        columns = 1 + len(DOMAINS)
        self._aside = [place for place, name in enumerate(names.figures) if name not in ABOUT]
        self.parts = [
            np.zeros((columns,), np.float32),
            np.zeros((len(names.figures), columns), np.float32),
            np.zeros((len(names.words) + 1, columns), np.float32),
        ]

    def scores(self, table: Table, rows: NDArray[np.int64]) -> Floats:
        """The log-odds of each sample for each column."""
        bias, figures, words = self.parts
        of_words = words[table.words[rows]].sum(axis=1) * table.scale[rows, None]
        total: Floats = bias + table.figures[rows] @ figures + of_words
        total[:, 0] += table.given[rows]
        return total

    def gradients(self, table: Table, rows: NDArray[np.int64]) -> list[Floats]:
        """How the loss of some samples changes with each weight."""
        scores = self.scores(table, rows)
        weight, domain_weight = table.weight[rows], table.domain_weight[rows]
        wrong = np.zeros_like(scores)
        known = table.hard[rows] >= 0
        wrong[:, 0] = np.where(known, _sigmoid(scores[:, 0]) - table.hard[rows], 0)
        wrong[:, 1:] = _softmax(scores[:, 1:])
        inside = np.flatnonzero(table.domain[rows] > 0)
        wrong[inside, table.domain[rows][inside]] -= 1
        wrong[:, :1] *= (weight / weight.sum())[:, None]
        wrong[:, 1:] *= (domain_weight / domain_weight.sum())[:, None]
        of_words = np.zeros_like(self.parts[2])
        spread = np.repeat(wrong * table.scale[rows, None], LENGTH, axis=0)
        np.add.at(of_words, table.words[rows].ravel(), spread)
        of_words[-1] = 0
        of_figures = table.figures[rows].T @ wrong
        of_figures[self._aside, 1:] = 0
        return [
            wrong.sum(axis=0),
            of_figures + RIDGE_FIGURES * self.parts[1],
            of_words + RIDGE_WORDS * self.parts[2],
        ]


def train(table: Table, names: Names) -> Model:
    """The weights after some rounds over all samples, in an order that the seed fixes."""
    rng = np.random.default_rng(SEED)
    model = Model(names)
    first = [np.zeros_like(part) for part in model.parts]
    second = [np.zeros_like(part) for part in model.parts]
    count = 0
    for epoch in range(EPOCHS):
        order = rng.permutation(len(table.hard))
        pace = STEP * (1 - epoch / EPOCHS)
        for start in range(0, len(order), BATCH):
            count += 1
            slopes = model.gradients(table, order[start : start + BATCH])
            for part, slope, mean, square in zip(model.parts, slopes, first, second, strict=True):
                np.add(mean, 0.1 * (slope - mean), out=mean)
                np.add(square, 0.001 * (slope * slope - square), out=square)
                step = (mean / (1 - 0.9**count)) / (np.sqrt(square / (1 - 0.999**count)) + 1e-8)
                np.subtract(part, pace * step, out=part, casting="same_kind")
    return model


def as_lists(model: Model, names: Names) -> dict[str, object]:
    """The weights as the file holds them."""
    bias, figures, words = (
        [[round(float(one), 2) for one in row] for row in np.atleast_2d(part)] for part in model.parts
    )
    none = [0.0] * len(DOMAINS)
    return {
        "domains": list(DOMAINS),
        "bias": bias[0],
        "figures": {
            **dict(zip(names.figures, figures, strict=True)),
            **{name: [weight, *none] for name, weight in BY_HAND.items()},
        },
        "words": dict(zip(names.words, words, strict=False)),
    }


def _sigmoid(scores: Floats) -> Floats:
    chances: Floats = np.reciprocal(1 + np.exp(-np.clip(scores, -30, 30)))
    return chances


def _softmax(scores: Floats) -> Floats:
    raised = np.exp(np.clip(scores, -30, 30))
    share: Floats = raised / (1 + raised.sum(axis=1, keepdims=True))
    return share
