"""Runs the contender: the same teams and faults without Proctor; then what didn't complete, once more."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

from benchmarks._faults._cases import BRANCHES, CASES, FOR_GOOD, SIBLINGS, Case
from benchmarks._faults._figures import Raw, calls_repeated, effects_doubled
from benchmarks._faults._processes import Process
from benchmarks._faults._traces import ENDS, HELD, MENDED, Traces, of_case, released
from benchmarks._overhead._environments import environment

MOST = 4
"""Runs of a case: all cases go on at once, and more of them would wait for the processor."""
FROZEN = 3.0
"""Seconds for which the contender is frozen."""
HELD_AT_MOST = 30.0
LOOK = 0.1
SETTLED = 0.5
"""Seconds after the last request is held, in which siblings come to their ends."""
ENDING = 170.0
"""Seconds for all runs of an attempt."""


def contenders_python() -> Path:
    """An interpreter with AutoGen and its extensions, in an environment that uv makes at the first use.

    What it shares with Proctor has the same version, but for `mcp`: AutoGen's adapter needs 1.x.
    """
    return environment("faults", Path(__file__).with_name("autogen.txt"), as_here=True, but=("mcp",))


class Contender:
    """AutoGen alone, with an endpoint and traces of its own."""

    def __init__(self, python: Path, folder: Path, url: str, count: int) -> None:
        self._python = python
        self._traces = Traces(folder)
        self._url = url
        self._count = min(count, MOST)

    async def branches(self) -> dict[str, Raw]:
        """By case: faults of agents, providers and tool servers. Each different fault is met once.

        What passes, or is mended, is started over when that is done.
        """
        met: dict[tuple[str, str, str], list[Case]] = {}
        for case in CASES.values():
            if case.family in BRANCHES:
                # With these an agent calls another tool.
                own = case.mechanism if case.mechanism in ("absorb", "person") else ""
                met.setdefault((case.fault, case.lasts, own), []).append(case)
        first = [cases[0] for cases in met.values()]
        await self._run([case for case in first if case.family != "tool server"], 1)
        await self._run([case for case in first if case.family == "tool server"], 1)
        self._traces.mark(MENDED)
        await self._run([case for case in first if case.lasts != FOR_GOOD], 2)
        return {case.name: self._raw(cases[0]) for cases in met.values() for case in cases}

    async def workers(self) -> dict[str, Raw]:
        """By case: faults of the process. It is killed, drained or frozen, and starts over if it is gone."""
        met: dict[str, list[Case]] = {}
        for case in CASES.values():
            if case.family == "worker":
                met.setdefault(_signal(case), []).append(case)
        found = await asyncio.gather(*(self._worker(cases[0]) for cases in met.values()))
        return {case.name: raw for raw, cases in zip(found, met.values(), strict=True) for case in cases}

    async def _worker(self, case: Case) -> Raw:
        process = await self._start([case], 1)
        async with asyncio.timeout(HELD_AT_MOST):
            while len(of_case(self._traces.read(HELD), case.name)) < self._count:  # noqa: ASYNC110 - other processes leave files
                await asyncio.sleep(LOOK)
        await asyncio.sleep(SETTLED)
        fault = _signal(case)
        process.send({"killed": SIGKILL, "drained": SIGTERM, "frozen": SIGSTOP}[fault])
        await asyncio.sleep(FROZEN if fault == "frozen" else 0)
        self._traces.mark(released(case.name))
        if fault == "frozen":
            process.send(SIGCONT)
        await process.ended()
        await self._run([case], 2)
        return self._raw(case)

    async def _run(self, cases: Sequence[Case], attempt: int) -> None:
        process = await self._start(cases, attempt)
        await process.ended(ENDING)

    async def _start(self, cases: Iterable[Case], attempt: int) -> Process:
        names = [case.name for case in cases]
        order = (str(self._traces.folder), self._url, sys.executable, str(self._count), str(attempt))
        log = self._traces.folder / "contender.log"
        process = await Process.start("_raw", *order, *names, log=log, python=self._python)
        await process.ready()
        return process

    def _raw(self, case: Case) -> Raw:
        ends = of_case(self._traces.read(ENDS), case.name)
        first = {end["key"]: end for end in ends if end["attempt"] == 1}
        ended = Counter(end["ended"] for end in first.values())
        done = {end["key"] for end in ends if end["ended"] == "completed"}
        kept = sum(len(end["siblings"]) for end in first.values())
        return Raw(
            runs=self._count,
            lasts=case.lasts,
            completed_share=_share(ended["completed"], self._count),
            hung_share=_share(ended["hung"], self._count),
            siblings_kept=f"{kept}/{self._count * len(SIBLINGS)}",
            completed_without_its_answer=sum(
                end["ended"] == "completed" and not end["answered"] for end in first.values()
            ),
            completed_on_second_try=None if case.lasts == FOR_GOOD else _share(len(done), self._count),
            calls_repeated=calls_repeated(case, self._traces),
            effects_doubled=effects_doubled(case, self._traces),
            errors=_errors(first),
        )


def _signal(case: Case) -> str:
    return case.fault.split("_")[1]


def _errors(ends: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(sorted({end["error"] for end in ends.values() if end["error"]}))


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3) if whole else 0.0
