"""Personal advice that is asked for or given: on investments, on health, on the law.

General education passes: what a bond is, what causes a disease, how courts work. At output medical content
counts as advice, too, since whoever reads it as an answer acts on it; it is then found with less confidence.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import islice

from proctor.policies._advice_features import DOMAINS, LEAST_LEVEL, Told, directed, features, told
from proctor.policies._reading import Finding, Reading

WINDOW, STEP = 1_200, 800
"""A longer text is read by stretches of so many characters, each so much after the one before."""
GENERAL = 0.6
"""The most confidence in medical content that tells nobody what to do."""
MOST_FINDINGS = 16
MOST_SENTENCES = 32
"""Sentences of a stretch among which the telling one is looked for."""
_SENTENCES = re.compile(r"[^.!?。!?\n;]*+(?:[.;](?!\s)[^.!?。!?\n;]*+)*+[.!?。;\n]*+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How one stage judges."""

    bias: float
    threshold: float
    weights: Mapping[str, float]

    def logit(self, found: Mapping[str, float]) -> float:
        """The log-odds that these numbers are of advice."""
        return self.bias + sum(self.weights.get(name, 0.0) * value for name, value in found.items())


@cache
def _weights(stage: str) -> Weights | None:
    text = resources.files("proctor.policies").joinpath("data/advice.json").read_text("utf-8")
    stages = json.loads(text)["stages"]
    return Weights(**stages[stage]) if stage in stages else None


def applies(found: Told, domain: str, stage: str) -> bool:
    """Whether a text is worth judging: it is about the domain, and an answer tells somebody what to do."""
    return found.levels[domain] >= LEAST_LEVEL and (
        stage == "input" or domain == "medical" or directed(found)
    )


def advice(reading: Reading) -> Iterable[Finding]:
    """Requests for personal advice at input, and such advice at output: the sentence that is it."""
    weights = _weights(reading.stage)
    if weights is None:
        return
    for view in reading.views:
        for kind, start, end, confidence in judge(view.text, reading.stage, weights):
            first, last = view.original(start, end)
            yield Finding(kind=kind, start=first, end=last, confidence=confidence)


def judge(text: str, stage: str, weights: Weights) -> Iterator[tuple[str, int, int, float]]:
    """Kind, place and confidence of the advice in a text."""
    count = 0
    for start, end in _windows(text):
        for kind, first, last, confidence in _judged(text[start:end], stage, weights):
            yield kind, start + first, start + last, confidence
            count += 1
            if count == MOST_FINDINGS:
                return


def _windows(text: str) -> Iterator[tuple[int, int]]:
    for start in range(0, max(1, len(text) - (WINDOW - STEP)), STEP):
        yield start, min(len(text), start + WINDOW)


def _judged(text: str, stage: str, weights: Weights) -> Iterator[tuple[str, int, int, float]]:
    found = told(text.lower())
    if found is None:
        return
    for domain in DOMAINS:
        if not applies(found, domain, stage):
            continue
        confidence = 1 / (1 + math.exp(-weights.logit(features(found, domain))))
        if confidence >= weights.threshold:
            if stage == "output" and not directed(found):
                confidence = min(confidence, GENERAL)
            yield f"{domain}_advice", *_sentence(text, domain, weights), round(confidence, 2)


def _sentence(text: str, domain: str, weights: Weights) -> tuple[int, int]:
    """The sentence that speaks most for it."""
    best, most = (0, len(text)), -math.inf
    for match in islice(_SENTENCES.finditer(text), MOST_SENTENCES):
        sentence = match[0]
        found = told(sentence.lower()) if sentence.strip() else None
        if found is None:
            continue
        logit = weights.logit(features(found, domain))
        if logit > most:
            most = logit
            start = match.start() + len(sentence) - len(sentence.lstrip())
            best = start, start + len(sentence.strip())
    return best
