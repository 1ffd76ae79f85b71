"""Trains the head that knows attacks, on windows of texts."""

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from benchmarks._detector._fit import fit, vocabulary
from benchmarks._detector._samples import Sample
from proctor.policies.canonical._canonical import canonical
from proctor.policies.injection._check import read

BLOCKS: Final = 2
DECAY: Final = 1e-4
WORDS_WEIGH: Final = 6.0
LEAST: Final = 5
_ROUNDS: Final = 2
_MOST_WINDOWS: Final = 8
_MOST_OF_A_SOURCE: Final = 1500
_OWN_COUNTS: Final = 2.5
_TEMPLATES_COUNT: Final = 0.4

Windows = list[AbstractSet[str]]


@dataclass(frozen=True, slots=True)
class Model:
    """Weights by feature, and the constant."""

    of: dict[str, float]
    constant: float

    def score(self, features: AbstractSet[str]) -> float:
        """The score of one window or sentence."""
        known = [self.of[name] for name in features if name in self.of]
        return self.constant + sum(known)

    def best(self, windows: Windows) -> float:
        """The highest score of a text's windows."""
        return max((self.score(window) for window in windows), default=self.constant)


def windows(text: str) -> Windows:
    """The features of a text's overlapping windows."""
    found = [features for _, features in read(canonical(text).text)]
    last = max(1, len(found) - BLOCKS + 1)
    return [frozenset().union(*found[first : first + BLOCKS]) for first in range(last)]


def train(samples: Sequence[Sample], texts: Sequence[Windows]) -> Model:
    """The model of some samples, each with its windows."""
    chosen = _fewer(samples)
    sizes = Counter((samples[at].source, samples[at].label) for at in chosen)
    counts = {key: _counts(key, size) for key, size in sizes.items()}
    total = {label: sum(count for key, count in counts.items() if key[1] == label) for label in (0, 1)}
    model: Model | None = None
    for _ in range(_ROUNDS):
        rows: Windows = []
        labels: list[int] = []
        importance: list[float] = []
        groups: list[str] = []
        for at in chosen:
            sample = samples[at]
            key = sample.source, sample.label
            kept = _telling(texts[at], sample.label, model)
            rows += kept
            labels += [sample.label] * len(kept)
            importance += [counts[key] / sizes[key] / total[sample.label] / len(kept) ** 0.5] * len(kept)
            groups += [sample.source] * len(kept)
        names = vocabulary(rows, groups, least=LEAST)
        model = Model(*fit(rows, labels, importance, names, decay=DECAY, words_weigh=WORDS_WEIGH))
    assert model is not None
    return model


def _fewer(samples: Sequence[Sample]) -> list[int]:
    """Places of the samples to learn from: of large harmless sources a part, chosen by their hash."""
    sizes = Counter(sample.source for sample in samples if not sample.label)
    return [
        at
        for at, sample in enumerate(samples)
        if not (sample.disguised and sample.label)
        and (
            sample.label
            or int.from_bytes(sha256(sample.text.encode()).digest()[:4]) / 2**32 * sizes[sample.source]
            < _MOST_OF_A_SOURCE
        )
    ]


def _counts(key: tuple[str, int], size: int) -> float:
    source, label = key
    factor = _OWN_COUNTS if source.startswith("own") else _TEMPLATES_COUNT if source == "agt" else 1.0
    return float(size**0.6) * (factor if label else max(1.0, factor))


def _telling(texts: Windows, label: int, model: Model | None) -> Windows:
    """The windows to learn from: at first some, then those that look most like an attack."""
    if len(texts) <= 1:
        return texts
    if model is None:
        return texts[: max(2, len(texts) // 2)] if label else texts[:: max(1, len(texts) // _MOST_WINDOWS)]
    ranked = sorted(texts, key=model.score, reverse=True)
    return ranked[: max(1, len(texts) // 3)] if label else ranked[:_MOST_WINDOWS]
