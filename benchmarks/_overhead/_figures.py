"""From samples to figures, and from figures to what holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Contender = Literal["proctor", "autogen", "langgraph"]
Rival = Literal["autogen", "langgraph"]

MAX_CPU = 1.5
"""Times the CPU of raw AutoGen for a run, side by side with others."""
MIN_THROUGHPUT = 0.7
"""Times the runs a second of raw AutoGen, side by side with others."""
MAX_COMMITS = 2.0
"""Disk commits that are added to a run that is alone."""
BEATS = 0.05
"""Beside them: the process's own signs of life, two in 5 s, fall on whatever runs then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one contender needed for one burst of runs."""

    contender: Contender
    scenario: str
    concurrency: int
    runs: int
    wall_s: float
    cpu_s: float
    commits: int

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of processor time a run, of all threads."""
        return self.cpu_s / self.runs * 1000

    @property
    def runs_per_s(self) -> float:
        """Runs a second."""
        return self.runs / self.wall_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Proctor's value in relation to a rival's, of each pair of bursts."""

    median: float
    min: float
    max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One contender's medians."""

    cpu_ms: float
    runs_per_s: float
    commits_per_run: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One scenario at one concurrency."""

    scenario: str
    concurrency: int
    costs: dict[Contender, Cost]
    cpu_ratio: dict[Rival, Ratio]
    throughput_ratio: dict[Rival, Ratio]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One promise and whether it holds."""

    promise: str
    scenario: str
    concurrency: int
    value: float
    limit: float
    holds: bool


def cell_of(samples: Sequence[Sample], rivals: Sequence[Rival]) -> Cell:
    """The figures of one scenario at one concurrency. Each contender's samples are in the order of pairs."""
    own = _of("proctor", samples)
    others = {rival: _of(rival, samples) for rival in rivals}
    return Cell(
        scenario=own[0].scenario,
        concurrency=own[0].concurrency,
        costs={"proctor": _cost(own), **{rival: _cost(theirs) for rival, theirs in others.items()}},
        cpu_ratio={rival: _ratio(own, others[rival], lambda sample: sample.cpu_ms) for rival in rivals},
        throughput_ratio={
            rival: _ratio(own, others[rival], lambda sample: sample.runs_per_s) for rival in rivals
        },
    )


def checks_of(cell: Cell) -> list[Check]:
    """What is promised of a cell."""
    found: list[Check] = []
    own = cell.costs["proctor"]

    def check(promise: str, value: float, limit: float, *, holds: bool) -> None:
        found.append(
            Check(
                promise=promise,
                scenario=cell.scenario,
                concurrency=cell.concurrency,
                value=round(value, 3),
                limit=round(limit, 3),
                holds=holds,
            )
        )

    if "autogen" in cell.costs:
        if cell.concurrency == 1:
            added = own.commits_per_run - cell.costs["autogen"].commits_per_run
            check("disk commits added to a run", added, MAX_COMMITS, holds=added <= MAX_COMMITS + BEATS)
        else:
            cpu, throughput = cell.cpu_ratio["autogen"].median, cell.throughput_ratio["autogen"].median
            check("CPU of raw AutoGen, times", cpu, MAX_CPU, holds=cpu <= MAX_CPU)
            check(
                "throughput of raw AutoGen, times",
                throughput,
                MIN_THROUGHPUT,
                holds=throughput >= MIN_THROUGHPUT,
            )
    if "langgraph" in cell.costs:
        cpu, throughput = cell.cpu_ratio["langgraph"].median, cell.throughput_ratio["langgraph"].median
        commits = cell.costs["langgraph"].commits_per_run
        check("less CPU than LangGraph, times", cpu, 1.0, holds=cpu < 1)
        check("more throughput than LangGraph, times", throughput, 1.0, holds=throughput > 1)
        check(
            "fewer disk commits than LangGraph",
            own.commits_per_run,
            commits,
            holds=own.commits_per_run < commits,
        )
    return found


def _of(contender: Contender, samples: Sequence[Sample]) -> list[Sample]:
    return [sample for sample in samples if sample.contender == contender]


def _cost(samples: Sequence[Sample]) -> Cost:
    return Cost(
        cpu_ms=median(sample.cpu_ms for sample in samples),
        runs_per_s=median(sample.runs_per_s for sample in samples),
        commits_per_run=median(sample.commits / sample.runs for sample in samples),
    )


def _ratio(own: Sequence[Sample], others: Sequence[Sample], of: Callable[[Sample], float]) -> Ratio:
    ratios = [of(mine) / of(theirs) for mine, theirs in zip(own, others, strict=True)]
    return Ratio(median=median(ratios), min=min(ratios), max=max(ratios))
