"""Trains the weights for dark patterns: logistic regression over words and characters, by scikit-learn."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import chain
from typing import Any

from benchmarks._compliance._figures import interval
from benchmarks._compliance._plain_talk import made_talk
from benchmarks._compliance._samples import PLAIN, Sample, ShopText, tool_results
from proctor.policies._dark_patterns import (
    Weights,
    character_parts,
    english,
    normalised,
    parts,
    word_parts,
)

SEED = 20261123
COST = 30.0
SEEN = 3
"""Stretches are learned that so many texts hold."""
TALK_WEIGHT = 0.2
"""How much a sentence that is from no shop counts."""
MADE_WEIGHT = 0.6
"""How much one counts that was made: shop texts without a dark pattern hold no number at all."""
FOLDS = 5
WAIVED = 0.003
"""So much of the best F1 is given for a higher point, where less is found wrongly."""
LEFT_OUT = ("abcd", "tau2", "medquad")
"""Sources of answers that are measured with weights which were trained without them."""

Talk = Mapping[str, Sequence[str]]
"""Sentences that are no dark patterns, by source."""


def train(texts: Sequence[ShopText], talk: Talk) -> dict[str, Any]:
    """The weights, as the file holds them; their bias puts the chosen point at 0.5."""
    made = _fitted(texts, talk)
    return made | {"bias": round(made["bias"] - _point(texts, talk), 4)}


def _fitted(texts: Sequence[ShopText], talk: Talk) -> dict[str, Any]:
    text = import_module("sklearn.feature_extraction.text")
    linear = import_module("sklearn.linear_model")
    real, made = list(chain.from_iterable(talk.values())), made_talk()
    dark = [one.dark for one in texts] + [False] * (len(real) + len(made))
    weight = [1.0] * len(texts) + [TALK_WEIGHT] * len(real) + [MADE_WEIGHT] * len(made)
    plain = [normalised(one) for one in chain((one.text for one in texts), real, made)]
    sorts = {
        "words": text.TfidfVectorizer(
            analyzer=lambda one: list(word_parts(one)), sublinear_tf=True, min_df=SEEN
        ),
        "characters": text.TfidfVectorizer(
            analyzer=lambda one: list(character_parts(one)), sublinear_tf=True, min_df=SEEN
        ),
    }
    table = import_module("scipy.sparse").hstack([sort.fit_transform(plain) for sort in sorts.values()])
    model = linear.LogisticRegression(C=COST, max_iter=5_000, random_state=SEED)
    model.fit(table.tocsr(), dark, sample_weight=weight)
    learned: dict[str, Any] = {"bias": round(float(model.intercept_[0]), 4)}
    start = 0
    for name, sort in sorts.items():
        stretches = sort.get_feature_names_out()
        coefficients = model.coef_[0][start : start + len(stretches)]
        start += len(stretches)
        learned[name] = {
            str(part): (round(float(rarity), 2), round(float(weight), 3))
            for part, rarity, weight in zip(stretches, sort.idf_, coefficients, strict=True)
        }
    return learned


def _point(texts: Sequence[ShopText], talk: Talk) -> float:
    """The highest log-odds whose F1 is about the best, on texts that weren't trained on."""
    told = []
    for learned, kept in _at_random(texts):
        weights = Weights(**_fitted([texts[place] for place in learned], talk))
        told += [(_logit(weights, texts[place].text), texts[place].dark) for place in kept]
    told.sort(reverse=True)
    of, hits, scores = sum(dark for _, dark in told), 0, []
    for count, (logit, dark) in enumerate(told, start=1):
        hits += dark
        scores.append((logit, 2 * hits / (count + of)))
    least = max(score for _, score in scores) - WAIVED
    return max(logit for logit, score in scores if score >= least)


def _logit(weights: Weights, text: str) -> float:
    """The log-odds of the text's darkest part."""
    return max((weights.logit(text[start:end]) for start, end in parts(text)), default=-99.0)


def _at_random(texts: Sequence[ShopText]) -> Iterator[Any]:
    choose = import_module("sklearn.model_selection")
    folds = choose.StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    yield from folds.split(texts, [one.dark for one in texts])


def folds(texts: Sequence[ShopText], talk: Talk) -> dict[str, Any]:
    """Figures of texts that weren't trained on: split at random, and by template."""
    choose = import_module("sklearn.model_selection")
    groups = [one.template for one in texts]
    splits = {
        "random": _at_random(texts),
        "by template": choose.GroupKFold(FOLDS).split(texts, groups=groups),
    }
    return {name: _folded(texts, talk, split) for name, split in splits.items()}


def wrong(
    texts: Sequence[ShopText], talk: Talk, samples: Sequence[Sample], made: dict[str, Any]
) -> dict[str, Any]:
    """The share of ordinary texts that are found wrongly; none of them was trained on."""
    shares = {}
    for source in LEFT_OUT:
        without = train(texts, {name: said for name, said in talk.items() if name != source})
        some = _of(samples, source, PLAIN[source])
        shares[f"{source}, trained without it"] = _share(without, some)
    seen = set(chain.from_iterable(talk.values()))
    for source in ("banking77", "clinc150"):
        some = [text for text in _of(samples, source, "input") if text not in seen]
        shares[f"{source}, what wasn't trained on"] = _share(made, some)
    shares["tau2, results of tools"] = _share(made, tool_results())
    shares["bitext, what users say"] = _share(made, _of(samples, "bitext", "input"))
    shares["held, own answers"] = _share(made, _of(samples, "held", "output"))
    return shares


def _of(samples: Iterable[Sample], source: str, stage: str) -> list[str]:
    return sorted({one.text for one in samples if one.source == source and one.stage == stage})


def _share(made: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    weights = Weights(**made)
    hits = sum(_is_dark(weights, text) for text in texts)
    return {"n": len(texts), "found": round(hits / len(texts), 4), "interval": interval(hits, len(texts))}


def _is_dark(weights: Weights, text: str) -> bool:
    """What the check says of a text."""
    return any(True for _ in english(text, weights))


def _folded(texts: Sequence[ShopText], talk: Talk, split: Iterable[Any]) -> dict[str, Any]:
    found: dict[int, bool] = {}
    alone: dict[int, bool] = {}
    for learned, kept in split:
        weights = Weights(**train([texts[place] for place in learned], talk))
        found |= {int(place): _is_dark(weights, texts[place].text) for place in kept}
        alone |= {int(place): _logit(weights, texts[place].text) >= 0 for place in kept}
    categories = sorted({one.category for one in texts if one.dark})
    return (
        _figures(texts, found)
        | {"without the rule for prose": _figures(texts, alone)}
        | {
            "recall_by_category": {
                category: _share_found(
                    found, [at for at, one in enumerate(texts) if one.category == category]
                )
                for category in categories
            },
        }
    )


def _figures(texts: Sequence[ShopText], found: Mapping[int, bool]) -> dict[str, Any]:
    dark = [place for place, one in enumerate(texts) if one.dark]
    hits = sum(found[place] for place in dark)
    precision, recall = hits / sum(found.values()), hits / len(dark)
    return {
        "n": len(texts),
        "f1": round(2 * precision * recall / (precision + recall), 4),
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "recall_interval": interval(hits, len(dark)),
    }


def _share_found(found: Mapping[int, bool], places: Sequence[int]) -> float:
    return round(sum(found[place] for place in places) / len(places), 4)
