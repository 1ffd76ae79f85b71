"""What telemetry costs: processor time per run with all of it on, against all of it off.

On is what a service has: Prometheus' metrics, spans and OpenTelemetry's metrics sent to a collector (another
process on this machine, which decodes them), and JSON logs to a file. Off is none of these; but that runs and
verdicts are counted, three counters a run, goes on. Both do the same runs against one fake endpoint, each in
a process of its own; beside them raw AutoGen 0.7.5 does the same work. The aim is that telemetry costs less
than a tenth of what the bare framework does.

Made for a busy machine. Counted is processor time: in a burst of runs that of all threads, behind it that of
the threads that send; what Proctor's chores take while nothing runs is in neither. A pair is a few short
bursts of each contender, in turn, forth and back: what else the machine does meets all alike. Told is the
median of the pairs, with the interval that holds the true median in 95 of 100 cases (by the order of the
pairs alone; nothing is assumed of how they scatter). It is a complaint where all of that interval is above
the aim.

    uv run python -m benchmarks.telemetry --json                   # some four minutes
    uv run python -m benchmarks.telemetry --pairs 6 --bursts 2     # within two, rough
"""

import asyncio
import json
import math
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cyclopts import App

from benchmarks._overhead._children import Child, start
from benchmarks._overhead._environments import python_of
from benchmarks._overhead._workload import SCENARIOS
from benchmarks._scale._consumed import until
from benchmarks._surroundings import machine

AIM = 0.10
"""Of raw AutoGen's processor time."""
SETTLE = 3.0
"""Seconds behind the bursts of a pair: spans wait two for others before they are sent."""
ARRIVAL = 60.0
"""Seconds in which the last spans must have come to the collector; how long that takes isn't measured."""
SURE = 0.95
"""How often the interval of a median holds it."""
FEWEST = 6
"""Pairs that such an interval takes."""
MODEL_CALLS = {name: 2 if name.startswith("two") else 1 for name in SCENARIOS}
SPANS = {name: 5 if name.startswith("two") else 3 for name in SCENARIOS}
"""Of one run: the run, its agent, its model calls and its tool call."""

app = App(name="benchmarks.telemetry", help="What telemetry costs.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured."""

    runs: int
    bursts: int
    pairs: int
    warmup: int
    concurrency: int
    scenarios: tuple[str, ...]


@dataclass(slots=True)
class Measured:
    """Milliseconds of processor time of one run, pair by pair, and what reached the collector."""

    cpu: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    collected: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)


@app.default
def telemetry(
    *,
    json: bool = False,
    runs: int = 32,
    bursts: int = 4,
    pairs: int = 12,
    warmup: int = 60,
    concurrency: int = 8,
    scenarios: tuple[str, ...] = ("two_call_team",),
    raw: bool = True,
) -> int:
    """0 where nothing is lost and the cost is as aimed at, else 1.

    Args:
        json: Print one JSON object instead of lines.
        runs: Runs in one burst.
        bursts: Bursts of each contender in one pair.
        pairs: Pairs.
        warmup: Runs of each contender before all that isn't measured.
        concurrency: Runs side by side.
        scenarios: What is run.
        raw: Whether raw AutoGen is measured too; it gets an environment of its own.
    """
    sizes = Sizes(
        runs=runs, bursts=bursts, pairs=pairs, warmup=warmup, concurrency=concurrency, scenarios=scenarios
    )
    measured = asyncio.run(_measure(sizes, with_raw=raw))
    figures = {name: _figures_of(measured, name) for name in scenarios}
    complaints = _complaints(sizes, measured, figures)
    if json:
        _print_json(sizes, measured, figures, complaints)
    else:
        for name, one in figures.items():
            print(f"{name}: {one['on_ms']} ms a run with telemetry, {one['off_ms']} ms without")
            print(f"  ratio {one['ratio']['median']} ({one['ratio']['low']} to {one['ratio']['high']})")
            print(f"  added {one['added_ms_per_run']['median']} ms a run")
        print(*complaints or ("all as aimed at",), sep="\n")
    return 1 if complaints else 0


async def _measure(sizes: Sizes, *, with_raw: bool) -> Measured:
    measured = Measured()
    async with _contenders(measured, with_raw=with_raw) as (contenders, collector):
        for scenario in sizes.scenarios:
            order = {"scenario": scenario, "concurrency": sizes.concurrency, "warmup": 0}
            for child in contenders.values():
                await child.tell(**order, runs=sizes.warmup)
            await _settled(contenders, order)
            for number in range(sizes.pairs):
                costs = await _pair(contenders, order, sizes)
                for name, cost in costs.items():
                    measured.cpu.setdefault((scenario, name), []).append(cost)
                told = ", ".join(f"{name} {cost:.2f}" for name, cost in costs.items())
                print(f"  {number + 1}: {scenario}: {told} ms a run", file=sys.stderr)
        measured.collected = await _collected(collector, _expected(sizes))
    return measured


async def _collected(collector: Child, spans: int) -> dict[str, Any]:
    """What has come to the collector once all spans have, or the time for that is over."""

    async def came() -> bool:
        return bool((await collector.tell())["spans"] >= spans)

    with suppress(TimeoutError):
        await until(came, seconds=ARRIVAL)
    return await collector.tell()


def _expected(sizes: Sizes) -> int:
    """The spans of all runs with telemetry."""
    each = sizes.runs * sizes.bursts * sizes.pairs + sizes.warmup
    return sum(each * SPANS[name] for name in sizes.scenarios)


async def _pair(contenders: dict[str, Child], order: dict[str, Any], sizes: Sizes) -> dict[str, float]:
    """Milliseconds of a run of each contender, after the same number of bursts of each."""
    seconds = dict.fromkeys(contenders, 0.0)
    for number in range(sizes.bursts):
        # Who comes second finds the machine as the first left it: they take turns.
        for name, child in list(contenders.items())[:: 1 if number % 2 == 0 else -1]:
            figures = await child.tell(**order, runs=sizes.runs)
            seconds[name] += figures["cpu_s"] + figures.get("beside_cpu_s", 0.0)
    for name, beside in (await _settled(contenders, order)).items():
        seconds[name] += beside
    return {name: each / (sizes.runs * sizes.bursts) * 1000 for name, each in seconds.items()}


async def _settled(contenders: dict[str, Child], order: dict[str, Any]) -> dict[str, float]:
    """The seconds that each contender still took to send what had been done."""
    await asyncio.sleep(SETTLE)
    told = {name: await child.tell(**order, runs=0) for name, child in contenders.items()}
    return {name: figures.get("beside_cpu_s", 0.0) for name, figures in told.items()}


@asynccontextmanager
async def _contenders(measured: Measured, *, with_raw: bool) -> AsyncIterator[tuple[dict[str, Child], Child]]:
    here = Path(sys.executable)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        endpoint = await stack.enter_async_context(start(here, "benchmarks._overhead._endpoint", shares=True))
        url = (await endpoint.hear())["url"]
        collector = await stack.enter_async_context(
            start(here, "benchmarks._telemetry._collector", shares=True)
        )
        address = (await collector.hear())["url"]
        contenders: dict[str, Child] = {}
        for name, argument in (("on", address), ("off", "off")):
            worker = start(here, "benchmarks._telemetry._worker", url, folder, argument, shares=True)
            contenders[name] = await stack.enter_async_context(worker)
            measured.versions |= (await contenders[name].hear())["versions"]
        if with_raw:
            autogen = start(python_of("autogen"), "benchmarks._overhead._autogen", url, folder, shares=False)
            contenders["raw"] = await stack.enter_async_context(autogen)
            measured.versions |= (await contenders["raw"].hear())["versions"]
        yield contenders, collector


def _figures_of(measured: Measured, scenario: str) -> dict[str, Any]:
    on, off = measured.cpu[scenario, "on"], measured.cpu[scenario, "off"]
    added = [a - b for a, b in zip(on, off, strict=True)]
    calls = MODEL_CALLS[scenario]
    figures: dict[str, Any] = {
        "on_ms": round(statistics.median(on), 3),
        "off_ms": round(statistics.median(off), 3),
        "ratio": _median([a / b for a, b in zip(on, off, strict=True)]),
        "added_ms_per_run": _median(added),
        "added_ms_per_model_call": _median([each / calls for each in added]),
        "model_calls": calls,
        "spans": SPANS[scenario],
        "pairs_on_ms": [round(each, 3) for each in on],
        "pairs_off_ms": [round(each, 3) for each in off],
    }
    raw = measured.cpu.get((scenario, "raw"))
    if raw:
        figures["raw_ms"] = round(statistics.median(raw), 3)
        figures["added_share_of_raw"] = _median([a / b for a, b in zip(added, raw, strict=True)])
    return figures


def _median(values: list[float]) -> dict[str, float]:
    """The median of pairs and its interval; all that was seen, where the pairs are too few for one."""
    ordered, count = sorted(values), len(values)
    low, tail = 0, 0.0
    for number in range(count // 2):
        tail += math.comb(count, number) / 2**count  # that no more of them lie below the true median
        if tail <= (1 - SURE) / 2:
            low = number
    return {
        "median": round(statistics.median(ordered), 3),
        "low": round(ordered[low], 3),
        "high": round(ordered[-1 - low], 3),
    }


def _complaints(sizes: Sizes, measured: Measured, figures: dict[str, dict[str, Any]]) -> list[str]:
    complaints = []
    for name, one in figures.items():
        share = one.get("added_share_of_raw")
        if share is not None and sizes.pairs >= FEWEST and share["low"] > AIM:
            complaints.append(
                f"{name}: telemetry surely costs more than {share['low']:.1%} of raw AutoGen, "
                f"aimed at is {AIM:.0%}"
            )
    expected = _expected(sizes)
    if measured.collected["spans"] != expected:
        complaints.append(f"{measured.collected['spans']} spans reached the collector instead of {expected}")
    return complaints


def _print_json(
    sizes: Sizes, measured: Measured, figures: dict[str, dict[str, Any]], complaints: list[str]
) -> None:
    told = {
        "benchmark": "telemetry",
        "ok": not complaints,
        "complaints": complaints,
        "figures": figures,
        "collector": measured.collected,
        "sizes": {
            "runs": sizes.runs,
            "bursts": sizes.bursts,
            "pairs": sizes.pairs,
            "warmup": sizes.warmup,
            "concurrency": sizes.concurrency,
        },
        "versions": measured.versions,
        "machine": machine(),
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    sys.exit(app())
