"""Public questions with the real success of a small and of a large model on each, from clones of origins.

    git clone https://github.com/lm-sys/RouteLLM            Apache-2.0: MMLU and GSM8K
    git clone https://github.com/ulab-uiuc/LLMRouter        MIT: trivia, school mathematics, logic, code
    git clone https://github.com/OpenLMLab/GAOKAO-Bench     Apache-2.0: Chinese examinations
    git clone https://github.com/open-compass/LawBench      Apache-2.0: Chinese law
    uv run python -m benchmarks._router._outcomes CLONES DATA/router

The commits are pinned, so that the file comes out the same everywhere.
"""

import csv
import io
import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from cyclopts import App

from proctor.core import ConfigurationError

app = App(name="benchmarks._router._outcomes", help="Questions with the success of two models on each.")

FILE = "outcomes.jsonl"

ROUTELLM = ("RouteLLM", "0b64fdafe049e596a3f5657c219329f24af24198")
LLMROUTER = ("LLMRouter", "4e7a796942ce26e9d5f2b93191c7c2585c99c2e3")
GAOKAO = ("GAOKAO-Bench", "6dbb24f8d8439041e5431c4c184a582182a6ce9c")
GAOKAO_EARLIER = ("GAOKAO-Bench", "c214b47c7046d4ef048c77f0a7c5b545dc8d337b")
"""The last commit that still held the answers of the smaller model."""
LAWBENCH = ("LawBench", "e30981bb3ff54c41571f222e0b23e92d27375388")

MIXTRAL, GPT_4_TURBO = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"
MISTRAL, NEMOTRON = "mistral-7b-instruct-v0.3", "llama-3.1-nemotron-51b-instruct"
GPT_35, GPT_4 = "gpt-3.5-turbo", "gpt-4-0314"

DOMAINS = {
    **dict.fromkeys(("professional_law", "jurisprudence", "international_law"), "legal"),
    **dict.fromkeys(
        (
            "anatomy",
            "clinical_knowledge",
            "college_medicine",
            "medical_genetics",
            "professional_medicine",
            "virology",
            "nutrition",
        ),
        "medical",
    ),
    **dict.fromkeys(
        (
            "professional_accounting",
            "econometrics",
            "high_school_macroeconomics",
            "high_school_microeconomics",
        ),
        "finance",
    ),
    **dict.fromkeys(
        (
            "college_computer_science",
            "high_school_computer_science",
            "machine_learning",
            "computer_security",
        ),
        "code",
    ),
}
"""The special domain of a subject of MMLU, where it has one."""

CODE = re.compile(r"\s*(def |Write a (python )?function|from typing import|import )", re.IGNORECASE)
LETTERS = re.compile(r"[A-D]")

RIGHT = 0.5
"""From this score on an answer counts as right, where it isn't either right or wrong."""


class Clones:
    """The folder in which the clones are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self, origin: tuple[str, str], under: str) -> list[str]:
        """The files in a folder of a commit."""
        return self._git(origin, "ls-tree", "--name-only", "-z", origin[1], f"{under}/").split("\0")[:-1]

    def read(self, origin: tuple[str, str], path: str) -> str:
        """A file of a commit."""
        return self._git(origin, "show", f"{origin[1]}:{path}")

    def _git(self, origin: tuple[str, str], *command: str) -> str:
        clone = self._folder / origin[0]
        done = subprocess.run(["git", "-C", clone, *command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ConfigurationError(
                f"{clone} has no commit {origin[1]}", hint="Clone the whole history there."
            )
        return done.stdout


def build(clones: Clones) -> Iterator[dict[str, Any]]:
    """Every question that both models answered, once."""
    yield from _routellm(clones)
    yield from _llmrouter(clones)
    yield from _gaokao(clones)
    yield from _lawbench(clones)


def _routellm(clones: Clones) -> Iterator[dict[str, Any]]:
    responses = "routellm/evals/mmlu/responses"
    for path in clones.names(ROUTELLM, responses):
        subject = Path(path).stem.removeprefix("mmlu_")
        for row in _table(clones.read(ROUTELLM, path)):
            yield _row(
                "mmlu",
                "en",
                row["prompt"],
                small=row[MIXTRAL] == "True",
                large=row[GPT_4_TURBO] == "True",
                domain=DOMAINS.get(subject, ""),
                part=subject,
            )
    for row in _table(clones.read(ROUTELLM, "routellm/evals/gsm8k/gsm8k_responses.csv")):
        yield _row(
            "gsm8k",
            "en",
            row["prompt"],
            small=row[MIXTRAL] == "True",
            large=row[GPT_4_TURBO] == "True",
            answer=len(row[f"{GPT_4_TURBO}_response"]),
        )


def _llmrouter(clones: Clones) -> Iterator[dict[str, Any]]:
    for name in ("train", "test"):
        for row in json.loads(clones.read(LLMROUTER, f"data/dcrouter_preprocessed/{name}.json")):
            scores = row["scores"]
            yield _row(
                "llmrouter",
                "en",
                row["question"],
                small=scores[MISTRAL] >= RIGHT,
                large=scores[NEMOTRON] >= RIGHT,
                domain="code" if CODE.match(row["question"]) else "",
                answer=400,
            )


def _gaokao(clones: Clones) -> Iterator[dict[str, Any]]:
    small_folder = "result/gpt-3.5-turbo_选择题/gpt-3.5-turbo_选择题_4"
    for path in clones.names(GAOKAO_EARLIER, small_folder):
        name = Path(path).name.removeprefix(f"{GPT_35}_")
        if not name.endswith(".json") or "Cloze" in name:
            continue
        ours = {one["question"]: one for one in json.loads(clones.read(GAOKAO_EARLIER, path))}
        large = json.loads(clones.read(GAOKAO, f"Results/gpt_4_0314_obj/{GPT_4}_{name}"))
        for one in large["example"]:
            other = ours.get(one["question"])
            if other is None:
                continue
            yield _row(
                "gaokao",
                "en" if "English" in name else "zh",
                f"{large['prompt']}\n{one['question']}",
                small=_mostly_right(other),
                large=_mostly_right(one),
                part=name.removesuffix(".json"),
                answer=len(one["model_output"]),
            )


def _mostly_right(one: dict[str, list[str]]) -> bool:
    """Whether more than half of the questions about one text are answered as they should be."""
    wanted: list[str] = one["standard_answer"]
    pairs = zip_longest(wanted, one["model_answer"])
    right: int = sum(one == given for one, given in pairs if one is not None)
    return 2 * right > len(wanted)


def _lawbench(clones: Clones) -> Iterator[dict[str, Any]]:
    for task in ("1-2", "3-6"):
        small, large = (
            json.loads(clones.read(LAWBENCH, f"predictions/zero_shot/{model}/{task}.json"))
            for model in ("GPT-3.5-turbo-0613", "GPT4")
        )
        for key, one in large.items():
            right = LETTERS.findall(one["refr"].partition("。")[0])
            yield _row(
                "lawbench",
                "zh",
                one["origin_prompt"][0]["prompt"],
                small=_chosen(small[key]["prediction"]) == right,
                large=_chosen(one["prediction"]) == right,
                domain="legal",
                part=task,
            )


def _chosen(prediction: str) -> list[str]:
    return LETTERS.findall(prediction.rpartition("[正确答案]")[2].partition("<eoa>")[0][:20])


def _table(text: str) -> Iterable[dict[str, str]]:
    return csv.DictReader(io.StringIO(text))


def _row(
    origin: str,
    lang: str,
    text: str,
    *,
    small: bool,
    large: bool,
    domain: str = "",
    part: str = "",
    answer: int = 8,
) -> dict[str, Any]:
    return {
        "set": origin,
        "part": part,
        "lang": lang,
        "domain": domain,
        "small": small,
        "large": large,
        "answer": answer,
        "text": text.strip(),
    }


@app.default
def main(clones: Path, folder: Path) -> None:
    """Write the questions of the clones into a file in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    seen = dict[str, dict[str, Any]]()
    for row in build(Clones(clones)):
        seen.setdefault(row["text"], row)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in seen.values())
    (folder / FILE).write_text("".join(lines), encoding="utf-8")
    print(f"{len(seen)} questions in {folder / FILE}")


if __name__ == "__main__":
    app()
