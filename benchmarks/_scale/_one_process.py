"""One process: throughput, a thousand runs at a time, memory a run, and runs that wait for a person."""

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeAlias

from benchmarks._overhead._children import Child, start
from benchmarks._overhead._environments import CACHE, python_of
from benchmarks._scale._configuration import write_configuration
from benchmarks._scale._consumed import Cpu, rss_mb, until
from benchmarks._scale._slope import slope
from benchmarks._servers import Postgres

Contender: TypeAlias = Literal["sqlite", "postgresql", "autogen"]

BOUND = 120
"""Seconds until all that was begun has reached the endpoint."""

WARM = 40
"""Runs before anything is measured."""

PAGE = 50
"""Questions that are listed together."""

FIRST_WAITING = 500
"""Waiting runs from which on memory is watched."""

WAITING_BESIDE = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What contenders need."""

    endpoint: Child
    url: str
    postgres: Postgres
    python: Mapping[Contender, Path]


def pythons(contenders: Sequence[Contender]) -> dict[Contender, Path]:
    """The interpreter of each."""
    return {name: python_of("autogen") if name == "autogen" else Path(sys.executable) for name in contenders}


@asynccontextmanager
async def contender(place: Place, name: Contender, concurrency: int) -> AsyncIterator[tuple[Child, int]]:
    """A contender's process, warmed up, and its id."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(dir=CACHE)))
        database = (
            place.postgres.create_database() if name == "postgresql" else f"sqlite:///{folder / 'p.db'}"
        )
        child, pid = await stack.enter_async_context(_process(place, name, folder, database, concurrency))
        await child.tell(do="burst", scenario="one_call_agent", runs=WARM, beside=WARM // 2)
        await child.tell(do="burst", scenario="two_call_agent", runs=WARM, beside=WARM // 2)
        yield child, pid


@asynccontextmanager
async def _process(
    place: Place, name: Contender, folder: Path, database: str, concurrency: int
) -> AsyncIterator[tuple[Child, int]]:
    if name == "autogen":
        starting = start(place.python[name], "benchmarks._scale._raw", place.url, shares=False)
    else:
        config = write_configuration(folder, endpoint=place.url, database=database, concurrency=concurrency)
        starting = start(place.python[name], "benchmarks._scale._embedded", str(config), shares=True)
    async with starting as child:
        yield child, (await child.hear())["pid"]


async def throughput(
    place: Place, name: Contender, *, scenarios: Sequence[str], concurrency: int, runs: int
) -> list[dict[str, Any]]:
    """Runs a second and CPU of one process, for each scenario."""
    found: list[dict[str, Any]] = []
    async with contender(place, name, concurrency) as (child, pid):
        for scenario in scenarios:
            cpu = Cpu({"process": (pid,)})
            told = await child.tell(do="burst", scenario=scenario, runs=runs, beside=concurrency)
            used = cpu.seconds()["process"]
            cell = {
                "contender": name,
                "scenario": scenario,
                "concurrency": concurrency,
                "runs": runs,
                "right": told["right"],
                "runs_per_s": runs / told["seconds"],
                "cpu_ms": used / runs * 1000,
                "lag_ms": told["lag_ms"],
            }
            found.append(cell)
            _tell(f"{name}: {scenario} at {concurrency}: {cell['runs_per_s']:.1f} runs/s")
    return found


async def memory(place: Place, name: Contender, *, levels: Sequence[int]) -> dict[str, Any]:
    """Memory while more and more runs are in flight, all of them at once in the endpoint's hands."""
    scenario, most = "one_call_agent", max(levels)
    async with contender(place, name, most) as (child, pid):
        rss = {0: await rss_mb(child, pid)}
        await place.endpoint.tell(do="hold")
        await place.endpoint.tell(do="forget")
        begun = 0
        for level in sorted(levels):
            await child.tell(do="begin", scenario=scenario, runs=level - begun)
            begun = level
            await _in_hand(place.endpoint, level)
            rss[level] = await rss_mb(child, pid)
        told = await place.endpoint.tell(do="release")
        right = (await child.tell(do="end"))["right"]
    known = {level: held for level, held in rss.items() if level}
    growth, error = slope(list(known), list(known.values()))
    _tell(f"{name}: {most} runs in flight: {rss[most]:.0f} MB")
    return {
        "contender": name,
        "peak": told["most_in_hand"],
        "right": right,
        "rss_mb": {str(level): held for level, held in rss.items()},
        "kb_per_running_run": growth * 1024,
        "kb_standard_error": error * 1024,
    }


async def waiting(place: Place, name: Contender, *, runs: int) -> dict[str, Any]:
    """Memory and pages of approvals while many runs wait for a person."""
    first = min(FIRST_WAITING, runs // 2)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(dir=CACHE)))
        database = (
            place.postgres.create_database() if name == "postgresql" else f"sqlite:///{folder / 'p.db'}"
        )
        async with _process(place, name, folder, database, WAITING_BESIDE) as (child, pid):
            empty = await rss_mb(child, pid)
            some = await child.tell(do="wait", runs=first, beside=WAITING_BESIDE)
            before = await rss_mb(child, pid)
            rest = await child.tell(do="wait", runs=runs - first, beside=WAITING_BESIDE)
            after = await rss_mb(child, pid)
            told = await child.tell(do="pages", size=PAGE)
        async with _process(place, name, folder, database, WAITING_BESIDE) as (child, pid):
            opened = await rss_mb(child, pid)
            again = await child.tell(do="pages", size=PAGE)
    _tell(f"{name}: {runs} runs wait: {after:.0f} MB, a page in {median(told['ms']):.1f} ms")
    return {
        "contender": name,
        "runs": runs,
        "waiting": some["waiting"] + rest["waiting"],
        "listed": told["listed"],
        "rss_mb": {"empty": empty, str(first): before, str(runs): after, "opened_anew": opened},
        "kb_per_waiting_run": (after - before) / (runs - first) * 1024,
        "kb_per_waiting_run_opened_anew": (opened - empty) / runs * 1024,
        "page_ms": _spread(told["ms"]),
        "page_ms_opened_anew": _spread(again["ms"]),
    }


async def _in_hand(endpoint: Child, runs: int) -> None:
    async def all_in_hand() -> bool:
        return bool((await endpoint.tell(do="look"))["in_hand"] >= runs)

    await until(all_in_hand, seconds=BOUND)


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "p50": median(values),
        "p95": quantiles(values, n=20, method="inclusive")[-1],
        "max": max(values),
        "pages": len(values),
    }


def _tell(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)
