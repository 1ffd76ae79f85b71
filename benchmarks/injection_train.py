"""Trains the weights of the injection check on public data and our own texts, and writes them with a report.

The same data and version of numpy give the same files; nothing is drawn but by fixed seeds. Each source is
also left out once, to see what the method does on texts of other hands: the report beside the weights says.

    uv run python -m benchmarks.injection_train --data ../shared/data
"""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from benchmarks._detector import _course, _report

SHIPPED = Path(__file__).parents[1] / "src" / "proctor" / "policies" / "data"

app = App(name="benchmarks.injection_train", help="Train the weights of the injection check.")


@app.default
def main(
    *,
    data: Annotated[Path, Parameter(help="The folder of the shared data sets.")] = Path("../shared/data"),
    to: Annotated[Path, Parameter(help="The folder of the weights and the report.")] = SHIPPED,
    report: Annotated[
        bool, Parameter(help="Leave each source out once and report it: takes ten minutes.")
    ] = True,
) -> None:
    """Train the weights."""
    if not (data / "guard").is_dir():
        raise SystemExit(f"There is no folder `guard` in {data}: name the shared data with --data.")
    course = _course.prepare(data)
    held = _course.held_scores(course)
    bars, bar = _course.thresholds(course, held), _course.order_threshold(course)
    made = _course.made(course, bars, bar)
    _write(to / "injection_weights.json", made)
    print(bars, bar, flush=True)
    if report:
        (to / "injection_report.json").write_text(
            json.dumps(_report.report(course, held, bar), ensure_ascii=False, indent=1) + "\n",
            encoding="utf-8",
        )
    print(f"{len(made['attack']['weights'])} and {len(made['order']['weights'])} weights: {to}")


def _write(path: Path, made: _course.Made) -> None:
    """The file with one weight a line, so that a change can be read."""
    parts = []
    for head, told in made.items():
        rows = ",\n".join(
            f"  {json.dumps(name, ensure_ascii=False)}: {weight}" for name, weight in told["weights"].items()
        )
        parts.append(f'"{head}": {{"settings": {json.dumps(told["settings"])}, "weights": {{\n{rows}\n}}}}')
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    app()
