"""The figures: how often the class is right, and what a request costs at equal success."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._router._peers import Advice
from benchmarks._router._samples import Sample

Flags = NDArray[np.bool_]
Numbers = NDArray[np.float64]

TOLERANCE = 0.02
"""Success that counts as equal: so much less than that of the large model, as a share of all requests."""
SHARES = (0.25, 0.5, 0.75)
"""Shares of calls to the large model at which success is compared as well."""
AIM = 0.01
"""What is aimed at where thresholds are set, on requests that are kept for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Requests with what becomes of them at a small and at a large model."""

    small: Numbers
    """Success, 0 to 1."""
    large: Numbers
    small_cost: Numbers
    """Dollars."""
    large_cost: Numbers

    def at(self, to_large: Flags) -> tuple[float, float]:
        """Mean success and mean cost where these requests go to the large model and the others don't."""
        success = np.where(to_large, self.large, self.small)
        cost = np.where(to_large, self.large_cost, self.small_cost)
        return float(success.mean()), float(cost.mean())


def confusion(samples: Sequence[Sample], decided: Sequence[str]) -> dict[str, Any]:
    """How often each class is found, and what is taken for what."""
    pairs = [(one.label, to) for one, to in zip(samples, decided, strict=True) if one.label]
    table: dict[str, Counter[str]] = {}
    for label, to in pairs:
        table.setdefault(label, Counter())[to] += 1
    recalls = {label: row[label] / row.total() for label, row in table.items()}
    return {
        "requests": len(pairs),
        "accuracy": _share(sum(label == to for label, to in pairs) / max(1, len(pairs))),
        "balanced": _share(sum(recalls.values()) / max(1, len(recalls))),
        "recall": {label: _share(recall) for label, recall in sorted(recalls.items())},
        "confusion": {label: dict(row.most_common()) for label, row in sorted(table.items())},
    }


def two_tiers(hard: Flags, to_large: Flags) -> dict[str, float]:
    """How often small and large work is told apart. `balanced` is the mean of both shares."""
    large = float(to_large[hard].mean()) if hard.any() else 0.0
    small = float((~to_large)[~hard].mean()) if (~hard).any() else 0.0
    return {
        "accuracy": _share(float((to_large == hard).mean())),
        "balanced": _share((large + small) / 2),
        "large_found": _share(large),
        "small_found": _share(small),
    }


def best_threshold(scores: Numbers, hard: Flags) -> float:
    """The threshold with the best balanced accuracy."""
    tried = np.unique(np.quantile(scores, np.linspace(0, 1, 201)))
    return float(max(tried, key=lambda one: two_tiers(hard, scores >= one)["balanced"]))


def equal_threshold(scores: Numbers, field: Field, aim: float) -> float:
    """The threshold of the least cost whose success is that of always the large model, but for the aim."""
    everything, _ = field.at(np.ones(len(scores), bool))
    tried = np.append(np.unique(scores), np.inf)
    fitting = [one for one in tried if field.at(scores >= one)[0] >= everything - aim]
    return float(min(fitting, key=lambda one: field.at(scores >= one)[1], default=-np.inf))


def against_large(
    advice: Mapping[str, Advice],
    settings: Flags,
    test: Flags,
    part: Callable[[Flags], Field],
    *,
    aim: float = AIM,
) -> dict[str, Any]:
    """What each router costs at equal success: thresholds from `settings`, figures from `test`."""
    field = part(test)
    everything, nothing = (field.at(np.full(int(test.sum()), large)) for large in (True, False))
    found: dict[str, Any] = {
        "requests": int(test.sum()),
        "always_large": _told(everything, everything),
        "always_small": _told(nothing, everything),
    }
    for name, one in advice.items():
        scores = one.scores.astype(np.float64)
        to_large = scores[test] >= equal_threshold(scores[settings], part(settings), aim)
        found[name] = {
            **_told(field.at(to_large), everything),
            "to_large": _share(float(to_large.mean())),
            "as_it_comes": _told(field.at(np.array(one.large)[test]), everything),
            "success_at_share_of_large": {
                str(share): _share(_success_at(scores[test], field, share)) for share in SHARES
            },
        }
    return found


def _success_at(scores: Numbers, field: Field, share: float) -> float:
    """Success where this share of the requests, the likeliest, goes to the large model."""
    to_large = np.zeros(len(scores), bool)
    to_large[np.argsort(-scores, kind="stable")[: round(share * len(scores))]] = True
    return field.at(to_large)[0]


def _told(one: tuple[float, float], large: tuple[float, float]) -> dict[str, float]:
    return {
        "success": _share(one[0]),
        "usd_per_request": round(one[1], 6),
        "cost_of_always_large": _share(one[1] / large[1]),
    }


def _share(value: float) -> float:
    return round(value, 4)
