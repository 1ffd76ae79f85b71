"""Questions of people with what they want, read from files that are no part of the project."""

import csv
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks._surroundings import data_folder
from proctor.core import ProctorError

SETS = ("banking77", "clinc150", "bitext", "cmrc2018")


class DataMissing(ProctorError):
    """The questions aren't there."""

    code = "data_missing"
    status = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question, and what it asks for: its intent, or in Chinese the question itself."""

    text: str
    wants: str


def questions(name: str, limit: int) -> list[Asked]:
    """Different questions of a set, shuffled in the same way each time.

    Raises:
        DataMissing: the data isn't there.
    """
    try:
        found = dict(_read(data_folder(), name))
    except FileNotFoundError as error:
        raise DataMissing(
            f"there is no {error.filename}", hint="PROCTOR_DATA names the folder of the data sets."
        ) from None
    chosen = [Asked(text=text, wants=wants) for text, wants in found.items()]
    random.Random(1).shuffle(chosen)
    return chosen[:limit]


def _read(root: Path, name: str) -> Iterator[tuple[str, str]]:
    match name:
        case "banking77":
            for part in ("train", "test"):
                for row in _rows(root / "intents" / name / f"{part}.csv"):
                    yield row["text"].strip(), row["category"]
        case "clinc150":
            data = json.loads((root / "intents" / name / "data_full.json").read_text(encoding="utf-8"))
            yield from (tuple(pair) for part in ("train", "val", "test") for pair in data[part])
        case "bitext":
            for part in ("train", "dev", "test"):
                for row in _rows(root / "intents" / name / f"{part}.csv"):
                    yield row["utterance"], row["intent"]
        case _:
            lines = (root / "retrieval" / "cmrc2018_dev" / "queries.jsonl").read_text(encoding="utf-8")
            for line in map(json.loads, lines.splitlines()):
                yield line["text"], line["id"]


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)
