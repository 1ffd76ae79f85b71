"""What the journals of all processes hold, and how far Prometheus' figures are from it."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from benchmarks._prometheus._server import Prometheus
from proctor.runs import calls, runs
from proctor.store import Database
from proctor.telemetry import CALL_BUCKETS, RUN_BUCKETS, bucket_of

QUANTILES = (0.5, 0.95, 0.99)
COSTS = tuple(f"proctor_{what}_cost_micros_total" for what in ("model", "tool", "wasted"))
LATE = 0.05
"""Seconds by which the journal's time and the metric's may differ: they are taken at different places of the
chain, on a busy machine."""


@dataclass(slots=True, kw_only=True)
class Truth:
    """The sums of all journals."""

    states: Counter[str] = field(default_factory=Counter)
    cost: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    run_seconds: list[float] = field(default_factory=list)
    call_seconds: list[float] = field(default_factory=list)

    @property
    def completion(self) -> float:
        """The share of the runs that completed."""
        return self.states["completed"] / self.states.total()


async def read_teams(databases: Sequence[Path]) -> dict[str, int]:
    """How many runs of each team came to which end."""
    ends: Counter[str] = Counter()
    for path in databases:
        async with await Database.open(f"sqlite:///{path}") as database:
            found = await database.read(lambda each: each.execute(select(runs.c.team, runs.c.state)).all())
            ends.update(f"{run.team} {run.state}" for run in found)
    return dict(sorted(ends.items()))


async def read_truth(databases: Sequence[Path]) -> Truth:
    """What the journals hold now."""
    truth = Truth()
    for path in databases:
        async with await Database.open(f"sqlite:///{path}") as database:
            await database.read(lambda connection: _add(connection, truth))
    return truth


def _add(connection: Connection, truth: Truth) -> None:
    of = select(runs.c.state, runs.c.cost, runs.c.created_at, runs.c.finished_at)
    for run in connection.execute(of):
        truth.states[run.state] += 1
        truth.cost += run.cost
        truth.run_seconds.append((run.finished_at - run.created_at).total_seconds())
    for call in connection.execute(
        select(calls.c.kind, calls.c.duration_ms).where(calls.c.outcome.is_not(None))
    ):
        if call.kind == "model":
            truth.model_calls += 1
            truth.call_seconds.append(call.duration_ms / 1000)
        truth.tool_calls += call.kind == "tool"


async def compared(prometheus: Prometheus, truth: Truth) -> dict[str, Any]:
    """Each figure as Prometheus and the journals have it; `equal` or `within` says whether they agree."""
    states = await prometheus.query("sum by (status) (proctor_runs_total) > 0")
    completion = await prometheus.number(
        'sum(proctor_runs_total{status="completed"}) / sum(proctor_runs_total)'
    )
    cost = await prometheus.number(f"sum({' or '.join(COSTS)})")
    model_calls = await prometheus.number('sum(proctor_model_calls_total{outcome="ok"})')
    tool_calls = await prometheus.number('sum(proctor_tool_calls_total{outcome="ok"})')
    exact = {
        "runs": ({key[0]: int(value) for key, value in states.items()}, dict(truth.states)),
        "completion_rate": (completion, truth.completion),
        "cost_micros": (int(cost), truth.cost),
        "model_calls": (int(model_calls), truth.model_calls),
        "tool_calls": (int(tool_calls), truth.tool_calls),
    }
    wasted = int(await prometheus.number("sum(proctor_wasted_cost_micros_total)"))
    return {
        **{name: _equal(told, known) for name, (told, known) in exact.items()},
        "wasted_micros": wasted,
        **await _quantiles(prometheus, "run", "proctor_run_duration_seconds", truth.run_seconds, RUN_BUCKETS),
        **await _quantiles(
            prometheus,
            "model_call",
            "proctor_model_duration_seconds",
            truth.call_seconds,
            CALL_BUCKETS,
        ),
    }


def _equal(told: Any, known: Any) -> dict[str, Any]:
    same = math.isclose(told, known, rel_tol=1e-12) if isinstance(told, float) else told == known
    return {"prometheus": told, "journal": known, "equal": same}


async def _quantiles(
    prometheus: Prometheus, what: str, metric: str, seconds: list[float], buckets: tuple[float, ...]
) -> dict[str, Any]:
    """Quantiles of all that the processes have done, which is all that their counters hold."""
    ordered, found = sorted(seconds), {}
    for quantile in QUANTILES:
        told = await prometheus.number(f"histogram_quantile({quantile}, sum by (le) ({metric}_bucket))")
        known = ordered[max(0, math.ceil(quantile * len(ordered)) - 1)]
        low, high = bucket_of(max(0.0, known - LATE), buckets)[0], bucket_of(known + LATE, buckets)[1]
        found[f"{what}_p{round(quantile * 100)}"] = {
            "prometheus": round(told, 4),
            "journal": round(known, 4),
            "off_percent": round(100 * (told / known - 1), 1),
            "bucket": bucket_of(known, buckets),
            "within": low <= told <= high,
        }
    return found
