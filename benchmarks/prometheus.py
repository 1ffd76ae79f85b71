"""Does a real Prometheus tell what the journals hold, and do the guide's three alerts fire and resolve?

Three processes execute runs under load, each on a database of its own: calls of heavy-tailed length, some
that are sent again, some that fail, some whose answer breaks off and is paid for, runs that the policy
refuses. Prometheus scrapes all three every two seconds under the exported rules. After a last scrape its
counts, completion rate and cost must equal the journals', to the micro-dollar; its quantiles must lie
within the bucket that holds the journals' own.

Then slow calls, errors and a burst of calls are made at once, until all alerts are there. The alerts for
p99 above 5 s, for errors above 5 % and for more than 100 calls a second must fire, and resolve when it is
over. For that the rules are exported with `--window` and with nothing to hold: an operator's have windows
of 5 minutes, of bursts 1 minute.

    uv run python -m benchmarks.prometheus --json                    # three minutes
    uv run python -m benchmarks.prometheus --seconds 30 --json       # within one and a half
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from cyclopts import App, Parameter

from benchmarks._overhead._children import Child, start
from benchmarks._overhead._environments import CACHE
from benchmarks._prometheus._programs import programs
from benchmarks._prometheus._server import Prometheus, running_prometheus
from benchmarks._prometheus._truth import compared, read_teams, read_truth
from benchmarks._replay._report import finish
from benchmarks._scale._consumed import until
from benchmarks._surroundings import machine
from proctor.cli._monitoring import SHIPPED, shaped, shipped

PROCESSES = 3
GUIDES = frozenset({"ProctorSlowResponses", "ProctorErrorRate", "ProctorCallBurst"})
BOUND = 90.0
"""Seconds in which an alert has to fire, or to resolve."""

app = App(
    name="benchmarks.prometheus", help="Prometheus' figures against the journals, and the guide's alerts."
)


@app.default
def main(
    *,
    seconds: Annotated[float, Parameter(help="Of the load.")] = 120,
    rate: Annotated[float, Parameter(help="Runs a second of each process.")] = 1.5,
    window: Annotated[int, Parameter(help="Seconds: of the rules, while alerts are tried.")] = 20,
    seed: Annotated[int, Parameter(help="Of latencies and faults.")] = 7,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
) -> None:
    """Load three processes, scrape them, compare, and make alerts fire."""
    CACHE.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=CACHE) as folder:
        figures = asyncio.run(_measure(Path(folder), seconds=seconds, rate=rate, window=window, seed=seed))
    finish(figures, as_json=as_json)


async def _measure(folder: Path, *, seconds: float, rate: float, window: int, seed: int) -> dict[str, Any]:
    databases = [folder / f"{number}.db" for number in range(PROCESSES)]
    async with AsyncExitStack() as stack:
        children = [
            await stack.enter_async_context(
                start(
                    Path(sys.executable),
                    "benchmarks._prometheus._process",
                    f"sqlite:///{database}",
                    str(seed + number),
                    shares=True,
                )
            )
            for number, database in enumerate(databases)
        ]
        targets = [(await child.hear())["target"] for child in children]
        config = _configure(folder, targets, f"{window}s")
        prometheus = await stack.enter_async_context(running_prometheus(programs()["prometheus"], config))
        await prometheus.ready(PROCESSES)
        early = await _steady(prometheus, children, seconds=seconds, rate=rate, settled=window)
        await prometheus.scraped()
        figures = await compared(prometheus, await read_truth(databases))
        alerts = await _alerts(prometheus, children)
        ends = await read_teams(databases)
    agree = all(
        one.get("equal", True) and one.get("within", True)
        for one in figures.values()
        if isinstance(one, dict)
    )
    complaints = [
        *(
            f"{name} differs"
            for name, one in figures.items()
            if isinstance(one, dict) and not one.get("equal", one.get("within"))
        ),
        *(f"{name} fired without a cause" for name in sorted(early)),
        *(f"{name} didn't fire" for name in sorted(GUIDES - alerts["fired_after_s"].keys())),
        *(
            f"{name} didn't resolve"
            for name in sorted(alerts["fired_after_s"].keys() - alerts["resolved_after_s"].keys())
        ),
    ]
    return {
        "benchmark": "prometheus",
        "ok": agree and not complaints,
        "complaints": complaints,
        "processes": PROCESSES,
        "seconds": seconds,
        "window": window,
        **figures,
        "alerts": alerts,
        "ends": ends,
        **machine(),
    }


def _configure(folder: Path, targets: list[str], window: str) -> Path:
    """The exported files, with this window, nothing to hold, and a look every two seconds."""
    for name in SHIPPED:
        text = shaped(shipped(name), targets, window=window, hold="0s")
        text, _, _ = text.partition("\nalerting:")  # nobody is told
        (folder / name).write_text(text.replace("_interval: 15s", "_interval: 2s"), encoding="utf-8")
    return folder / "prometheus.yml"


async def _steady(
    prometheus: Prometheus, children: Collection[Child], *, seconds: float, rate: float, settled: float
) -> set[str]:
    """Those of the guide's alerts that fired under the steady load, where none should.

    Not in the first `settled` seconds: of the first twenty calls two errors are a tenth, and an operator's
    rules hold one or two minutes before they tell of it.
    """
    early: set[str] = set()

    async def watch() -> None:
        await asyncio.sleep(settled)
        while True:
            early.update(GUIDES & await prometheus.firing())
            await asyncio.sleep(1)

    watching = asyncio.create_task(watch())
    try:
        await asyncio.gather(*(child.tell(do="steady", seconds=seconds, rate=rate) for child in children))
    finally:
        watching.cancel()
    return early


async def _alerts(prometheus: Prometheus, children: Collection[Child]) -> dict[str, dict[str, float]]:
    """After how many seconds each of the guide's alerts fired, and after its cause was over, resolved."""
    began = time.monotonic()
    await asyncio.gather(*(child.tell(do="alarm") for child in children))
    fired: dict[str, float] = {}

    async def all_have_fired() -> bool:
        for name in GUIDES & await prometheus.firing():
            fired.setdefault(name, round(time.monotonic() - began, 1))
        return fired.keys() == GUIDES

    await _within(all_have_fired)
    await asyncio.gather(*(child.tell(do="calm") for child in children))
    over, resolved = time.monotonic(), dict[str, float]()

    async def all_have_resolved() -> bool:
        still = await prometheus.firing()
        for name in fired.keys() - still - resolved.keys():
            resolved[name] = round(time.monotonic() - over, 1)
        return fired.keys() == resolved.keys()

    await _within(all_have_resolved)
    return {"fired_after_s": fired, "resolved_after_s": resolved}


async def _within(holds: Callable[[], Awaitable[bool]]) -> None:
    try:
        await until(holds, seconds=BOUND)
    except TimeoutError:
        print("  not in time", file=sys.stderr, flush=True)


if __name__ == "__main__":
    app()
