"""Orders and questions to an assistant, in text that should be data.

Looks at one sentence at a time: what it says, and whether it fits its surroundings. A row of a table, a line
of code or a log is no sentence; a sentence between such lines stands out.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from proctor.policies.injection._features import Block, block_of, folded, word_features
from proctor.policies.injection._weights import Head

_SENTENCE: Final = re.compile(
    r"[^\n.!?\u3002\uff01\uff1f]{1,400}(?:[.!?](?=[^\s\"')\]])[^\n.!?\u3002\uff01\uff1f]{0,200}){0,6}[.!?\u3002\uff01\uff1f:]{0,3}[\"')\]]{0,2}"
)
_TABLE = re.compile(r"\||\t|(?:,(?! )[^,\n]{0,40}){4}")
_CODE = re.compile(
    r"^\s{4,}\S|[;{}]\s*$|^\s*(?:def \w|class \w+[:(]|#|//|/\*|>>>|\$ |@\w|file \")"
    r"|^\s*(?:import|from) [\w.]+(?: import| as|\s*$)"
    r"|^\s*(?:if|for|while|try|except|with|else|elif|return)\b[^.]*[:)\]]\s*$"
    r"|\w\(\w*[),]|\w\[\w*\]|\s[=<>]{1,2}\s|traceback \(|error:|\"\s*:"
)
_LOG = re.compile(r"^\W{0,3}\d{2,4}[-/:]\d\d|^\s*(?:(?:info|debug|warn|error)\b|(?:get|post|put|delete) /)")
_VALUE = re.compile(r"(?<!\\)\"((?:[^\"\\\n]|\\.){12,2000}+)\"")
"""A text in quotation marks, as code and JSON hold them."""
_FEWEST_WORDS = 3
_SHORT: Final = 6
_LONG: Final = 25
_NEAR: Final = 0.5
_EACH_MORE: Final = 0.5
_HIGHEST: Final = 2.0
_FEWEST_ASIAN = 4


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and the features that tell an order from data."""

    start: int
    end: int
    features: frozenset[str]


def orders(text: str, head: Head) -> Iterator[tuple[int, int, float]]:
    """Where sentences stand that are taken for orders, with how sure that is.

    The more of a text's sentences look so, the higher the bar: a manual is full of them.
    """
    scored = [
        (head.constant + sum(head.of[name] for name in sentence.features if name in head.of), sentence)
        for sentence in sentences(text)
    ]
    near = sum(score >= head.threshold - _NEAR for score, _ in scored)
    bar = head.threshold + min(_HIGHEST, _EACH_MORE * max(0, near - 1))
    for score, sentence in scored:
        if score >= bar:
            yield sentence.start, sentence.end, head.chance(score, bar)


def sentences(text: str) -> list[Sentence]:
    """The sentences of a text that is data."""
    lowered = folded(text)
    units: list[tuple[int, int, str]] = []
    place = 0
    for line in lowered.split("\n"):
        kind = _kind(line)
        if kind in ("prose", "table"):
            units.extend(
                (place + match.start(), place + match.end(), kind) for match in _SENTENCE.finditer(line)
            )
        elif line.strip():
            units.append((place, place + len(line), kind))
            for value in _VALUE.finditer(line):
                begun = place + value.start(1)
                units.extend(
                    (begun + match.start(), begun + match.end(), "value")
                    for match in _SENTENCE.finditer(value[1])
                )
        place += len(line) + 1
    return list(_featured(lowered, units))


def _kind(line: str) -> str:
    if _TABLE.search(line):
        return "table"
    if _LOG.search(line):
        return "log"
    return "code" if _CODE.search(line) else "prose"


def _featured(text: str, units: Sequence[tuple[int, int, str]]) -> Iterator[Sentence]:
    kinds = [kind for *_, kind in units if kind != "value"]
    total = len(kinds)
    shares = {kind: kinds.count(kind) / total for kind in ("table", "code", "log", "prose")} if total else {}
    around = max(shares, key=lambda kind: shares[kind], default="prose")
    for position, (start, end, kind) in enumerate(units):
        if kind not in ("prose", "value"):
            continue
        block = block_of(text, start, end)
        if len(block.words) < (
            _FEWEST_ASIAN if any(len(word) == 1 for word in block.words) else _FEWEST_WORDS
        ):
            continue
        features = word_features(block, None)
        features.add(f"^{block.words[0]}")
        features.update(_shape(text[start:end], block))
        features.add(f"@in {around}")
        if kind == "value":
            features.add("@value")
        elif around != "prose":
            features.add("@stands out")
        features.add("@first" if position == 0 else "@last" if position == len(units) - 1 else "@inside")
        if position > 0 and text[start - 1] == "\n":
            features.add("@own line")
        yield Sentence(start, end, frozenset(features))


def _shape(text: str, block: Block) -> Iterator[str]:
    yield f"^{block.ideas[0]}"
    stripped = text.rstrip("\"')] ")
    if stripped.endswith(("?", "\uff1f")):
        yield "@question"
    if stripped.endswith(":"):
        yield "@colon"
    yield "@short" if len(block.words) < _SHORT else "@long" if len(block.words) > _LONG else "@middling"
