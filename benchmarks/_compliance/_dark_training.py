"""Trains the weights for dark patterns: logistic regression over words and characters, by scikit-learn."""

import math
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from benchmarks._compliance._figures import interval
from benchmarks._compliance._samples import ShopText
from proctor.policies._dark_patterns import Weights, character_parts, normalised, parts, word_parts

SEED = 20261123
COST = 30.0
SEEN = 2
"""Stretches of characters are learned that so many texts hold."""
TALK_WEIGHT = 0.05
"""How much a sentence that is from no shop counts."""
FOLDS = 5
THRESHOLD = 0.33


def train(texts: Sequence[ShopText], talk: Iterable[str]) -> dict[str, Any]:
    """The weights, as the file holds them."""
    text = import_module("sklearn.feature_extraction.text")
    linear = import_module("sklearn.linear_model")
    learned = [(one.text, one.dark) for one in texts] + [(each, False) for each in talk]
    plain = [normalised(one) for one, _ in learned]
    sorts = {
        "words": text.TfidfVectorizer(analyzer=lambda one: list(word_parts(one)), sublinear_tf=True),
        "characters": text.TfidfVectorizer(
            analyzer=lambda one: list(character_parts(one)), sublinear_tf=True, min_df=SEEN
        ),
    }
    tables = [sort.fit(plain[: len(texts)]).transform(plain) for sort in sorts.values()]
    table = import_module("scipy.sparse").hstack(tables).tocsr()
    model = linear.LogisticRegression(C=COST, max_iter=5_000, random_state=SEED)
    weight = [1.0] * len(texts) + [TALK_WEIGHT] * (len(learned) - len(texts))
    model.fit(table, [dark for _, dark in learned], sample_weight=weight)
    made: dict[str, Any] = {"bias": round(float(model.intercept_[0]), 4), "threshold": THRESHOLD}
    start = 0
    for name, sort in sorts.items():
        parts = sort.get_feature_names_out()
        weights = model.coef_[0][start : start + len(parts)]
        start += len(parts)
        made[name] = {
            str(part): (round(float(rarity), 2), round(float(weight), 3))
            for part, rarity, weight in zip(parts, sort.idf_, weights, strict=True)
        }
    return made


def folds(texts: Sequence[ShopText], talk: Sequence[str]) -> dict[str, Any]:
    """Figures of texts that weren't trained on: split at random, and by template."""
    choose = import_module("sklearn.model_selection")
    splits = {
        "random": choose.StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(
            texts, [one.dark for one in texts]
        ),
        "by template": choose.GroupKFold(FOLDS).split(texts, groups=[one.template for one in texts]),
    }
    return {name: _folded(texts, talk, split) for name, split in splits.items()}


def _is_dark(weights: Weights, text: str) -> bool:
    """What the check says of a text."""
    least = math.log(THRESHOLD / (1 - THRESHOLD))
    return any(weights.logit(text[start:end]) >= least for start, end in parts(text))


def _folded(texts: Sequence[ShopText], talk: Sequence[str], split: Iterable[Any]) -> dict[str, Any]:
    found: dict[int, bool] = {}
    for learned, kept in split:
        weights = Weights(**train([texts[place] for place in learned], talk))
        found |= {int(place): _is_dark(weights, texts[place].text) for place in kept}
    dark = [place for place, one in enumerate(texts) if one.dark]
    hits = sum(found[place] for place in dark)
    wrong = sum(found.values()) - hits
    precision, recall = hits / (hits + wrong), hits / len(dark)
    categories = sorted({texts[place].category for place in dark})
    return {
        "n": len(texts),
        "f1": round(2 * precision * recall / (precision + recall), 4),
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "recall_interval": interval(hits, len(dark)),
        "recall_by_category": {
            category: round(
                sum(found[place] for place in dark if texts[place].category == category)
                / sum(texts[place].category == category for place in dark),
                4,
            )
            for category in categories
        },
    }
