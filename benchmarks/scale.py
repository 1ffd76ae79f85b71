"""How far Proctor reaches: workers, a thousand runs in one process, memory a run, ten thousand that wait.

A local endpoint answers each model call after 300 ms. Workers share a real PostgreSQL and Temporal's
development server; one process alone executes on SQLite and on PostgreSQL; raw AutoGen 0.7.5 does the same
work beside it. Promised are: no run is lost or ends wrongly; two workers do no less than nine tenths of what
one does, on however few cores all of this shares; one process has a thousand runs in flight at once; a run
that waits for a person holds no memory; and a page of ten thousand approvals is listed within 50 ms.

    uv run python -m benchmarks.scale --json                                       # some fifteen minutes
    uv run python -m benchmarks.scale --parts waiting --waiting 1000
"""

import asyncio
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from cyclopts import App, Parameter

from benchmarks._overhead._children import start
from benchmarks._replay._report import finish
from benchmarks._scale import _one_process as one_process
from benchmarks._scale._one_process import Contender, Place
from benchmarks._scale._workers import Site, measure_workers
from benchmarks._servers import Postgres, Temporal, running_postgres, running_temporal
from benchmarks._surroundings import machine

Part: TypeAlias = Literal["workers", "process", "memory", "waiting"]
OWN: tuple[Contender, ...] = ("sqlite", "postgresql")
PARTS: tuple[Part, ...] = ("workers", "process", "memory", "waiting")

SCENARIOS = ("one_call_agent", "two_call_agent")
DELAY_MS = 300

MIN_SCALING = 0.9
"""Of the throughput of one worker that two have."""
MOST_PAGE_MS = 50.0
MOST_WAITING_KB = 2.0
"""For a waiting run: what caches and the allocator keep, spread over thousands. A running one takes 80."""

app = App(name="benchmarks.scale", help="How far Proctor reaches: workers, runs at a time, memory a run.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured."""

    runs: int
    workers: tuple[int, ...]
    concurrency: tuple[int, ...]
    levels: tuple[int, ...]
    waiting: int
    parts: tuple[Part, ...]
    against: tuple[Literal["autogen"], ...]

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """Those that execute in one process."""
        return (*OWN, *self.against)


@app.default
def main(
    *,
    runs: Annotated[int, Parameter(help="Runs of each measured burst.")] = 400,
    workers: Annotated[tuple[int, ...], Parameter(help="Numbers of worker processes.")] = (1, 2, 4),
    concurrency: Annotated[tuple[int, ...], Parameter(help="Runs at a time in each process.")] = (8, 64),
    levels: Annotated[tuple[int, ...], Parameter(help="Runs in flight, for memory.")] = (100, 500, 1000),
    waiting: Annotated[int, Parameter(help="Runs that wait for a person.")] = 10_000,
    parts: Annotated[tuple[Part, ...], Parameter(help="What is measured.")] = PARTS,
    against: Annotated[
        tuple[Literal["autogen"], ...],
        Parameter(help="Whom Proctor is held against.", negative="--no-against"),
    ] = ("autogen",),
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
) -> None:
    """Measure throughput by workers, runs at a time in one process, and memory by run."""
    sizes = Sizes(
        runs=runs,
        workers=workers,
        concurrency=concurrency,
        levels=levels,
        waiting=waiting,
        parts=parts,
        against=against,
    )
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres())
        temporal = stack.enter_context(running_temporal()) if "workers" in parts else None
        measured = asyncio.run(_measure(sizes, postgres, temporal))
    finish(figures(sizes, measured), as_json=as_json)


async def _measure(
    sizes: Sizes, postgres: Postgres, temporal: Temporal | None
) -> dict[Part, list[dict[str, Any]]]:
    compares = {"process", "memory"} & set(sizes.parts)
    pythons = one_process.pythons(sizes.contenders if compares else OWN)
    found: dict[Part, list[dict[str, Any]]] = {part: [] for part in sizes.parts}
    endpoint = start(Path(sys.executable), "benchmarks._scale._endpoint", str(DELAY_MS), shares=True)
    async with endpoint as child:
        greeting = await child.hear()
        place = Place(endpoint=child, url=greeting["url"], postgres=postgres, python=pythons)
        if temporal is not None:
            site = Site(
                endpoint=greeting["url"], endpoint_pid=greeting["pid"], postgres=postgres, temporal=temporal
            )
            for beside in sizes.concurrency:
                cells = await measure_workers(
                    site, scenarios=SCENARIOS, counts=sizes.workers, concurrency=beside, runs=sizes.runs
                )
                found["workers"] += map(asdict, cells)
        if "process" in sizes.parts:
            for beside in (max(sizes.concurrency), max(sizes.levels)):
                for name in sizes.contenders:
                    found["process"] += await one_process.throughput(
                        place, name, scenarios=SCENARIOS, concurrency=beside, runs=max(sizes.runs, 2 * beside)
                    )
        if "memory" in sizes.parts:
            for name in sizes.contenders:
                found["memory"].append(await one_process.memory(place, name, levels=sizes.levels))
        if "waiting" in sizes.parts:
            for name in OWN:
                found["waiting"].append(await one_process.waiting(place, name, runs=sizes.waiting))
    return found


def figures(sizes: Sizes, measured: dict[Part, list[dict[str, Any]]]) -> dict[str, Any]:
    """What is printed."""
    checks = [check for part in measured for check in _CHECKS[part](sizes, measured[part])]
    ratios = {part: _ratios(part, measured[part]) for part in ("process", "memory") if part in measured}
    return {
        "benchmark": "scale",
        "ok": bool(checks) and all(check["holds"] for check in checks),
        "checks": checks,
        **{part: _rounded(found) for part, found in measured.items()},
        "proctor_to_raw_autogen": _rounded(ratios),
        "sizes": asdict(sizes),
        "machine": machine(),
    }


def _check_workers(_sizes: Sizes, cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    checks = [_check("lost or wrong, workers", sum(c["runs"] - c["right"] for c in cells), 0)]
    by_count = {(c["scenario"], c["concurrency"], c["workers"]): c["runs_per_s"] for c in cells}
    for (scenario, concurrency, count), one in by_count.items():
        two = by_count.get((scenario, concurrency, 2))
        if count == 1 and two is not None:
            what = f"throughput of 2 workers to that of 1, {scenario}, {concurrency} each"
            checks.append(_check(what, two / one, MIN_SCALING, at_least=True))
    return checks


def _check_process(_sizes: Sizes, cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    own = [cell for cell in cells if cell["contender"] != "autogen"]
    return [_check("lost or wrong, one process", sum(c["runs"] - c["right"] for c in own), 0)]


def _check_memory(sizes: Sizes, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    most = max(sizes.levels)
    own = [one for one in found if one["contender"] != "autogen"]
    return [
        *(_check(f"runs at once, {one['contender']}", one["peak"], most, at_least=True) for one in own),
        *(_check(f"of them lost or wrong, {one['contender']}", most - one["right"], 0) for one in own),
    ]


def _check_waiting(_sizes: Sizes, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    checks: list[dict[str, Any]] = []
    for one in found:
        name = one["contender"]
        checks += [
            _check(f"runs that don't wait, or aren't listed, {name}", _astray(one), 0),
            _check(f"KB a waiting run, {name}", one["kb_per_waiting_run"], MOST_WAITING_KB),
            _check(f"ms a page of approvals, p95, {name}", one["page_ms"]["p95"], MOST_PAGE_MS),
        ]
    return checks


def _astray(one: dict[str, Any]) -> int:
    return int(2 * one["runs"] - one["waiting"] - one["listed"])


_CHECKS = {
    "workers": _check_workers,
    "process": _check_process,
    "memory": _check_memory,
    "waiting": _check_waiting,
}


def _check(promise: str, value: float, limit: float, *, at_least: bool = False) -> dict[str, Any]:
    holds = value >= limit if at_least else value <= limit
    return {"promise": promise, "value": round(value, 3), "limit": limit, "holds": holds}


def _ratios(part: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Proctor's values to those of raw AutoGen at the same work."""
    values = ("runs_per_s", "cpu_ms") if part == "process" else ("kb_per_running_run",)
    raw = {_work(one): one for one in found if one["contender"] == "autogen"}
    return [
        {"contender": one["contender"], **_work_of(one), **{v: one[v] / raw[_work(one)][v] for v in values}}
        for one in found
        if one["contender"] != "autogen" and _work(one) in raw
    ]


def _work(one: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(_work_of(one).values())


def _work_of(one: dict[str, Any]) -> dict[str, Any]:
    return {name: one[name] for name in ("scenario", "concurrency") if name in one}


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


if __name__ == "__main__":
    app()
