"""A steady load of mixed runs for half an hour: does the process that executes them stay as it was?

One run in five is a single model call; one uses an MCP server over stdio; one waits for a person who
decides; one is rescheduled because its provider fails its first attempt; one is a conversation of two
messages. Every ten seconds the process tells its memory, tasks, files, threads, children, database
connections and metric series. Promised are: every run ends as expected; memory doesn't grow by more than
20 MB an hour beyond what two standard errors explain, after a warm-up of a fifth of the time; and at rest,
after the load, the process holds what it held at rest before.

    uv run python -m benchmarks.soak --json                  # half an hour, a tenth of one core
    uv run python -m benchmarks.soak --minutes 0.5
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal, TypeAlias

from cyclopts import App, Parameter

from benchmarks._overhead._children import start
from benchmarks._overhead._environments import CACHE
from benchmarks._replay._report import finish
from benchmarks._scale._slope import slope
from benchmarks._scale._soaked import Order
from benchmarks._servers import running_postgres, running_temporal
from proctor.core import JsonObject

Engine: TypeAlias = Literal["embedded", "temporal"]

app = App(name="benchmarks.soak", help="A steady load of mixed runs: does the process stay as it was?")

DELAY_MS = 300
"""Until a model answers."""

WARM_SHARE = 0.2
"""Of the time, at its beginning, that the slope leaves out."""

MOST_GROWTH = 20.0
"""MB an hour."""

HELD = ("tasks", "fds", "threads", "children", "connections", "series")
"""What must be at rest after the load as it was before."""

LATE_THREADS = {"embedded": 0, "temporal": 16}
"""Threads that may come during the load: Temporal's worker starts those for its workflows one by one."""


@app.default
def main(
    *,
    minutes: Annotated[float, Parameter(help="How long.")] = 30,
    rate: Annotated[float, Parameter(help="Runs a second; a conversation of two messages is one.")] = 10,
    engine: Annotated[Engine, Parameter(help="On SQLite, or on Temporal and PostgreSQL.")] = "embedded",
    every: Annotated[float, Parameter(help="Seconds between two looks.")] = 10,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
) -> None:
    """Load a process for a while and watch what it holds."""
    with _settings(engine) as settings:
        told = asyncio.run(_soak(settings, seconds=minutes * 60, rate=rate, every=every))
    finish(figures(told, minutes=minutes, rate=rate, engine=engine), as_json=as_json)


@contextmanager
def _settings(engine: Engine) -> Iterator[JsonObject]:
    """Database and engine, and the servers that they need."""
    CACHE.mkdir(exist_ok=True)
    with ExitStack() as stack:
        if engine == "embedded":
            folder = stack.enter_context(TemporaryDirectory(dir=CACHE))
            yield {"database": {"url": f"sqlite:///{Path(folder) / 'proctor.db'}"}}
        else:
            postgres = stack.enter_context(running_postgres())
            temporal = stack.enter_context(running_temporal())
            yield {
                "database": {"url": postgres.create_database()},
                "engine": {"kind": "temporal", "address": temporal.address},
            }


async def _soak(settings: JsonObject, *, seconds: float, rate: float, every: float) -> list[dict[str, Any]]:
    """All that the soaked process told."""
    python = Path(sys.executable)
    async with start(python, "benchmarks._scale._endpoint", str(DELAY_MS), shares=True) as endpoint:
        url = (await endpoint.hear())["url"]
        order = Order(url=url, settings=settings, seconds=seconds, rate=rate, every=every)
        soaked = start(python, "benchmarks._scale._soaked", json.dumps(asdict(order)), shares=True)
        async with soaked as child:
            told = [await child.hear()]
            while "after" not in told[-1]:
                told.append(await child.hear())
                print(json.dumps(told[-1]), file=sys.stderr, flush=True)
    return told


def figures(told: list[dict[str, Any]], *, minutes: float, rate: float, engine: Engine) -> dict[str, Any]:
    """What is printed."""
    before, after, last = told[0]["before"], told[-1]["after"], told[-1]
    samples = [line["sample"] for line in told if "sample" in line]
    warm = samples[0]["seconds"] + minutes * 60 * WARM_SHARE
    counted = [sample for sample in samples if sample["seconds"] >= warm]
    growth, error = slope([s["seconds"] / 3600 for s in counted], [s["rss_mb"] for s in counted])
    flat = abs(growth) - 2 * error <= MOST_GROWTH
    allowed = {**before, "threads": before["threads"] + LATE_THREADS[engine]}
    leaked = {name: after[name] - before[name] for name in HELD if after[name] > allowed[name]}
    runs = last["done"]
    return {
        "benchmark": "soak",
        "ok": flat and not leaked and not last["faults"] and bool(runs),
        "engine": engine,
        "minutes": minutes,
        "rate": rate,
        "runs": runs,
        "unexpected": last["faults"],
        "most_in_flight": last["most_in_flight"],
        "most_behind_s": round(last["most_behind"], 3),
        "cpu_share_of_one_core": last["cpu_share"],
        "commits": last["commits"],
        "rss_mb": {
            "at_rest_before": before["rss_mb"],
            "first": samples[0]["rss_mb"],
            "after_warm_up": counted[0]["rss_mb"] if counted else None,
            "last": samples[-1]["rss_mb"],
            "at_rest_after": after["rss_mb"],
        },
        "rss_slope_mb_per_hour": round(growth, 2),
        "rss_slope_standard_error": round(error, 2),
        "samples_counted": len(counted),
        "objects": {"before": before["objects"], "after": after["objects"]},
        "most_held": {name: max(sample[name] for sample in samples) for name in HELD},
        "at_rest": {name: [before[name], after[name]] for name in HELD},
        "leaked": leaked,
        "faults": last["told"],
    }


if __name__ == "__main__":
    app()
