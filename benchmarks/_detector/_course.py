"""The whole course: from the data to two heads with their thresholds, and what is told of them."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from benchmarks._detector import _attack, _order, _samples
from benchmarks._detector._attack import Model, Windows
from benchmarks._detector._order import Row
from benchmarks._detector._samples import Sample

Made: TypeAlias = Mapping[str, Mapping[str, Any]]
_FOLDS: Final = 4
_SMALLEST_WEIGHT: Final = 0.05
_ALLOWED: Final = {"all": 0.02, "security talk": 0.04, "zhmed": 0.01, "cmrc": 0.012, "crosswoz": 0.01}
"""The share of harmless texts, of each kind, that may score above the threshold: half of what is promised."""
_ALLOWED_IN_DATA: Final = {"tools": 0.008}
_CLINC_ORDERS: Final = 500
_TEXTS_OF_A_SOURCE: Final = 700


@dataclass(frozen=True, slots=True)
class Course:
    """All that is learned from."""

    data: Path
    samples: Sequence[Sample]
    windows: Sequence[Windows]
    orders: Sequence[Row]
    """Sentences of all sources, orders and harmless ones."""


def prepare(data: Path) -> Course:
    """Read the data."""
    samples = _samples.load(data)
    windows = [_attack.windows(sample.text) for sample in samples]
    return Course(data, samples, windows, _order_rows(data, samples))


def weights(course: Course) -> Made:
    """The two heads with their thresholds."""
    learned = [at for at, sample in enumerate(course.samples) if sample.source not in _samples.MEASURED_ONLY]
    attack = _train_attack(course, learned)
    held = held_scores(course, learned)
    threshold = attack_threshold(course, held)
    order = _order.train(course.orders)
    held_orders = held_order_scores(course)
    return {
        "attack": _told(attack, threshold, threshold, _attack.BLOCKS),
        "order": _told(order, order_threshold(held_orders), 0.0, 1),
    }


def held_scores(course: Course, learned: Sequence[int]) -> dict[int, float]:
    """The score of each sample, by a model that hasn't seen it."""
    scores: dict[int, float] = {}
    rest = set(range(len(course.samples))) - set(learned)
    for fold in range(_FOLDS):
        inside = [at for at in learned if _fold(course.samples[at].text) != fold]
        model = _train_attack(course, inside)
        outside = [at for at in learned if _fold(course.samples[at].text) == fold]
        scores.update((at, model.best(course.windows[at])) for at in outside)
        if fold == 0:
            scores.update((at, model.best(course.windows[at])) for at in rest)
    return scores


def attack_threshold(course: Course, held: Mapping[int, float]) -> float:
    """The lowest threshold at which no kind of harmless text is held more often than allowed."""
    of_kind: dict[str, list[float]] = defaultdict(list)
    for at, score in held.items():
        sample = course.samples[at]
        if not sample.label:
            of_kind["all"].append(score)
            if sample.source in _ALLOWED:
                of_kind[sample.source].append(score)
    return round(max(float(np.quantile(scores, 1 - _ALLOWED[kind])) for kind, scores in of_kind.items()), 3)


def held_order_scores(course: Course) -> list[tuple[Row, float]]:
    """The score of each harmless sentence by a model that hasn't seen it."""
    found = []
    for fold in range(_FOLDS):
        inside = [row for at, row in enumerate(course.orders) if at % _FOLDS != fold]
        model = _order.train(inside)
        found += [(row, model.score(row.features)) for at, row in enumerate(course.orders) if at % _FOLDS == fold]
    return found


def order_threshold(held: Sequence[tuple[Row, float]]) -> float:
    """The lowest threshold at which so few of the harmless sentences are held."""
    by_source: dict[str, list[float]] = defaultdict(list)
    for row, score in held:
        if not row.label:
            by_source[row.source].append(score)
    return round(float(np.mean([np.quantile(scores, 1 - 0.008) for scores in by_source.values()])), 3)


def _train_attack(course: Course, places: Sequence[int]) -> Model:
    return _attack.train([course.samples[at] for at in places], [course.windows[at] for at in places])


def _order_rows(data: Path, samples: Sequence[Sample]) -> list[Row]:
    rng = random.Random(_order.SEED)  # noqa: S311 - a fixed draw
    by_source: dict[str, list[str]] = defaultdict(list)
    for sample in samples:
        if not sample.label:
            by_source[sample.source].append(sample.text)
    tau = list(dict.fromkeys(_samples.tau_results(data)))
    documents = _samples.own_documents()
    carriers = documents + [text for source, text in tau if source == "tau" and len(text) < 3000][:60]
    orders = [("own orders", text) for text in _samples.own("tool_attacks")]
    orders += [("own attacks", text) for kind in ("en", "zh", "other") for text in _samples.own(f"attacks_{kind}")]
    orders += [
        ("bastion", sample.text)
        for sample in samples
        if sample.source == "bastion" and sample.label and len(sample.text) < 400
    ]
    orders += [("clinc", text) for text in rng.sample(by_source["clinc"], _CLINC_ORDERS)]
    attacks = sorted({str(row["attack"]).split("\n")[0] for row in _samples.bipia(data) if row["label"]})
    orders += [("bipia attacks", text) for text in attacks]
    harmless = [("own documents", text) for text in documents] + tau
    for source in ("medquad", "shop", "presidio", "zhmed"):
        harmless += [(source, text) for text in by_source[source][:_TEXTS_OF_A_SOURCE]]
    return _order.inserted(orders, carriers) + _order.harmless(harmless)


def _told(model: Model, threshold: float, in_data: float, blocks: int) -> dict[str, Any]:
    kept = {name: round(weight, 2) for name, weight in sorted(model.of.items()) if abs(weight) >= _SMALLEST_WEIGHT}
    settings = {
        "constant": round(model.constant, 3),
        "threshold": threshold,
        "in_data": in_data,
        "blocks": blocks,
        "steep": 0.7,
    }
    return {"settings": settings, "weights": kept}


def _fold(text: str) -> int:
    return sha256(text.encode()).digest()[0] % _FOLDS


def report(course: Course, made: Made) -> dict[str, Any]:
    """What is told beside the weights."""
    return {"settings": {name: head["settings"] for name, head in made.items()}, "data": _samples.digests(course.data)}
