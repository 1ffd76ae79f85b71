"""Texts with what they are: public data sets and examples of our own, each with its source."""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from benchmarks._surroundings import data_folder
from proctor.core import ProctorError
from proctor.policies._dark_patterns import parts

Kind = Literal["none", "investment", "medical", "legal"]
AdviceStage = Literal["input", "output"]

LICENCES = {
    "banking77": "CC-BY-4.0",
    "clinc150": "CC-BY-3.0",
    "cyberseceval": "MIT",
    "crosswoz": "Apache-2.0",
    "medquad": "CC-BY-4.0",
    "zhmed": "MIT",
    "spikee": "Apache-2.0",
    "abcd": "MIT",
    "tau2": "MIT",
    "llmwarden": "MIT",
    "own": "own",
    "darkpattern": "Apache-2.0",
}
"""What is trained on. Sources that aren't here are only measured."""
PLAIN: dict[str, AdviceStage] = {
    "abcd": "output",
    "own": "output",
    "tau2": "output",
    "medquad": "output",
    "llmwarden": "output",
    "banking77": "input",
    "clinc150": "input",
}
"""Where sentences come from that are no dark patterns, and their stage."""
PER_SOURCE = 700
_LATIN = re.compile(r"[^\u4e00-\u9fff]*[A-Za-z]{3}")


class DataMissing(ProctorError):
    """The data sets aren't there."""

    code = "data_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A text, and what it asks for or gives."""

    source: str
    stage: AdviceStage
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopText:
    """A text of a shop's page."""

    text: str
    dark: bool
    category: str
    template: str
    """The same for texts that differ in names and numbers only: such are never on both sides of a split."""


def advice_samples(other: Path | None = None) -> list[Sample]:
    """All samples on advice; those in the file `other`, one JSON object a line, are only measured.

    Raises:
        DataMissing: a data set isn't there.
    """
    folder = data_folder()
    try:
        samples = [*_asked(folder), *_answered(folder), *_own()]
    except FileNotFoundError as error:
        raise DataMissing(
            f"The data set {error.filename} isn't there.", hint="Set PROCTOR_DATA to the folder of data sets."
        ) from None
    if other is not None:
        samples += [Sample(**row) for row in _jsonl(other)]
    return samples


def shop_texts() -> list[ShopText]:
    """All shop texts.

    Raises:
        DataMissing: the data set isn't there.
    """
    try:
        rows = list(_guard("comp-darkpattern-dev"))
    except FileNotFoundError as error:
        raise DataMissing(
            f"The data set {error.filename} isn't there.", hint="Set PROCTOR_DATA to the folder of data sets."
        ) from None
    return [
        ShopText(
            text=row["text"],
            dark=row["label"] == 1,
            category=row["category"],
            template=" ".join(re.sub(r"[^a-z ]", "", row["text"].lower()).split()[:2]),
        )
        for row in rows
    ]


def plain_talk(samples: Iterable[Sample]) -> dict[str, list[str]]:
    """Sentences of other texts than a shop's, which are no dark patterns: some of each source."""
    found: dict[str, list[str]] = {source: [] for source in PLAIN}
    for sample in samples:
        if sample.source in PLAIN and sample.stage == PLAIN[sample.source]:
            found[sample.source] += [sample.text[start:end] for start, end in parts(sample.text)]
    return {
        source: sorted({one for one in sentences if _LATIN.match(one)}, key=_shuffled)[:PER_SOURCE]
        for source, sentences in found.items()
    }


def tool_results() -> list[str]:
    """What the tools of the tau2 replays gave back, each text once; never trained on.

    Raises:
        DataMissing: the data set isn't there.
    """
    files = sorted((data_folder() / "tau2").glob("*/replay_*.jsonl"))
    if not files:
        raise DataMissing(
            "The data set tau2 isn't there.", hint="Set PROCTOR_DATA to the folder of data sets."
        )
    steps = (step for file in files for row in _jsonl(file) for step in row["steps"])
    return sorted({str(step["result"]) for step in steps if step["result"]})


def _shuffled(text: str) -> bytes:
    return sha256(text.encode()).digest()


def digest(texts: Iterable[str]) -> str:
    """What tells whether the texts are the same."""
    return sha256("\n".join(sorted(texts)).encode()).hexdigest()[:16]


def _asked(folder: Path) -> Iterator[Sample]:
    for row in _guard("comp-spikee-investment"):
        kind: Kind = "investment" if row["label"] else "none"
        yield Sample(source="spikee", stage="input", kind=kind, text=row["text"])
    for source, name in (("banking77", "fp-banking77-train"), ("clinc150", "fp-clinc150-train")):
        for row in _guard(name):
            yield Sample(source=source, stage="input", kind="none", text=row["text"])
    for row in _guard("fp-cyberseceval-frr"):
        if row["lang"] == "en":
            yield Sample(source="cyberseceval", stage="input", kind="none", text=row["text"])
    for source in ("llmwarden", "llmwarden-test", "deepset"):
        yield from _harmless(source, "input")
    with (folder / "intents" / "bitext" / "train.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            yield Sample(source="bitext", stage="input", kind="none", text=row["utterance"])
    for row in _jsonl(folder / "retrieval" / "cmrc2018_dev" / "queries.jsonl"):
        yield Sample(source="cmrc2018", stage="input", kind="none", text=row["text"])


def _answered(folder: Path) -> Iterator[Sample]:
    for row in _guard("comp-zhmed-dev"):
        stage: AdviceStage = "input" if row["role"] == "question" else "output"
        yield Sample(source="zhmed", stage=stage, kind="medical", text=row["text"])
    for row in _guard("comp-medquad"):
        if row["role"] == "question":
            yield Sample(source="medquad", stage="input", kind="none", text=row["text"])
        else:
            yield Sample(source="medquad", stage="output", kind="medical", text=row["text"])
    yield from _talks(folder)
    for row in _jsonl(folder / "tau2" / "banking_knowledge" / "documents.jsonl"):
        yield Sample(source="tau2", stage="output", kind="none", text=row["content"])
    for source in ("llmwarden", "llmwarden-test"):
        yield from _harmless(source, "output")
    for row in _jsonl(folder / "retrieval" / "cmrc2018_dev" / "corpus.jsonl"):
        yield Sample(source="cmrc2018", stage="output", kind="none", text=row["text"])


def _harmless(source: str, stage: AdviceStage) -> Iterator[Sample]:
    """Instructions to models, and articles that come with them."""
    name = f"inj-{source}" if source.endswith("-test") else f"inj-{source}-train"
    for row in _guard(name):
        if row["label"] == 0:
            yield Sample(source=source, stage=stage, kind="none", text=row["text"])


def _talks(folder: Path) -> Iterator[Sample]:
    dialogues = json.loads((folder / "crosswoz" / "val_first100.json").read_text("utf-8"))
    for dialogue in dialogues.values():
        for message in dialogue["messages"]:
            stage: AdviceStage = "input" if message["role"] == "usr" else "output"
            yield Sample(source="crosswoz", stage=stage, kind="none", text=message["content"])
    for talk in json.loads((folder / "abcd" / "abcd_sample.json").read_text("utf-8")):
        for who, text in talk["original"]:
            if who != "action":
                stage = "output" if who == "agent" else "input"
                yield Sample(source="abcd", stage=stage, kind="none", text=text)


def _own() -> Iterator[Sample]:
    for name in ("own", "held"):
        file = Path(__file__).with_name(f"{name}.tsv")
        with file.open(encoding="utf-8", newline="") as lines:
            rows: Iterator[dict[str, Any]] = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            for row in rows:
                yield Sample(source=name, **row)


def _guard(name: str) -> Iterator[dict[str, Any]]:
    yield from _jsonl(data_folder() / "guard" / name / "data.jsonl")


def _jsonl(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
