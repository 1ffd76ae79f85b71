"""Recorded support tasks whose workers are struck again and again: is anything lost, or done twice?

The replays of `benchmarks.tau_replay`, executed by processes to which all happens that happens to processes,
at moments drawn by chance and at chosen ones. A worker is killed with SIGKILL: within a model call, within a
tool before its effect, within a tool after its effect and before its answer, while it starts, anywhere. It is
frozen with SIGSTOP for longer than its lease, and wakes up when others have its runs. It is drained with
SIGTERM. The shop's server alone is killed; PostgreSQL is stopped, or crashes, and starts again; the model's
provider fails: with 429, overloaded, unreachable, cut off in the middle of an answer, with nonsense, by
hanging until its time-out. Half of the cases have a shop that honours idempotency keys: there an interrupted
call is repeated under its key. The others have one that doesn't: there the run asks a person, who looks into
the shop's effect ledger. Promised are: no run is lost, no effect is doubled, every hash is right, and a dead
worker's runs go on elsewhere within 6 s (median).

With `--engine embedded` one process does everything, on SQLite, and is started again. With `--engine
temporal` several workers share the runs through Temporal on PostgreSQL; both are real servers. The teams'
`retries` are the most that may be set, 20: here a run is hit so often by chance that it would be parked with
the default.

    uv run python -m benchmarks.chaos --runs 200 --kills 50 --json
    uv run python -m benchmarks.chaos --engine temporal --workers 3 --runs 300 --json
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from benchmarks._replay._data import Task, load_tasks
from benchmarks._replay._faults import EngineKind, Sizes
from benchmarks._replay._report import SHOWN, fail, finish, totals
from proctor import ProctorError

if TYPE_CHECKING:
    from benchmarks._replay._chaos import Outcome

TAKE_OVER = 6.0
"""Seconds that the take-over of a killed worker's run may take: the median of all."""
DRAIN = 4.0
"""Seconds that a drain may take, the median of all: 2 s for the calls in progress, then a process ends."""

app = App(name="benchmarks.chaos", help="Recorded support tasks whose workers are struck again and again.")


@app.default
def main(
    *,
    engine: Annotated[EngineKind, Parameter(help="Who distributes the runs.")] = "embedded",
    workers: Annotated[int | None, Parameter(help="Worker processes: 3 with Temporal, else 1.")] = None,
    runs: Annotated[
        int | None, Parameter(help="Tasks, drawn by chance: 300 with Temporal, else 200.")
    ] = None,
    kills: Annotated[
        int | None, Parameter(help="How often a worker is killed: 30 with Temporal, else 50.")
    ] = None,
    store_kills: Annotated[
        int | None, Parameter(help="How often the shop's server alone is killed: a fifth of the kills.")
    ] = None,
    freezes: Annotated[
        int | None,
        Parameter(
            help="How often a worker stands still for 5 to 8 s: a quarter of the kills with Temporal, else a "
            "tenth, since then nobody else takes its runs."
        ),
    ] = None,
    drains: Annotated[
        int | None, Parameter(help="How often a worker is asked to end: a quarter of the kills.")
    ] = None,
    database_restarts: Annotated[
        int | None,
        Parameter(
            help="How often PostgreSQL is restarted: a tenth of the kills with Temporal; with the embedded "
            "engine none, and PostgreSQL stands in SQLite's place where there are any."
        ),
    ] = None,
    provider_faults: Annotated[float, Parameter(help="The share of model calls that fail.")] = 0.02,
    window: Annotated[int | None, Parameter(help="Runs at a time: 8 for each worker.")] = None,
    seed: Annotated[int, Parameter(help="Draws tasks and moments.")] = 7,
    domain: Annotated[str, Parameter(help="The shop: retail.")] = "retail",
    data: Annotated[
        list[Path] | None, Parameter(help="Files of tasks in the same form, instead of the known ones.")
    ] = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
) -> None:
    """Strike workers again and again, and compare what they leave."""
    # Here because the workers' processes import this module and need none of it.
    from benchmarks._replay._chaos import chaos
    from benchmarks._replay._place import make_place

    shared = engine == "temporal"
    kills = kills if kills is not None else 30 if shared else 50
    workers = workers if workers is not None and shared else 3 if shared else 1
    sizes = Sizes(
        engine=engine,
        workers=workers,
        window=8 * workers if window is None else window,
        kills=kills,
        store_kills=kills // 5 if store_kills is None else store_kills,
        freezes=round(kills / (4 if shared else 10)) if freezes is None else freezes,
        drains=round(kills / 4) if drains is None else drains,
        database_restarts=(kills // 10 if shared else 0) if database_restarts is None else database_restarts,
        provider_faults=provider_faults,
        seed=seed,
    )
    began = time.perf_counter()
    try:
        cases = drawn(load_tasks(domain, data), (300 if shared else 200) if runs is None else runs, seed)
        with make_place(sizes) as (place, postgres):
            outcome = asyncio.run(chaos(cases, sizes, place, postgres))
    except ProctorError as error:
        fail("chaos", error, as_json=as_json)
    finish(figures(outcome, sizes, time.perf_counter() - began), as_json=as_json)


def drawn(tasks: Sequence[Task], count: int, seed: int) -> Sequence[Task]:
    """So many tasks by chance, each as often as any other."""
    rng = Random(seed)
    times, rest = divmod(count, len(tasks))
    cases = [*tasks] * times + rng.sample(list(tasks), rest)
    rng.shuffle(cases)
    return cases


def figures(outcome: "Outcome", sizes: Sizes, seconds: float) -> dict[str, Any]:
    """What is printed."""
    story, handed_over = outcome.story, outcome.handed_over
    found = [one for one in outcome.checked if one is not None]
    wrong = [one for one in found if one.faults]
    faults = [*outcome.broke, *(f"{one.task}: {'; '.join(one.faults)}" for one in wrong)]
    lost = len(outcome.checked) - sum(one.completed for one in found)
    attempts = Counter(one.attempts for one in found)
    killed, frozen, drained = map(spread, (handed_over.killed, handed_over.frozen, story.drains))
    in_time = killed.get("median", 0) <= TAKE_OVER and drained.get("median", 0) <= DRAIN
    as_planned = all(story.counts[blow] >= wanted for blow, wanted in sizes.strikes.items())
    return {
        "benchmark": "chaos",
        "ok": bool(found) and not lost and not faults and as_planned and in_time,
        "engine": sizes.engine,
        "workers": sizes.workers,
        "runs": len(outcome.checked),
        "lost": lost,
        **totals(found),
        "wrong_hashes": len(outcome.checked) - sum(one.hash_right for one in found),
        "kills": story.counts["kill"],
        "kills_aimed_at": dict(sorted(story.aimed.items())),
        "kills_that_interrupted": dict(sorted(story.hit.items())),
        "store_kills": story.counts["store kill"],
        "freezes": story.counts["freeze"],
        "drains": story.counts["drain"],
        "database_restarts": story.counts["database restart"],
        "provider_faults": dict(sorted(outcome.provider_faults.items())),
        "take_over_s": {"killed": killed, "frozen": frozen},
        "decision_to_resumed_s": spread(outcome.waits),
        "drain_s": drained,
        "runs_cut_off_by_drains": handed_over.drained,
        "runs_taken_from_living_workers": handed_over.alive,
        "failed_runs": sum(one.failed for one in found),
        "uncertain_questions": sum(one.uncertain for one in found),
        "attempts": {str(number): attempts[number] for number in sorted(attempts)},
        "seed": sizes.seed,
        "seconds": round(seconds, 1),
        "faults": faults[:SHOWN],
    }


def spread(seconds: Sequence[float]) -> Mapping[str, float]:
    """How many there are, and how long they took; nothing of that where there are none."""
    if not seconds:
        return {"count": 0}
    ninety_five = quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    shown = {"median": median(seconds), "p95": ninety_five, "max": max(seconds)}
    return {"count": len(seconds), **{name: round(value, 2) for name, value in shown.items()}}


if __name__ == "__main__":
    app()
