"""Logistic regression over sets of names: full batches, L-BFGS, no randomness."""

from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_MEMORY = 12
_STEPS = 70
_ENOUGH = 1e-5
KNOWN = "#!@^"
"""What features begin with that are no words of a text."""
GROUPS = 3
WORDS_WEIGH = 4.0


def vocabulary(rows: Sequence[AbstractSet[str]], groups: Sequence[str], *, least: int) -> list[str]:
    """Names that at least so many rows of at least two groups hold; ideas and signs in any case."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    shared: set[str] = set()
    for row, group in zip(rows, groups, strict=True):
        counts.update(row)
        for name in row:
            if first.setdefault(name, group) != group:
                shared.add(name)
    return sorted(
        name for name, count in counts.items() if count >= least and (name in shared or name[0] in "#!@^")
    )


def fit(
    rows: Sequence[AbstractSet[str]],
    labels: Sequence[int],
    importance: Sequence[float],
    names: Sequence[str],
    *,
    decay: float,
    words_weigh: float = WORDS_WEIGH,
) -> tuple[dict[str, float], float]:
    """The weight of each name, and the constant."""
    places = {name: place for place, name in enumerate(names)}
    columns = [[places[name] for name in row if name in places] for row in rows]
    row_of = np.repeat(np.arange(len(rows)), [len(column) for column in columns])
    column_of = np.concatenate([np.asarray(sorted(column), dtype=np.int64) for column in columns])
    signs = np.where(np.asarray(labels) == 1, 1.0, -1.0)
    pulls = np.asarray([1.0 if name[0] in KNOWN else words_weigh for name in names] + [0.0]) * decay
    share = np.asarray(importance, dtype=np.float64) / np.sum(importance)

    def loss(at: Floats) -> tuple[float, Floats]:
        scores = np.bincount(row_of, at[column_of], len(rows)) + at[-1]
        margins = -signs * scores
        value = float(share @ np.logaddexp(0, margins)) + float(at @ (pulls * at)) / 2
        pull = -signs * share / (1 + np.exp(-np.clip(margins, -500, 500)))
        slope = np.bincount(column_of, pull[row_of], len(names) + 1) + pulls * at
        slope[-1] = pull.sum()
        return value, slope

    found = _descend(loss, np.zeros(len(names) + 1))
    return dict(zip(names, found[:-1].tolist(), strict=True)), float(found[-1])


def _descend(loss: Callable[[Floats], tuple[float, Floats]], at: Floats) -> Floats:
    """Where the loss is least, by L-BFGS with backtracking."""
    value, slope = loss(at)
    steps: list[tuple[Floats, Floats, float]] = []
    for _ in range(_STEPS):
        way = _direction(slope, steps)
        length = 1.0 if steps else 1.0 / max(1e-12, float(np.abs(slope).sum()))
        fall = float(way @ slope)
        while True:
            new = at + length * way
            new_value, new_slope = loss(new)
            if new_value <= value + 1e-4 * length * fall or length < 1e-12:
                break
            length /= 2
        moved, turned = new - at, new_slope - slope
        bend = float(moved @ turned)
        if bend > 1e-16:
            steps = [*steps, (moved, turned, 1 / bend)][-_MEMORY:]
        done = value - new_value < _ENOUGH * max(value, 1e-9) * 0.1
        at, value, slope = new, new_value, new_slope
        if done:
            break
    return at


def _direction(slope: Floats, steps: Sequence[tuple[Floats, Floats, float]]) -> Floats:
    way = -slope
    factors = []
    for moved, turned, inverse in reversed(steps):
        factor = inverse * float(moved @ way)
        factors.append(factor)
        way = way - factor * turned
    if steps:
        moved, turned, inverse = steps[-1]
        way = way / (inverse * float(turned @ turned))
    for (moved, turned, inverse), factor in zip(steps, reversed(factors), strict=True):
        way = way + moved * (factor - inverse * float(turned @ way))
    return way
