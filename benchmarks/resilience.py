"""What share of runs completes while one request in five fails: Proctor beside raw AutoGen 0.7.5.

A team of two agents makes three model calls a run, half of the runs with whole answers and half with streamed
ones. The provider is a process of its own; it fails by a seed, and so that both contenders meet the same
fault at the same attempt at the same request: 429 with `Retry-After`, 500, silence, half an answer, an answer
that is no JSON, a connection that is reset. Raw AutoGen has its SDK's retries, and the same time-out for a
request; Proctor has what its configuration gives by default, and a second deployment that stands in and fails
as often. Promised are that at least 99.5 % of Proctor's runs complete with the right answer, and that its
ledger shows each request that the provider saw.

    uv run python -m benchmarks.resilience --json                 # some two minutes
    uv run python -m benchmarks.resilience --runs 100             # within one
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from benchmarks._overhead._children import Child, start
from benchmarks._overhead._environments import CACHE, python_of
from benchmarks._resilience._workload import MODES
from benchmarks._surroundings import machine

app = App(name="benchmarks.resilience", help="What share of runs completes with a provider that fails.")

LEAST = 0.995
"""Share of Proctor's runs that complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """What became of one contender's runs in one mode."""

    contender: str
    mode: str
    runs: int
    completed: int
    wrong: int
    """That ended with another answer than the right one, as if all were well."""
    failed: int
    seconds: float
    errors: dict[str, int]
    """The most frequent ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One contender's halves, and what the provider saw of it."""

    halves: tuple[Half, ...]
    requests: dict[str, int]
    """By deployment."""
    faults: dict[str, int]
    """By kind."""
    books: dict[str, Any] | None = None
    """What Proctor's database shows."""

    @property
    def completed_share(self) -> float:
        """Of all its runs."""
        return sum(half.completed for half in self.halves) / sum(half.runs for half in self.halves)


@app.default
def resilience(
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    runs: Annotated[int, Parameter(help="Runs of each contender in each mode.")] = 500,
    beside: Annotated[int, Parameter(help="Runs side by side.")] = 16,
    share: Annotated[float, Parameter(help="Share of requests that fail.")] = 0.2,
    seed: Annotated[int, Parameter(help="Of the faults.")] = 1,
    compare: Annotated[
        bool, Parameter(help="Measure AutoGen alone beside it; its environment needs uv.")
    ] = True,
) -> int:
    """0 where all that is promised holds, else 1."""
    if runs < 1 or not 0 <= share < 1:
        raise SystemExit("--runs is at least 1, and --share between 0 and 1")
    began = time.perf_counter()
    sides = asyncio.run(_measure(runs, beside, share, seed, compare=compare))
    complaints = complaints_of(sides["proctor"])
    figures = {
        "benchmark": "resilience",
        "ok": not complaints,
        "complaints": complaints,
        "completed_share": {name: round(side.completed_share, 4) for name, side in sides.items()},
        "sides": {name: asdict(side) for name, side in sides.items()},
        "sizes": {"runs": runs, "beside": beside, "share": share, "seed": seed},
        "seconds": round(time.perf_counter() - began, 1),
        "machine": machine(),
    }
    if as_json:
        print(json.dumps(figures, indent=2))
    else:
        _print_tables(sides, complaints)
    return 1 if complaints else 0


def complaints_of(side: Side) -> list[str]:
    """What is promised of Proctor and doesn't hold."""
    found: list[str] = []
    if side.completed_share < LEAST:
        found.append(f"{side.completed_share:.2%} of the runs completed, and not {LEAST:.1%}")
    shown = (side.books or {}).get("requests", {})
    if shown != side.requests:
        found.append(f"the provider saw {side.requests} requests, and the ledger shows {shown}")
    return found


async def _measure(runs: int, beside: int, share: float, seed: int, *, compare: bool) -> dict[str, Side]:
    """Both sides, one after the other: each has the machine for itself."""
    sides: dict[str, Side] = {}
    CACHE.mkdir(exist_ok=True)
    provider = start(
        Path(sys.executable), "benchmarks._resilience._endpoint", str(seed), str(share), shares=True
    )
    async with provider as endpoint:
        url = (await endpoint.hear())["url"]
        for name in ("autogen", "proctor") if compare else ("proctor",):
            await endpoint.tell(do="forget")
            with TemporaryDirectory(dir=CACHE) as folder:
                contender = start(
                    python_of(name),
                    f"benchmarks._resilience._{name}",
                    url,
                    folder,
                    shares=name == "proctor",
                )
                async with contender as child:
                    await child.hear()
                    halves = tuple([await _half(child, name, mode, runs, beside) for mode in MODES])
                    books = await child.tell(do="books") if name == "proctor" else None
            seen = await endpoint.tell(do="look")
            sides[name] = Side(halves=halves, books=books, **seen)
    return sides


async def _half(child: Child, name: str, mode: str, runs: int, beside: int) -> Half:
    began = time.perf_counter()
    ended = await child.tell(do="burst", mode=mode, runs=runs, beside=beside)
    half = Half(
        contender=name,
        mode=mode,
        runs=runs,
        completed=ended.get("completed", 0),
        wrong=ended.get("wrong", 0),
        failed=ended.get("failed", 0),
        seconds=round(time.perf_counter() - began, 1),
        errors=ended["errors"],
    )
    print(f"{name}, {mode}: {half.completed} of {runs} runs in {half.seconds} s", file=sys.stderr, flush=True)
    return half


def _print_tables(sides: dict[str, Side], complaints: list[str]) -> None:
    console = Console(width=max(Console().width, 120))  # also into a file
    table = Table("contender", "answers", "runs", "completed", "wrong", "failed", "s", "most frequent error")
    for side in sides.values():
        for half in side.halves:
            share = f"{half.completed / half.runs:.2%}"
            counts = (str(half.runs), share, str(half.wrong), str(half.failed), str(half.seconds))
            table.add_row(half.contender, half.mode, *counts, next(iter(half.errors), ""))
    console.print(table)
    for name, side in sides.items():
        console.print(f"{name}: requests {side.requests}, faults {side.faults}, books {side.books}")
    for complaint in complaints:
        console.print(f"[red]{complaint}[/red]")


if __name__ == "__main__":
    app()
