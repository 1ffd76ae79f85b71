"""What a durable, governed run costs beside raw AutoGen 0.7.5, and beside LangGraph with SQLite checkpoints.

Every contender does the same work against the same fake model endpoint, each in a process of its own, one
after the other: pair by pair, so that what else the machine does meets all of them. CPU is the processor time
of all threads of the contender's process; the endpoint has its own. Promised are, for teams beside raw
AutoGen, at most 1.5 times the CPU and at least 0.7 times the throughput at concurrency 16, and at most two
disk commits added to a run at concurrency 1; beside LangGraph, to be ahead in all of it.

    uv run python -m benchmarks.overhead --json                              # some ten minutes
    uv run python -m benchmarks.overhead --runs 20 --warmup 5 --pairs 1      # within one, rough
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cyclopts import App
from rich.console import Console
from rich.table import Table

from benchmarks._overhead._children import Child, start
from benchmarks._overhead._environments import CACHE, python_of
from benchmarks._overhead._figures import Cell, Check, Contender, Ratio, Rival, Sample, cell_of, checks_of
from benchmarks._overhead._workload import SCENARIOS
from benchmarks._surroundings import machine

app = App(name="benchmarks.overhead", help="What Proctor costs beside raw AutoGen and LangGraph.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured."""

    runs: int
    warmup: int
    pairs: int
    concurrency: tuple[int, ...]
    scenarios: tuple[str, ...]
    against: tuple[Rival, ...]


@dataclass(slots=True)
class Measured:
    """The samples of all cells, and what the contenders are."""

    samples: dict[tuple[str, int], list[Sample]]
    versions: dict[str, Any]


@app.default
def overhead(
    *,
    json: bool = False,
    runs: int = 100,
    warmup: int = 20,
    pairs: int = 5,
    concurrency: tuple[int, ...] = (1, 16),
    scenarios: tuple[str, ...] = SCENARIOS,
    against: tuple[Rival, ...] = ("autogen", "langgraph"),
) -> int:
    """0 where all that is promised holds, else 1.

    Args:
        json: Print one JSON object instead of tables.
        runs: Runs in one measured burst.
        warmup: Runs before each burst that aren't measured.
        pairs: Bursts of each contender in each cell.
        concurrency: Runs side by side.
        scenarios: What is run.
        against: The contenders beside Proctor.
    """
    sizes = Sizes(
        runs=runs,
        warmup=warmup,
        pairs=pairs,
        concurrency=concurrency,
        scenarios=scenarios,
        against=against,
    )
    measured = asyncio.run(_measure(sizes))
    cells = [cell_of(samples, against) for samples in measured.samples.values()]
    checks = [check for cell in cells for check in checks_of(cell)]
    if json:
        _print_json(sizes, measured, cells, checks)
    else:
        _print_tables(cells, checks)
    return 0 if all(check.holds for check in checks) else 1


async def _measure(sizes: Sizes) -> Measured:
    contenders: tuple[Contender, ...] = ("proctor", *sizes.against)
    pythons = {contender: python_of(contender) for contender in contenders}
    cells = [(scenario, beside) for beside in sizes.concurrency for scenario in sizes.scenarios]
    measured = Measured(samples={cell: [] for cell in cells}, versions={})
    endpoint = start(Path(sys.executable), "benchmarks._overhead._endpoint", shares=True)
    async with endpoint as child:
        url = (await child.hear())["url"]
        for pair in range(sizes.pairs):
            _tell(f"pair {pair + 1} of {sizes.pairs}")
            # Who comes second finds the machine as the first left it: they take turns.
            order = contenders if pair % 2 == 0 else contenders[::-1]
            await _measure_pair(sizes, {name: pythons[name] for name in order}, url, measured)
    return measured


async def _measure_pair(sizes: Sizes, pythons: dict[Contender, Path], url: str, measured: Measured) -> None:
    """One burst of each contender in each cell."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(dir=CACHE))
        workers: dict[Contender, Child] = {}
        for name, python in pythons.items():
            module = f"benchmarks._overhead._{name}"
            worker = await stack.enter_async_context(
                start(python, module, url, folder, shares=name == "proctor")
            )
            measured.versions[name] = (await worker.hear())["versions"]
            workers[name] = worker
        for (scenario, concurrency), samples in measured.samples.items():
            for name, worker in workers.items():
                order: dict[str, Any] = {"scenario": scenario, "concurrency": concurrency, "runs": sizes.runs}
                figures = await worker.tell(**order, warmup=sizes.warmup)
                sample = Sample(contender=name, **(order | figures))
                samples.append(sample)
                _tell(
                    f"  {scenario} at {concurrency}: {name} {sample.cpu_ms:.1f} ms, {sample.runs_per_s:.0f}/s"
                )


def _print_json(sizes: Sizes, measured: Measured, cells: list[Cell], checks: list[Check]) -> None:
    figures = {
        "benchmark": "overhead",
        "ok": all(check.holds for check in checks),
        "checks": [asdict(check) for check in checks],
        "cells": [asdict(cell) for cell in cells],
        "sizes": asdict(sizes),
        "versions": measured.versions,
        "machine": machine(),
    }
    print(json.dumps(_rounded(figures), indent=2))


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return round(value, 3)
        case dict():
            return {key: _rounded(part) for key, part in value.items()}
        case list() | tuple():
            return [_rounded(part) for part in value]
        case _:
            return value


def _print_tables(cells: list[Cell], checks: list[Check]) -> None:
    console = Console(width=max(Console().width, 120))  # also into a file
    costs = Table(
        "scenario", "side by side", "contender", "CPU ms", "runs/s", "commits", "CPU ratio", "runs/s ratio"
    )
    for cell in cells:
        for name, cost in cell.costs.items():
            ratios = ("", "")
            if name != "proctor":
                cpu, throughput = cell.cpu_ratio[name], cell.throughput_ratio[name]
                ratios = (_shown(cpu), _shown(throughput))
            numbers = (f"{cost.cpu_ms:.2f}", f"{cost.runs_per_s:.0f}", f"{cost.commits_per_run:.2f}")
            costs.add_row(cell.scenario, str(cell.concurrency), name, *numbers, *ratios)
    console.print(
        costs, "Ratios are Proctor's value to this contender's: median (least to most) of the pairs."
    )
    promises = Table("promise", "scenario", "side by side", "measured", "limit", "holds")
    for check in checks:
        holds = "yes" if check.holds else "[red]no[/red]"
        place = (check.scenario, str(check.concurrency))
        promises.add_row(check.promise, *place, f"{check.value:.2f}", f"{check.limit:.2f}", holds)
    console.print(promises)


def _shown(ratio: Ratio) -> str:
    return f"{ratio.median:.2f} ({ratio.min:.2f} to {ratio.max:.2f})"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    app()
