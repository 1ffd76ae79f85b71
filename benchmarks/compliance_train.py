"""Trains the weights of the checks on advice and on dark patterns, and writes them beside a report.

The same data and versions give the same files. Sources whose licence doesn't allow it, and our own held-out
examples, are only measured. The report tells the figures of each source, and those when it is left out.

    uv run --with scikit-learn python -m benchmarks.compliance_train advice
    uv run --with scikit-learn python -m benchmarks.compliance_train dark-patterns
"""

import json
from collections.abc import Iterable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from benchmarks._compliance import _advice_training, _dark_training
from benchmarks._compliance._figures import by_source
from benchmarks._compliance._plain_talk import made_talk
from benchmarks._compliance._samples import (
    LICENCES,
    PLAIN,
    AdviceStage,
    Sample,
    advice_samples,
    digest,
    plain_talk,
    shop_texts,
)
from proctor import ProctorError
from proctor.policies._advice import Weights, judge

WEIGHTS = Path(__file__).parents[1] / "src" / "proctor" / "policies" / "data"
REPORTS = Path(__file__).parent / "_compliance"
STAGES: tuple[AdviceStage, ...] = ("input", "output")

app = App(
    name="benchmarks.compliance_train", help="Train the weights of the checks on advice and dark patterns."
)
Folder = Annotated[Path, Parameter(help="Where the file of weights goes.", show_default=False)]


@app.command
def advice(
    *,
    other: Annotated[Path | None, Parameter(help="More texts to measure: source, stage, kind, text.")] = None,
    to: Folder = WEIGHTS,
    report: Annotated[Path, Parameter(help="Where the report goes.", show_default=False)] = REPORTS,
) -> None:
    """Train the weights for advice."""
    try:
        samples = advice_samples(other)
    except ProctorError as error:
        raise SystemExit(str(error)) from None
    learned = {stage: _advice_training.rows(samples, stage) for stage in STAGES}
    made = {stage: _advice_training.train(learned[stage], stage) for stage in STAGES}
    sources = sorted({row.source for rows in learned.values() for row in rows})
    without: dict[str, dict[str, Any]] = {}
    for source in sources:
        left = {
            stage: _advice_training.train([row for row in learned[stage] if row.source != source], stage)
            for stage in STAGES
        }
        without |= measured((one for one in samples if one.source == source), left)
    told = {
        "by": "benchmarks.compliance_train advice",
        "seed": "none: all rows at once",
        "data": {
            source: {
                "licence": LICENCES[source],
                "texts": sum(one.source == source for one in samples),
                "digest": digest(one.text for one in samples if one.source == source),
            }
            for source in sources
        },
    }
    _write(to / "advice.json", {"provenance": told, "stages": made})
    figures = {"all": measured(samples, made), "source_left_out": without}
    _write(report / "advice_report.json", {"provenance": told, **figures})
    for name, figure in figures["all"].items():
        left_out = without.get(name, {}).get("found", "")
        print(f"{name:36} {figure['n']:6} {figure['found']:7.4f} {figure['interval']}  {left_out}")


def measured(samples: Iterable[Sample], made: dict[AdviceStage, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The figures of the whole check with these weights."""
    weights = {stage: Weights(**told) for stage, told in made.items()}
    return by_source(samples, partial(_kinds, weights=weights))


def _kinds(sample: Sample, weights: dict[AdviceStage, Weights]) -> set[str]:
    return {kind for kind, *_ in judge(sample.text, sample.stage, weights[sample.stage])}


@app.command
def dark_patterns(
    *,
    to: Folder = WEIGHTS,
    report: Annotated[Path, Parameter(help="Where the report goes.", show_default=False)] = REPORTS,
) -> None:
    """Train the weights for dark patterns."""
    try:
        texts, samples = shop_texts(), advice_samples()
    except ProctorError as error:
        raise SystemExit(str(error)) from None
    talk, own = plain_talk(samples), made_talk()
    told = {
        "by": "benchmarks.compliance_train dark-patterns",
        "seed": _dark_training.SEED,
        "data": {
            "darkpattern": {
                "licence": LICENCES["darkpattern"],
                "texts": len(texts),
                "digest": digest(one.text for one in texts),
            },
            "plain": {
                "licence": {source: LICENCES[source] for source in PLAIN},
                "texts": sum(map(len, talk.values())),
                "digest": digest(chain.from_iterable(talk.values())),
            },
            "made": {"licence": LICENCES["own"], "texts": len(own), "digest": digest(own)},
        },
    }
    made = _dark_training.train(texts, talk)
    _write(to / "dark_patterns.json", {"provenance": told, **made})
    figures = _dark_training.folds(texts, talk)
    figures["found wrongly"] = _dark_training.wrong(texts, talk, samples, made)
    _write(report / "dark_patterns_report.json", {"provenance": told, **figures})
    print(json.dumps(figures, indent=1))


def _write(file: Path, made: dict[str, Any]) -> None:
    """Writes one word a line, so that a change can be read."""
    parts = []
    for key, value in made.items():
        if key in ("words", "characters"):
            rows = ",\n".join(f"{json.dumps(part)}: {json.dumps(row)}" for part, row in value.items())
            parts.append(f'"{key}": {{\n{rows}\n}}')
        else:
            parts.append(f'"{key}": {json.dumps(value, ensure_ascii=False, indent=1)}')
    file.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    app()
