"""Recorded support tasks whose worker is killed again and again: is anything lost, or done twice?

The replays of `benchmarks.tau_replay`, executed by a process that `kill -9` ends at moments drawn by
chance and at chosen ones: within a model call, within a tool before its effect, within a tool after its
effect and before its answer, and while the worker starts; now and then the shop's server alone is killed.
Half of the cases have a shop that honours idempotency keys: there an interrupted call is repeated under
its key. The others have one that doesn't: there the run asks a person, who looks into the shop's effect
ledger. Promised are: no run is lost, no effect is doubled, every hash is right.

    uv run python -m benchmarks.chaos --runs 200 --kills 50 --json
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from benchmarks._replay._data import Task, load_tasks
from benchmarks._replay._report import SHOWN, fail, finish, totals
from proctor import ProctorError

if TYPE_CHECKING:
    from benchmarks._replay._chaos import Sizes, Story
    from benchmarks._replay._check import Checked

app = App(name="benchmarks.chaos", help="Recorded support tasks whose worker is killed again and again.")


@app.default
def main(
    *,
    runs: Annotated[int, Parameter(help="Tasks, drawn by chance.")] = 200,
    kills: Annotated[int, Parameter(help="How often the worker is killed.")] = 50,
    store_kills: Annotated[int | None, Parameter(help="How often the shop's server alone is killed.")] = None,
    window: Annotated[int, Parameter(help="Runs at a time.")] = 8,
    seed: Annotated[int, Parameter(help="Draws tasks and moments.")] = 7,
    domain: Annotated[str, Parameter(help="The shop: retail.")] = "retail",
    data: Annotated[
        list[Path] | None, Parameter(help="Files of tasks in the same form, instead of the known ones.")
    ] = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
) -> None:
    """Kill a worker again and again, and compare what it leaves."""
    # Here because the worker's processes import this module and need none of it.
    from benchmarks._replay._chaos import Sizes, chaos

    began = time.perf_counter()
    sizes = Sizes(
        kills=kills, store_kills=kills // 5 if store_kills is None else store_kills, window=window, seed=seed
    )
    try:
        checked, story = asyncio.run(chaos(drawn(load_tasks(domain, data), runs, seed), sizes))
    except ProctorError as error:
        fail("chaos", error, as_json=as_json)
    finish(figures(checked, story, sizes, time.perf_counter() - began), as_json=as_json)


def drawn(tasks: Sequence[Task], count: int, seed: int) -> Sequence[Task]:
    """So many tasks by chance, each as often as any other."""
    rng = Random(seed)
    times, rest = divmod(count, len(tasks))
    cases = [*tasks] * times + rng.sample(list(tasks), rest)
    rng.shuffle(cases)
    return cases


def figures(
    checked: "Sequence[Checked | None]", story: "Story", sizes: "Sizes", seconds: float
) -> dict[str, Any]:
    """What is printed."""
    found = [one for one in checked if one is not None]
    wrong = [one for one in found if one.faults]
    faults = [*story.broke, *(f"{one.task}: {'; '.join(one.faults)}" for one in wrong)]
    lost = len(checked) - sum(one.completed for one in found)
    attempts = Counter(one.attempts for one in found)
    return {
        "benchmark": "chaos",
        "ok": bool(found) and not lost and not faults and story.kills >= sizes.kills,
        "runs": len(checked),
        "lost": lost,
        **totals(found),
        "wrong_hashes": len(checked) - sum(one.hash_right for one in found),
        "kills": story.kills,
        "kills_aimed_at": dict(sorted(story.aimed.items())),
        "kills_that_interrupted": dict(sorted(story.hit.items())),
        "store_kills": story.store_kills,
        "failed_runs_resumed": story.resumed,
        "uncertain_questions": sum(one.uncertain for one in found),
        "attempts": {str(number): attempts[number] for number in sorted(attempts)},
        "seed": sizes.seed,
        "seconds": round(seconds, 1),
        "faults": faults[:SHOWN],
    }


if __name__ == "__main__":
    app()
