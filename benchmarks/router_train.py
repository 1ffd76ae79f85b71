"""Trains the weights of the router `auto` on public data, and writes them with where they come from.

The same data, seed and version of numpy give the same file. A fifth of the data is kept apart by a hash of
its text and never looked at here.

    uv run python -m benchmarks.router_train --outcomes outcomes.jsonl --to weights.json
"""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import App, Parameter

from benchmarks._router import _training
from benchmarks._router._figures import two_tiers
from benchmarks._router._samples import LICENCES, Outcomes, Sample, load
from proctor import ProctorError
from proctor.models.router import WeightsFile

SHIPPED = Path(__file__).parents[1] / "src" / "proctor" / "models" / "router" / "weights.json"

app = App(name="benchmarks.router_train", help="Train the router's weights.")


@app.default
def main(
    *,
    outcomes: Outcomes = None,
    to: Annotated[
        Path, Parameter(help="The file of weights. Absent: the one that is shipped.", show_default=False)
    ] = SHIPPED,
) -> None:
    """Train the weights."""
    try:
        samples = load(outcomes)
    except ProctorError as error:
        raise SystemExit(str(error)) from None
    learned = [sample for sample in samples if sample.part == "train"]
    found = _training.read(learned)
    names = _training.names_of(found)
    model = _training.train(_training.tabulate(learned, found, names), names)
    told = {**provenance(samples, learned), "test": measured(samples, model, names)}
    made = {"provenance": told, **_training.as_lists(model, names)}
    WeightsFile.model_validate(made)
    to.write_text(_written(made), encoding="utf-8")
    print(f"{len(names.words)} words and {len(names.figures)} figures of {len(learned)} requests: {to}")


def provenance(samples: Sequence[Sample], learned: Sequence[Sample]) -> dict[str, Any]:
    """Where the weights come from."""
    of_all, of_learned = (Counter(one.origin for one in some) for some in (samples, learned))
    return {
        "made": f"{datetime.now(UTC):%Y-%m-%d}",
        "by": "benchmarks.router_train",
        "seed": _training.SEED,
        "kept_apart": "first byte of the text's SHA-256 modulo 10: 0, 1 test; 2 settings; else training",
        "by_hand": sorted(_training.BY_HAND),
        "data": {
            name: {"licence": LICENCES[name], "requests": of_all[name], "trained": of_learned[name]}
            for name in sorted(of_all)
        },
    }


def measured(samples: Sequence[Sample], model: _training.Model, names: _training.Names) -> dict[str, float]:
    """How often the requests that are kept apart are judged rightly; nothing is chosen by it."""
    kept = [sample for sample in samples if sample.part == "test"]
    table = _training.tabulate(kept, _training.read(kept), names)
    scores = model.scores(table, np.arange(len(kept)))
    known = table.hard >= 0
    likeliest = np.where(scores[:, 1:].max(axis=1) > 0, 1 + scores[:, 1:].argmax(axis=1), 0)
    return {
        "requests": len(kept),
        **two_tiers(table.hard[known] == 1, scores[known, 0] >= 0),
        "domain": round(float((likeliest == table.domain).mean()), 4),
    }


def _written(made: dict[str, Any]) -> str:
    """The file with one word a line, so that a change can be read."""
    parts = []
    for key, value in made.items():
        if isinstance(value, dict) and key != "provenance":
            rows = ",\n".join(
                f"  {json.dumps(name, ensure_ascii=False)}: {row}" for name, row in value.items()
            )
            parts.append(f'"{key}": {{\n{rows}\n}}')
        else:
            parts.append(f'"{key}": {json.dumps(value, ensure_ascii=False, indent=1)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    app()
