"""What becomes of each sample at a small and at a large model, and what that costs."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from benchmarks._router._decide import LARGE, SMALL, deployments
from benchmarks._router._figures import Field, Flags
from benchmarks._router._peers import Advice
from benchmarks._router._samples import Sample, Tools, as_call
from benchmarks._surroundings import data_folder
from proctor.core import Usage
from proctor.ledger import Prices
from proctor.models.router import features

MODEL, SMALL_EFFORT, LARGE_EFFORT = "GPT-5.2", "none", "high"
"""The one model of the published figures with a cheap and a dear setting, by the same harness."""


def field_of(samples: Sequence[Sample], which: Flags) -> Field:
    """The samples that are asked for; at the published prices of a small and a large model of one maker.

    A sample whose success nobody measured succeeds at the tier that it needs, and above.
    """
    chosen = [sample for sample, taken in zip(samples, which, strict=True) if taken]
    small = [one.small if one.small is not None else not one.hard for one in chosen]
    large = [one.large if one.large is not None else True for one in chosen]
    prices, tools, now = Prices(deployments()), Tools(), datetime.now(UTC)
    tokens = [_usage(one, tools) for one in chosen]
    small_cost, large_cost = (
        [
            prices.price_of(usage, name, at=now) * one.calls / 1e6
            for usage, one in zip(tokens, chosen, strict=True)
        ]
        for name in ("small", "large")
    )
    return Field(
        small=np.array(small, np.float64),
        large=np.array(large, np.float64),
        small_cost=np.array(small_cost),
        large_cost=np.array(large_cost),
    )


def _usage(sample: Sample, tools: Tools) -> Usage:
    answer = sample.answer / (1.5 if sample.lang == "zh" else 4)
    return Usage(input=features(as_call(sample, tools)).tokens, output=max(1, round(answer)))


def published(samples: Sequence[Sample], advice: Advice, which: Flags) -> dict[str, Any]:
    """Expected success and cost of recorded tasks by published figures, with the router as it comes."""
    figures = _leaderboard()
    some = [
        (figures[shop], large)
        for sample, large, taken in zip(samples, advice.large, which, strict=True)
        if taken and (shop := sample.task.rpartition("/")[2]) in figures
    ]
    if not some:
        return {}
    field = Field(
        small=np.array([one["none"][0] for one, _ in some]),
        large=np.array([one["high"][0] for one, _ in some]),
        small_cost=np.array([one["none"][1] for one, _ in some]),
        large_cost=np.array([one["high"][1] for one, _ in some]),
    )
    chosen = {
        "always_small": np.zeros(len(some), bool),
        "always_large": np.ones(len(some), bool),
        "router": np.array([large for _, large in some]),
    }
    told = {name: field.at(flags) for name, flags in chosen.items()}
    return {
        "of": f"{MODEL}, effort {SMALL_EFFORT} and {LARGE_EFFORT}; {SMALL} and {LARGE} have none",
        "tasks": len(some),
        **{
            name: {"success": round(success, 4), "usd_per_task": round(cost, 5)}
            for name, (success, cost) in told.items()
        },
    }


def _leaderboard() -> dict[str, dict[str, tuple[float, float]]]:
    """Shop, effort: success and dollars a task; only shops with both efforts."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    file = data_folder() / "tau2" / "published_leaderboard.csv"
    if not file.exists():
        return found
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if (row["model"], row["modality"]) == (MODEL, "text") and row["cost"]:
                figures = float(row["pass1"]) / 100, float(row["cost"])
                found.setdefault(row["domain"], {})[row["effort"]] = figures
    return {shop: one for shop, one in found.items() if one.keys() >= {SMALL_EFFORT, LARGE_EFFORT}}
