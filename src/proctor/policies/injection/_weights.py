"""The trained weights of the injection check, as `benchmarks.injection_train` writes them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import exp
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A linear model over names of features."""

    of: Mapping[str, float]
    """Weights by feature."""
    constant: float
    threshold: float
    """From this score on a text is taken for an attack."""
    asian: float
    """The same in scripts without blanks."""
    in_data: float
    """The same where the text is data: of tools, documents and memories."""
    blocks: int
    """How many blocks a window holds."""
    steep: float
    """How fast the chance grows with the score."""

    def chance(self, score: float, threshold: float) -> float:
        """How sure a score is: one half at the threshold."""
        return 1 / (1 + exp(-max(-30.0, min(30.0, self.steep * (score - threshold)))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What was learned."""

    attack: Head
    """Overthrowing instructions, jailbreaks, drawing out what is hidden."""
    order: Head
    """Any order or question to an assistant, in text that should be data."""


@cache
def weights() -> Weights:
    """The weights that are shipped."""
    path = files("proctor.policies") / "data" / "injection_weights.json"
    return read_weights(json.loads(path.read_text("utf-8")))


def read_weights(made: Mapping[str, Any]) -> Weights:
    """The weights that a file holds."""
    return Weights(
        **{name: Head(of=made[name]["weights"], **made[name]["settings"]) for name in ("attack", "order")}
    )
