"""Trains the weights for advice: a logistic model of each stage, whose signs are known before, in numpy."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks._compliance._samples import LICENCES, AdviceStage, Sample
from proctor.policies._advice import WINDOW, applies
from proctor.policies._advice_features import DOMAINS, features, told

Floats = NDArray[np.float64]

THRESHOLDS: Mapping[AdviceStage, float] = {"input": 0.15, "output": 0.4}
"""Where talk of customers is wrongly found in at most 1 %, a third of what is allowed. Sources that are
only measured were looked at for it, too."""
RIDGE, STEPS, RATE = 1.0, 4_000, 0.05
OWN_WEIGHT = 2.0
"""Our own examples hold all there is of law."""

_SHARED = (
    "level",
    "log_level",
    "density",
    "rival",
    "rival_more",
    "service",
    "service_more",
    "length",
    "chinese",
)
_DOMAINS = tuple(f"is_{domain}" for domain in DOMAINS)
READ: Mapping[AdviceStage, frozenset[str]] = {
    "input": frozenset(
        {*_SHARED, *_DOMAINS, "person", "kin", "own_body_or_money", "should", "may", "question", "what_to_do"}
        | {"how_to", "pick", "do_it", "general", "general_first", "other_work", "other_help", "figures"}
        | {"asked_of_domain", "ordered_in_domain", "person_in_domain", "general_in_domain"}
    ),
    "output": frozenset(
        {
            *_SHARED,
            *_DOMAINS,
            "told_you",
            "advise",
            "dose",
            "treats",
            "law_cited",
            "trades",
            "refuses",
            "reports",
        }
        | {
            "general_in_domain",
            "cited_in_domain",
            "trades_in_domain",
            "treats_in_domain",
            "other_work",
            "other_help",
        }
    ),
}
"""What each stage's weights read."""
FOR = frozenset(
    {
        "level",
        "log_level",
        "density",
        "person",
        "kin",
        "own_body_or_money",
        "figures",
        "should",
        "may",
        "what_to_do",
    }
    | {
        "pick",
        "do_it",
        "question",
        "asked_of_domain",
        "ordered_in_domain",
        "person_in_domain",
        "told_you",
        "advise",
        "dose",
        "treats",
    }
    | {"law_cited", "trades", "cited_in_domain", "trades_in_domain", "treats_in_domain"}
)
"""What may only speak for advice, whatever the data sets say: a question to a shop has these as well."""
AGAINST = frozenset(
    {"general", "general_first", "general_in_domain", "other_work", "other_help", "service", "service_more"}
    | {"rival", "rival_more", "refuses", "reports", "how_to"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One sample, judged by one domain."""

    source: str
    kind: str
    right: bool
    numbers: Mapping[str, float]


def rows(samples: Iterable[Sample], stage: AdviceStage) -> list[Row]:
    """What is learned from: texts that are about a domain, by its numbers."""
    made = []
    for sample in samples:
        if sample.stage != stage or sample.source not in LICENCES:
            continue
        found = told(sample.text[:WINDOW].lower())
        if found is None:
            continue
        for domain in DOMAINS:
            if applies(found, domain, stage):
                numbers = {
                    name: value for name, value in features(found, domain).items() if name in READ[stage]
                }
                right = sample.kind == domain
                made.append(Row(source=sample.source, kind=sample.kind, right=right, numbers=numbers))
    return made


def train(learned: Sequence[Row], stage: AdviceStage) -> dict[str, object]:
    """The weights of one stage, as the file holds them."""
    names = sorted(READ[stage])
    table = np.array([[row.numbers.get(name, 0.0) for name in names] + [1.0] for row in learned])
    right = np.array([float(row.right) for row in learned])
    counts = Counter((row.source, row.kind) for row in learned)
    weight = np.array(
        [
            counts[row.source, row.kind] ** -0.5 * (OWN_WEIGHT if row.source == "own" else 1.0)
            for row in learned
        ]
    )
    found = _fit(table, right, weight / weight.sum(), names)
    weights = {name: round(float(value), 3) for name, value in zip(names, found[:-1], strict=True)}
    return {
        "bias": round(float(found[-1]), 3),
        "threshold": THRESHOLDS[stage],
        "weights": {name: value for name, value in weights.items() if value},
    }


def _fit(table: Floats, right: Floats, weight: Floats, names: Sequence[str]) -> Floats:
    """Logistic weights by Adam over all rows at once, kept to their signs."""
    least = np.array([0.0 if name in FOR else -np.inf for name in names] + [-np.inf])
    most = np.array([0.0 if name in AGAINST else np.inf for name in names] + [np.inf])
    ridge = np.append(np.full(len(names), RIDGE / len(table)), 0.0)
    found = np.zeros(table.shape[1])
    slope, square = np.zeros_like(found), np.zeros_like(found)
    for step in range(1, STEPS + 1):
        chance = 1 / (1 + np.exp(-table @ found))
        gradient = table.T @ ((chance - right) * weight) + ridge * found
        slope = 0.9 * slope + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        rate = RATE if step < 0.7 * STEPS else RATE / 10
        found -= rate * (slope / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-9)
        found = np.clip(found, least, most)
    return found
