"""The weights by which the router judges a request: a file that people can read.

Two judgements are made of the same figures and words: the chance that a request needs more than a small
model (logistic), and the chance that it belongs to a special domain (softmax over the domains and none).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from proctor.core import ConfigurationError
from proctor.models.router._features import Features

SHOWN = 8
"""Contributions that an explanation holds."""


class WeightsFile(BaseModel):
    """A file of weights. Each list holds one weight for `needs more`, then one for each domain."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provenance: dict[str, JsonValue] = Field(default={})
    """Data sets with licences, date, seed, measured figures."""
    domains: tuple[str, ...]
    bias: tuple[float, ...]
    figures: dict[str, tuple[float, ...]]
    words: dict[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the weights make of a request."""

    chance: float
    """That it needs more than a small model."""
    domains: Mapping[str, float]
    """The chance of each special domain."""

    @property
    def domain(self) -> tuple[str, float]:
        """The likeliest special domain, with its chance."""
        return max(self.domains.items(), key=lambda one: one[1], default=("", 0.0))


class Weights:
    """The weights of one file, ready to judge."""

    def __init__(self, file: WeightsFile) -> None:
        self._file = file
        self._words = file.words
        self._alone = {name: row[0] for name, row in file.figures.items() if not any(row[1:])}
        self._shared = {name: row for name, row in file.figures.items() if any(row[1:])}

    @property
    def provenance(self) -> Mapping[str, JsonValue]:
        """Where the weights come from."""
        return self._file.provenance

    def judge(self, features: Features) -> Judgement:
        """The chances of one request."""
        file = self._file
        known = [row for word in features.words if (row := self._words.get(word)) is not None]
        scale = 1 / math.sqrt(len(known)) if known else 0.0
        sums = list(file.bias)
        for place, column in enumerate(zip(*known, strict=True)):
            sums[place] += scale * sum(column)
        for name, value in features.figures.items():
            if (alone := self._alone.get(name)) is not None:
                sums[0] += alone * value
            elif (weights := self._shared.get(name)) is not None:
                for place, weight in enumerate(weights):
                    sums[place] += weight * value
        raised = [math.exp(min(one, 50.0)) for one in sums[1:]]
        total = 1 + sum(raised)
        return Judgement(
            chance=1 / (1 + math.exp(-max(-50.0, min(50.0, sums[0])))),
            domains={name: one / total for name, one in zip(self._file.domains, raised, strict=True)},
        )

    def contributions(self, features: Features) -> tuple[tuple[str, float], ...]:
        """What speaks most for and against a large model, as log-odds, the strongest first."""
        known = sorted(features.words & self._words.keys())
        scale = 1 / math.sqrt(len(known)) if known else 0.0
        found = [
            (name, weights[0] * value)
            for name, value in features.figures.items()
            if (weights := self._file.figures.get(name))
        ]
        found += [(f"“{word}”", scale * self._words[word][0]) for word in known]
        found.sort(key=lambda one: -abs(one[1]))
        return tuple((name, round(weight, 3)) for name, weight in found[:SHOWN])


def load_weights(place: str = "builtin") -> Weights:
    """The weights that this release ships, or those of a file.

    Raises:
        ConfigurationError: the file can't be read, or holds no weights.
    """
    try:
        if place == "builtin":
            text = resources.files(__package__).joinpath("weights.json").read_text(encoding="utf-8")
        else:
            text = Path(place).expanduser().read_text(encoding="utf-8")
        file = WeightsFile.model_validate_json(text)
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise ConfigurationError(
            f"router.weights: {place} holds no weights: {error}",
            hint="Train some with benchmarks.router_train, or take `builtin`.",
        ) from None
    _check(place, file, (file.bias, *file.figures.values(), *file.words.values()))
    return Weights(file)


def _check(place: str, file: WeightsFile, rows: Sequence[Sequence[float]]) -> None:
    if any(len(row) != 1 + len(file.domains) for row in rows):
        raise ConfigurationError(
            f"router.weights: {place} holds lists that aren't {1 + len(file.domains)} long",
            hint="One weight for `needs more`, then one for each domain.",
        )
