"""The whole course: from the data to two heads with their thresholds, and what is told of them."""

import random
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
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
_WHOLE_FOLDS: Final = {
    "crosswoz": 1,
    "zh numbers": 2,
    "tau": 0,
    "bank documents": 1,
    "made documents": 2,
    "manuals": 3,
    "medquad": 3,
    "presidio": 2,
    "shop": 1,
}
"""Harmless sources that are left out as a whole when their scores are taken; others in quarters."""
_SMALLEST_WEIGHT: Final = 0.04
_ALLOWED: Final = {"": 0.025, "security talk": 0.05}
"""The share of harmless texts that may score above the threshold, in all and of one source."""
_ALLOWED_ON_AVERAGE: Final = 0.03
"""The same as the average of sources, small ones like large ones."""
_ALLOWED_ASIAN: Final = {"zhmed": 0.01, "cmrc": 0.015, "crosswoz": 0.015}
_ALLOWED_IN_DATA: Final = 0.02
_ALLOWED_SENTENCES: Final = 0.015
_DATA: Final = ("tau", "bank documents", "made documents", "own documents", "manuals", "other manuals")
_CLINC_ORDERS: Final = 500
_TEXTS_OF_A_SOURCE: Final = 700
_LONGEST_CARRIER: Final = 3000


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


def train_attack(course: Course, *, without: Collection[str] = (), fold: int | None = None) -> Model:
    """The head that knows attacks, of all sources but some, and without one fold."""
    places = [
        at
        for at, sample in enumerate(course.samples)
        if sample.source not in without
        and sample.source not in _samples.MEASURED_ONLY
        and (fold is None or _fold(sample) != fold)
    ]
    return _attack.train([course.samples[at] for at in places], [course.windows[at] for at in places])


def held_scores(course: Course) -> list[float]:
    """The score of each sample, by a model that hasn't seen it: nor its source, where it is harmless."""
    models = [train_attack(course, fold=fold) for fold in range(_FOLDS)]
    return [
        models[_fold(sample)].best(windows)
        for sample, windows in zip(course.samples, course.windows, strict=True)
    ]


def thresholds(course: Course, held: Sequence[float], *, without: Collection[str] = ()) -> dict[str, float]:
    """The lowest thresholds at which no kind of harmless text is held more often than allowed."""
    of_source: dict[str, list[float]] = defaultdict(list)
    asked: set[str] = set()
    for sample, score in zip(course.samples, held, strict=True):
        if not sample.label and sample.source not in without:
            of_source[sample.source].append(score)
            if not sample.is_data and sample.source not in _ALLOWED_ASIAN:
                of_source[""].append(score)
                asked.add(sample.source)

    def bars(allowed: Mapping[str, float]) -> list[float]:
        return [
            float(np.quantile(of_source[name], 1 - share))
            for name, share in allowed.items()
            if of_source[name]
        ]

    return {
        "threshold": round(max(*bars(_ALLOWED), _on_average([of_source[name] for name in sorted(asked)])), 3),
        "asian": round(max(bars(_ALLOWED_ASIAN)), 3),
        "in_data": round(float(np.mean(bars(dict.fromkeys(_DATA, _ALLOWED_IN_DATA)))), 3),
    }


def _on_average(sources: Sequence[Sequence[float]]) -> float:
    """The lowest of some thresholds at which the average of the sources' shares is allowed."""
    steps = np.arange(-2.0, 8.0, 0.05)
    shares = np.mean([[np.mean(np.asarray(scores) >= step) for step in steps] for scores in sources], axis=0)
    return float(steps[np.argmax(shares <= _ALLOWED_ON_AVERAGE)])


def train_order(course: Course, *, without: Collection[str] = ()) -> Model:
    """The head that knows orders in data, of all sources but some."""
    return _order.train([row for row in course.orders if row.source not in without])


def order_threshold(course: Course) -> float:
    """The lowest threshold at which so few harmless sentences of a source are held, by models without it."""
    found = []
    for left_out in (("manuals",), ("bank documents",), ("tau", "presidio"), ("made documents", "medquad")):
        model = train_order(course, without=left_out)
        for source in left_out:
            scores = [
                model.score(row.features) for row in course.orders if row.source == source and not row.label
            ]
            found.append(float(np.quantile(scores, 1 - _ALLOWED_SENTENCES)))
    return round(float(np.mean(found)), 3)


def made(course: Course, bars: Mapping[str, float], bar: float, *, without: Collection[str] = ()) -> Made:
    """The two heads of all sources but some, at these thresholds."""
    return {
        "attack": _told(train_attack(course, without=without), bars, _attack.BLOCKS),
        "order": _told(
            train_order(course, without=without), {"threshold": bar, "asian": bar, "in_data": bar}, 1
        ),
    }


def _told(model: Model, bars: Mapping[str, float], blocks: int) -> dict[str, Any]:
    kept = {
        name: round(weight, 2) for name, weight in sorted(model.of.items()) if abs(weight) >= _SMALLEST_WEIGHT
    }
    return {
        "settings": {"constant": round(model.constant, 3), **bars, "blocks": blocks, "steep": 0.7},
        "weights": kept,
    }


def _fold(sample: Sample) -> int:
    if not sample.label and sample.source in _WHOLE_FOLDS:
        return _WHOLE_FOLDS[sample.source]
    return sha256(sample.text.encode()).digest()[0] % _FOLDS


def _order_rows(data: Path, samples: Sequence[Sample]) -> list[Row]:
    rng = random.Random(_samples.SEED)
    of_source: dict[str, list[str]] = defaultdict(list)
    for sample in samples:
        if not sample.label:
            of_source[sample.source].append(sample.text)
    documents = [sample for sample in samples if sample.source in _DATA and sample.source != "other manuals"]
    carriers = [
        sample.text
        for position, sample in enumerate(documents)
        if sample.source == "own documents"
        or (
            sample.source in ("tau", "made documents")
            and not position % 10
            and len(sample.text) < _LONGEST_CARRIER
        )
    ]
    orders = [("own orders", text) for text in _samples.own("tool_attacks")]
    orders += [
        ("own attacks", text) for kind in ("en", "zh", "other") for text in _samples.own(f"attacks_{kind}")
    ]
    orders += [
        ("bastion", sample.text)
        for sample in samples
        if sample.source == "bastion" and sample.label and len(sample.text) < 400
    ]
    orders += [("clinc", text) for text in rng.sample(of_source["clinc"], _CLINC_ORDERS)]
    attacks = sorted({str(row["attack"]).split("\n")[0] for row in _samples.bipia(data) if row["label"]})
    orders += [("bipia attacks", text) for text in attacks]
    harmless = [(sample.source, sample.text) for sample in documents]
    for source in ("medquad", "shop", "presidio", "zhmed"):
        harmless += [(source, text) for text in of_source[source][:_TEXTS_OF_A_SOURCE]]
    return _order.inserted(orders, carriers) + _order.harmless(harmless)
