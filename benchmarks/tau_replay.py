"""Recorded tasks of a shop's support desk, carried out once each: is everything as recorded, exactly once?

The official tasks of tau-bench and tau2-bench, as recorded sequences of calls. A scripted model in a real
AutoGen team asks for the recorded calls; they pass the whole runtime, an approval for each write, and the
shop's MCP server, which carries them out. Promised are, for all tasks: the hash of the shop's database is
the recorded one, the shop's own effect ledger holds each write exactly once and in order, each under an
approval of exactly its arguments and none where the task has none, and what fails is passed on as an
error.

    uv run python -m benchmarks.tau_replay --domain retail --json
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from benchmarks._replay._data import load_tasks, spread
from benchmarks._replay._report import SHOWN, fail, finish, totals
from proctor import ProctorError

if TYPE_CHECKING:
    from benchmarks._replay._check import Checked

app = App(name="benchmarks.tau_replay", help="Recorded support tasks, carried out and compared.")


@app.default
def main(
    *,
    domain: Annotated[str, Parameter(help="The shop: retail.")] = "retail",
    data: Annotated[
        list[Path] | None, Parameter(help="Files of tasks in the same form, instead of the known ones.")
    ] = None,
    limit: Annotated[int | None, Parameter(help="At most so many tasks, spread over all.")] = None,
    parallel: Annotated[int, Parameter(help="Tasks at a time.")] = 16,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
) -> None:
    """Carry out recorded tasks and compare."""
    # Here because the processes that look at shops import this module and need none of it.
    from benchmarks._replay._replay import replay

    began = time.perf_counter()
    try:
        tasks = spread(load_tasks(domain, data), limit)
        checked = asyncio.run(replay(tasks, parallel=parallel))
    except ProctorError as error:
        fail("tau_replay", error, as_json=as_json)
    seconds = time.perf_counter() - began
    finish(figures(domain, checked, seconds), as_json=as_json)


def figures(domain: str, checked: "Sequence[Checked]", seconds: float) -> dict[str, Any]:
    """What is printed."""
    wrong = [one for one in checked if one.faults]
    readers = [one for one in checked if one.writes == 0]
    return {
        "benchmark": "tau_replay",
        "ok": bool(checked) and not wrong,
        "domain": domain,
        "tasks": len(checked),
        "right": len(checked) - len(wrong),
        **totals(checked),
        "tasks_without_writes": len(readers),
        "effects_where_none_may_be": sum(one.effects for one in readers),
        "seconds": round(seconds, 1),
        "tasks_per_second": round(len(checked) / seconds, 1),
        "faults": [f"{one.task}: {'; '.join(one.faults)}" for one in wrong[:SHOWN]],
    }


if __name__ == "__main__":
    app()
