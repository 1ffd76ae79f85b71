"""What the tool chain costs a call, under 1, 10, 100 and 1,000 rules of each kind.

`lists` is whether a tool stands in the lists of team and agent, and which rule of approval names it: what a
policy engine decides. `checks` are all the links that decide, by themselves: those, and pins, limits,
arguments, roots and hosts, kinds of data, labels, output; with as many tools, pins, entries and rules as the
column says, of which the last ones are for the tool that is called, by an agent that has read what is
untrusted. `chain` is a call through all links of a real run, on SQLite with a full sync at each commit, less
what the same function costs without a chain: of a tool that only reads, and of one with side effects, whose
beginning is committed before it acts. All is processor time, the median of bursts. Promised is that it is
flat: 1,000 rules cost at most 1.3 times what one costs. Beside it stands what one decision costs in
Microsoft's Agent Governance Toolkit.

    uv run python -m benchmarks.tool_chain --json               # some two minutes
    uv run python -m benchmarks.tool_chain --calls 50 --bursts 3 --no-peers
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from cyclopts import App, Parameter

from benchmarks._caller import measure
from benchmarks._surroundings import machine
from benchmarks._tool_chain._chained import bare, chained
from benchmarks._tool_chain._checks import PARTS, open_checks
from benchmarks._tool_chain._peer import measure_agt
from proctor.core import Effect

app = App(name="benchmarks.tool_chain", help="What the tool chain costs a call.")

RULES = (1, 10, 100, 1_000)

FLAT = 1.3
"""What most rules may cost, in times of what one costs."""

CHECKS_CALLS = 10
"""Times as many calls in a burst of the checks alone: they take so much less."""

EFFECTS: tuple[Effect, ...] = ("read_only", "consequential")


@app.default
def tool_chain(
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    calls: Annotated[int, Parameter(help="Calls in a burst.")] = 200,
    bursts: Annotated[int, Parameter(help="Bursts; the median of theirs counts.")] = 9,
    rules: Annotated[tuple[int, ...], Parameter(help="How many of each kind.")] = RULES,
    peers: Annotated[bool, Parameter(help="Measure the toolkit beside it; its environment needs uv.")] = True,
) -> int:
    """0 where the cost is flat, else 1."""
    with TemporaryDirectory() as folder:
        costs = asyncio.run(_measure(Path(folder), rules, calls, bursts))
    complaints = complaints_of(costs)
    figures = {
        "benchmark": "tool_chain",
        "ok": not complaints,
        "complaints": complaints,
        "us": {
            name: {str(size): round(cost, 1) for size, cost in row.items()} for name, row in costs.items()
        },
        "most_to_least": {name: round(_ratio(row), 3) for name, row in costs.items()},
        "flat_until": FLAT,
        "peer": _peer(rules, calls, bursts) if peers else None,
        "sizes": {"calls": calls, "bursts": bursts},
        "machine": machine(),
    }
    print(json.dumps(figures, indent=2) if as_json else _table(figures))
    return 1 if complaints else 0


def complaints_of(costs: Mapping[str, Mapping[int, float]]) -> list[str]:
    """What is promised and doesn't hold."""
    return [
        f"{name}: {max(row):,} rules cost {_ratio(row):.2f} times what {min(row):,} costs, and not {FLAT}"
        for name, row in costs.items()
        if _ratio(row) > FLAT
    ]


def _ratio(row: Mapping[int, float]) -> float:
    return row[max(row)] / row[min(row)]


async def _measure(
    folder: Path, rules: Sequence[int], calls: int, bursts: int
) -> dict[str, dict[int, float]]:
    """Microseconds by what is measured and the number of rules."""
    costs: dict[str, dict[int, float]] = {}
    for part, effect in product(PARTS, EFFECTS):
        row = costs[f"{part}, {effect}"] = {}
        for size in rules:
            async with open_checks(folder, size, effect, part) as checks:
                row[size] = median(await measure(checks.call, calls * CHECKS_CALLS, bursts))
    without = median(await bare(calls, bursts))
    for effect in EFFECTS:
        row = costs[f"chain, {effect}"] = {}
        for size in rules:
            row[size] = median(await chained(folder, size, effect, calls, bursts)) - without
            print(f"chain, {effect}, {size:,} rules: {row[size]:.0f} µs", file=sys.stderr, flush=True)
    return costs


def _peer(rules: Sequence[int], calls: int, bursts: int) -> dict[str, Any]:
    try:
        return measure_agt(rules, calls=calls * CHECKS_CALLS, bursts=bursts)
    except (subprocess.SubprocessError, OSError) as error:
        return {"error": str(error)}


def _table(figures: dict[str, Any]) -> str:
    rows = [*figures["us"].items()]
    if figures["peer"]:
        rows.append(("Agent Governance Toolkit", figures["peer"].get("us", figures["peer"])))
    lines = [
        f"{name:26} " + "  ".join(f"{size}: {cost} µs" for size, cost in row.items()) for name, row in rows
    ]
    return "\n".join([*lines, *figures["complaints"]])


if __name__ == "__main__":
    app()
