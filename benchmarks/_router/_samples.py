"""Requests with what they need: public data sets as calls, kept apart by a fixed hash of their text."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from cyclopts import Parameter

from benchmarks._router._outcomes import FILE
from benchmarks._surroundings import data_folder
from proctor.core import JsonObject, ModelCall, ProctorError
from proctor.testing import FakeScope

Part = Literal["train", "dev", "test"]
Outcomes: TypeAlias = Annotated[
    Path | None,
    Parameter(help="Questions with the success of two models, as benchmarks._router._outcomes writes them."),
]
"""The option of programs that read them."""

WRITES, STEPS = 2, 5
"""A recorded task with so many writes, or so many calls, is taken for work of a large model."""
SAID = 8
"""Messages of a Chinese conversation of which the customer's are taken."""
QUESTIONS = 6
"""Every so many of the Chinese questions is taken."""
PER_INTENT = 14
"""Questions that are taken of one intent."""

LICENCES = {
    "banking77": "CC-BY-4.0",
    "clinc150": "CC-BY-3.0",
    "bitext": "CDLA-Sharing-1.0",
    "tau1": "MIT",
    "tau2": "MIT",
    "abcd": "MIT",
    "dacode": "MIT",
    "discoverybench": "ODC-BY",
    "crosswoz": "Apache-2.0",
    "cmrc2018": "CC-BY-SA-4.0",
    "medquad": "CC-BY-4.0",
    "zhmed": "MIT",
    "investment": "Apache-2.0",
    "cyberseceval": "MIT",
    "mmlu": "Apache-2.0 (RouteLLM)",
    "gsm8k": "Apache-2.0 (RouteLLM)",
    "llmrouter": "MIT (LLMRouter)",
    "gaokao": "Apache-2.0 (GAOKAO-Bench)",
    "lawbench": "Apache-2.0 (LawBench)",
}


class DataMissing(ProctorError):
    """The data sets aren't there."""

    code = "data_missing"
    status = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One request and what it needs."""

    origin: str
    lang: Literal["en", "zh"]
    text: str
    hard: bool | None = None
    """Whether it needs a large model. None: it isn't known, or no model manages it."""
    domain: str = ""
    """The special domain that it belongs to, where it belongs to one."""
    tools: str = ""
    """The recorded shop whose tools are offered with it."""
    small: bool | None = None
    """Whether a small model did answer it rightly; None where nobody measured it."""
    large: bool | None = None
    answer: int = 400
    """About the characters of an answer."""
    task: str = ""
    """The shop of a recorded task of a support desk: `tau2/airline`. Empty where it is none."""
    calls: int = 1
    """Calls of a model that it takes."""

    @property
    def part(self) -> Part:
        """Where it belongs: two tenths are kept apart for the test, one for settings."""
        place = sha256(self.text.encode()).digest()[0] % 10
        return "test" if place < 2 else "dev" if place == 2 else "train"

    @property
    def label(self) -> str:
        """The class that is looked for; empty where none is."""
        if self.domain:
            return f"special:{self.domain}"
        return "" if self.hard is None else "large" if self.hard else "small"


def load(outcomes: Path | None = None) -> tuple[Sample, ...]:
    """All samples, each text once; those with measured success only where their file is.

    Raises:
        DataMissing: the data sets aren't there.
    """
    folder = data_folder()
    if not (folder / "intents").is_dir():
        raise DataMissing(
            f"there is no {folder / 'intents'}", hint="Set PROCTOR_DATA to the folder of the data sets."
        )
    found = dict[str, Sample]()
    for sample in (*_shared(folder), *_outcomes(outcomes or folder / "router" / FILE)):
        found.setdefault(sample.text, sample)
    # As they would come in: mixed.
    return tuple(sorted(found.values(), key=lambda sample: sha256(sample.text.encode()).digest()[2:]))


class Tools:
    """The tools of the recorded shops, as they are offered to a model."""

    def __init__(self) -> None:
        self._known = dict[str, tuple[JsonObject, ...]]()

    def of(self, shop: str) -> tuple[JsonObject, ...]:
        """The tools of one shop; none without one."""
        if not shop:
            return ()
        if shop not in self._known:
            tools: Sequence[JsonObject] = json.loads((data_folder() / shop / "tools.json").read_text("utf-8"))
            self._known[shop] = tuple(tools)
        return self._known[shop]


def as_call(sample: Sample, tools: Tools, *, model: str = "auto") -> ModelCall:
    """The request as an agent makes it."""
    return ModelCall(
        scope=FakeScope(),
        model=model,
        messages=({"role": "user", "content": sample.text},),
        tools=tools.of(sample.tools),
    )


def _shared(folder: Path) -> Iterator[Sample]:
    yield from _intents(folder / "intents")
    yield from _tasks(folder)
    yield from _analysis(folder)
    yield from _chinese_tasks(folder / "crosswoz" / "val_first100.json")
    yield from _chinese_questions(folder / "retrieval" / "cmrc2018_dev")
    yield from _domains(folder / "guard")


def _intents(folder: Path) -> Iterator[Sample]:
    """Short questions of one intent each: a linear classifier finds more than nine of ten."""
    taken = dict[tuple[str, str], int]()

    def take(origin: str, intent: str, text: str) -> Iterator[Sample]:
        count = taken[origin, intent] = taken.get((origin, intent), 0) + 1
        if count <= PER_INTENT:
            # Half are put to a desk that has tools, so that tools alone don't speak for a large model.
            shop = "tau2/retail" if sha256(text.encode()).digest()[1] % 2 else ""
            yield Sample(origin=origin, lang="en", text=text, hard=False, tools=shop, answer=300)

    for row in _csv(folder / "banking77" / "train.csv"):
        yield from take("banking77", row["category"], row["text"].strip())
    for row in _csv(folder / "bitext" / "train.csv"):
        yield from take("bitext", row["intent"], row["utterance"].strip())
    for text, intent in json.loads((folder / "clinc150" / "data_full.json").read_text("utf-8"))["train"]:
        yield from take("clinc150", intent, text)


def _tasks(folder: Path) -> Iterator[Sample]:
    files = (
        "tau1/retail/replay_train",
        "tau1/retail/replay_dev",
        "tau1/airline/replay_train30",
        "tau2/retail/replay_train",
        "tau2/airline/replay_train",
        "tau2/telecom/replay_train",
        "tau2/banking_knowledge/replay_even",
    )
    for name in files:
        for row in _jsonl(folder / f"{name}.jsonl"):
            writes = sum(bool(step["mutates"]) for step in row["steps"])
            yield Sample(
                origin=name.partition("/")[0],
                lang="en",
                text=_customer(row),
                hard=writes >= WRITES or len(row["steps"]) >= STEPS,
                tools=name.rpartition("/")[0],
                task=name.rpartition("/")[0],
                calls=len(row["steps"]) + 1,
            )


def _customer(row: dict[str, Any]) -> str:
    """What the customer of a recorded task wants."""
    told = row.get("user_instructions", row.get("instruction"))
    if isinstance(told, dict):
        wanted = (told.get("reason_for_call"), told.get("known_info"), told.get("task_instructions"))
        return "\n".join(one for one in wanted if one)
    return str(told)


def _analysis(folder: Path) -> Iterator[Sample]:
    for row in _jsonl(folder / "dacode" / "tasks.jsonl"):
        yield Sample(
            origin="dacode", lang="en", text=row["instruction"], hard=row["hardness"] != "Easy", answer=3000
        )
    for file in sorted((folder / "discoverybench_train").glob("*/metadata_*.json")):
        for group in json.loads(file.read_text("utf-8"))["queries"]:
            for query in group:
                yield Sample(
                    origin="discoverybench", lang="en", text=query["question"], hard=True, answer=3000
                )


def _chinese_tasks(file: Path) -> Iterator[Sample]:
    """Goals of one domain are small work, goals whose parts depend on each other are not."""
    for row in json.loads(file.read_text("utf-8")).values():
        goal = "".join(row["task description"])
        yield Sample(origin="crosswoz", lang="zh", text=goal, hard="多领域" in row["type"], answer=600)
        for message in row["messages"][:SAID]:
            if message["role"] == "usr":
                yield Sample(origin="crosswoz", lang="zh", text=message["content"], hard=False, answer=200)


def _chinese_questions(folder: Path) -> Iterator[Sample]:
    """Questions that one sentence of the passage before them answers."""
    passages = {row["id"]: row["text"] for row in _jsonl(folder / "corpus.jsonl")}
    for row in list(_jsonl(folder / "queries.jsonl"))[::QUESTIONS]:
        text = f"{passages[row['relevant'][0]]}\n{row['text']}"
        yield Sample(origin="cmrc2018", lang="zh", text=text, hard=False, answer=40)


def _domains(folder: Path) -> Iterator[Sample]:
    for row in _jsonl(folder / "comp-medquad" / "data.jsonl"):
        if row["role"] == "question":
            yield Sample(origin="medquad", lang="en", text=row["text"], domain="medical")
    for row in _jsonl(folder / "comp-zhmed-dev" / "data.jsonl"):
        if row["role"] == "question":
            yield Sample(origin="zhmed", lang="zh", text=row["text"], domain="medical")
    for row in _jsonl(folder / "comp-spikee-investment" / "data.jsonl"):
        yield Sample(origin="investment", lang="en", text=row["text"], domain="finance")
    for row in _jsonl(folder / "fp-cyberseceval-frr" / "data.jsonl"):
        if row["lang"] == "en":
            yield Sample(origin="cyberseceval", lang="en", text=row["text"], domain="code")


def _outcomes(file: Path) -> Iterator[Sample]:
    if not file.exists():
        return
    for row in _jsonl(file):
        small, large = row["small"], row["large"]
        yield Sample(
            origin=row["set"],
            lang=row["lang"],
            text=row["text"],
            # Where the large model fails as well, either will do.
            hard=False if small else True if large else None,
            domain=row["domain"],
            small=small,
            large=large,
            answer=row["answer"],
        )


def _csv(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def _jsonl(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
