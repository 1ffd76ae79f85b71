"""Trains the head that knows orders to an assistant in data, on sentences put into documents."""

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks._detector._attack import Model
from benchmarks._detector._fit import fit, vocabulary
from benchmarks._detector._samples import SEED
from proctor.policies.canonical._canonical import canonical
from proctor.policies.injection._orders import sentences

DECAY: Final = 1e-4
WORDS_WEIGH: Final = 2.0
LEAST: Final = 3
_PLACES_EACH: Final = 4
_ON_OWN_LINE: Final = 0.75
_IN_VALUE: Final = 0.7

Features = frozenset[str]


@dataclass(frozen=True, slots=True)
class Row:
    """A sentence to learn from."""

    source: str
    label: int
    features: Features


def inserted(
    orders: Iterable[tuple[str, str]], documents: Sequence[str], *, places: int = _PLACES_EACH
) -> list[Row]:
    """Orders (source and text), each put into some documents: the sentences that are theirs."""
    rng = random.Random(SEED)
    rows: list[Row] = []
    for source, order in orders:
        for document in rng.sample(documents, places):
            text, start, end = _put(order, document, rng)
            view = canonical(text)
            rows += [
                Row(source, 1, sentence.features)
                for sentence in sentences(view.text)
                if start <= view.original(sentence.start, sentence.end)[0] < end - 2
            ]
    return rows


def harmless(documents: Iterable[tuple[str, str]]) -> list[Row]:
    """The sentences of documents (source and text), each once."""
    seen: set[Features] = set()
    rows: list[Row] = []
    for source, document in documents:
        for sentence in sentences(canonical(document).text):
            if sentence.features not in seen:
                seen.add(sentence.features)
                rows.append(Row(source, 0, sentence.features))
    return rows


def train(rows: Sequence[Row]) -> Model:
    """The model of some sentences."""
    sizes = Counter((row.source, row.label) for row in rows)
    counts = {key: size**0.6 for key, size in sizes.items()}
    total = {label: sum(count for key, count in counts.items() if key[1] == label) for label in (0, 1)}
    importance = [
        counts[row.source, row.label] / sizes[row.source, row.label] / total[row.label] for row in rows
    ]
    features = [row.features for row in rows]
    names = vocabulary(features, [row.source for row in rows], least=LEAST)
    return Model(
        *fit(features, [row.label for row in rows], importance, names, decay=DECAY, words_weigh=WORDS_WEIGH)
    )


def _put(order: str, document: str, rng: random.Random) -> tuple[str, int, int]:
    values = [match.end() for match in re.finditer(r"\": \"", document)] if document.startswith("{") else []
    if values and rng.random() < _IN_VALUE:
        start = rng.choice(values)
        return f"{document[:start]}{order} {document[start:]}", start, start + len(order)
    lines = document.split("\n")
    at = rng.choice((0, len(lines) // 2, len(lines)))
    before, after = "\n".join(lines[:at]), "\n".join(lines[at:])
    glue = "\n" if rng.random() < _ON_OWN_LINE or not before.endswith((".", "?", "!")) else " "
    start = len(before) + len(glue) if before else 0
    text = (before + glue if before else "") + order + ("\n" + after if after else "")
    return text, start, start + len(order)
