"""What telemetry costs: processor time per run with all of it on, against all of it off.

On is what a service has: Prometheus' metrics, spans and OpenTelemetry's metrics sent to a collector (another
process on this machine, which decodes them), and JSON logs to a file. Off is none of these; but that runs and
verdicts are counted, three counters a run, goes on. Both do the same runs against one fake endpoint, each in
a process of its own, burst by burst in turn, so that what else the machine does meets both. CPU is the
processor time of all threads of the process, those that send included. Beside them raw AutoGen 0.7.5 does the
same work: the aim is that telemetry costs less than a tenth of what the bare framework does. Held against the
aim is the median of the differences between neighbouring bursts; the quietest burst of each is told too, and
on a busy machine the two differ.

    uv run python -m benchmarks.telemetry --json                       # some five minutes
    uv run python -m benchmarks.telemetry --runs 40 --rounds 2         # within one, rough
"""

import asyncio
import json
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cyclopts import App

from benchmarks._overhead._children import Child, start
from benchmarks._overhead._environments import python_of
from benchmarks._overhead._workload import SCENARIOS
from benchmarks._surroundings import machine

AIM = 0.10
"""Of raw AutoGen's processor time."""
MODEL_CALLS = {name: 2 if name.startswith("two") else 1 for name in SCENARIOS}
SPANS = {name: 5 if name.startswith("two") else 3 for name in SCENARIOS}
"""Of one run: the run, its agent, its model calls and its tool call."""

app = App(name="benchmarks.telemetry", help="What telemetry costs.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured."""

    runs: int
    warmup: int
    rounds: int
    concurrency: int
    scenarios: tuple[str, ...]


@dataclass(slots=True)
class Measured:
    """Milliseconds of processor time of one run, round by round, and what reached the collector."""

    cpu: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    collected: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)


@app.default
def telemetry(
    *,
    json: bool = False,
    runs: int = 200,
    warmup: int = 30,
    rounds: int = 7,
    concurrency: int = 8,
    scenarios: tuple[str, ...] = ("two_call_team",),
    raw: bool = True,
) -> int:
    """0 where nothing is lost and the cost is as aimed at, else 1.

    Args:
        json: Print one JSON object instead of lines.
        runs: Runs in one measured burst.
        warmup: Runs before each burst that aren't measured.
        rounds: Bursts of each contender.
        concurrency: Runs side by side.
        scenarios: What is run.
        raw: Whether raw AutoGen is measured too; it gets an environment of its own.
    """
    sizes = Sizes(runs=runs, warmup=warmup, rounds=rounds, concurrency=concurrency, scenarios=scenarios)
    measured = asyncio.run(_measure(sizes, with_raw=raw))
    figures = {name: _figures_of(measured, name) for name in scenarios}
    complaints = _complaints(sizes, measured, figures)
    if json:
        _print_json(sizes, measured, figures, complaints)
    else:
        for name, one in figures.items():
            print(f"{name}: {one['on_ms']} ms a run with telemetry, {one['off_ms']} ms without")
            print(f"  ratio {one['ratio']['median']} ({one['ratio']['low']} to {one['ratio']['high']})")
        print(*complaints or ("all as aimed at",), sep="\n")
    return 1 if complaints else 0


async def _measure(sizes: Sizes, *, with_raw: bool) -> Measured:
    measured = Measured()
    async with _contenders(measured, with_raw=with_raw) as (contenders, collector):
        for number in range(sizes.rounds):
            # Who comes second finds the machine as the first left it: they take turns.
            order = list(contenders.items())[:: 1 if number % 2 == 0 else -1]
            for scenario in sizes.scenarios:
                for name, child in order:
                    figures = await child.tell(
                        scenario=scenario,
                        concurrency=sizes.concurrency,
                        warmup=sizes.warmup,
                        runs=sizes.runs,
                    )
                    cost = figures["cpu_s"] / sizes.runs * 1000
                    measured.cpu.setdefault((scenario, name), []).append(cost)
                    print(f"  {number + 1}: {scenario} {name}: {cost:.2f} ms a run", file=sys.stderr)
        measured.collected = await collector.tell()
    return measured


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
    ratios = sorted(a / b for a, b in zip(on, off, strict=True))
    added = [a - b for a, b in zip(on, off, strict=True)]
    figures: dict[str, Any] = {
        "on_ms": round(statistics.median(on), 3),
        "off_ms": round(statistics.median(off), 3),
        "added_ms_per_run": round(statistics.median(added), 3),
        "added_ms_per_model_call": round(statistics.median(added) / MODEL_CALLS[scenario], 3),
        "ratio": {
            "median": round(statistics.median(ratios), 3),
            "low": round(ratios[0], 3),
            "high": round(ratios[-1], 3),
        },
        "model_calls": MODEL_CALLS[scenario],
        "spans": SPANS[scenario],
        "rounds_on_ms": [round(each, 3) for each in on],
        "rounds_off_ms": [round(each, 3) for each in off],
    }
    quietest = min(on) - min(off)
    figures["quietest"] = {
        "on_ms": round(min(on), 3),
        "off_ms": round(min(off), 3),
        "added_ms_per_run": round(quietest, 3),
        "added_ms_per_model_call": round(quietest / MODEL_CALLS[scenario], 3),
        "ratio": round(min(on) / min(off), 3),
    }
    raw = measured.cpu.get((scenario, "raw"))
    if raw:
        figures["raw_ms"] = round(statistics.median(raw), 3)
        figures["quietest"]["raw_ms"] = round(min(raw), 3)
        figures["added_share_of_raw"] = round(statistics.median(added) / statistics.median(raw), 3)
    return figures


def _complaints(sizes: Sizes, measured: Measured, figures: dict[str, dict[str, Any]]) -> list[str]:
    complaints = []
    for name, one in figures.items():
        share = one.get("added_share_of_raw")
        if share is not None and share > AIM:
            complaints.append(f"{name}: telemetry costs {share:.1%} of raw AutoGen, aimed at is {AIM:.0%}")
    each = (sizes.runs + sizes.warmup) * sizes.rounds
    expected = sum(each * SPANS[name] for name in sizes.scenarios)
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
            "warmup": sizes.warmup,
            "rounds": sizes.rounds,
            "concurrency": sizes.concurrency,
        },
        "versions": measured.versions,
        "machine": machine(),
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    sys.exit(app())
