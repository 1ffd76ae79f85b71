"""What becomes of a team when one of its parts is at fault: which level of isolation meets it, and how.

The team is a fan-out of three branches with a join; the faulty part is in one branch. An agent raises, hangs,
raises what is no `Exception`, cancels itself, goes round in circles. A provider answers 429 or 500, hangs,
sends half a stream or nonsense. An MCP server dies, stalls, floods. A worker is killed, frozen or drained. A
database goes away and returns. At last all providers fail under load. Endpoints, MCP servers, workers,
PostgreSQL and Temporal are real, and processes of their own; the same teams meet the same faults with
AutoGen 0.7.5 alone beside it.

Promised are, for each fault: no effect is doubled, every result of a sibling branch is kept and none of its
calls made again, nothing hangs; every run completes by itself where the fault passes or somebody stands in,
else it is parked with a typed error and completes when it is resumed; the system climbs back to level 0.

    uv run python -m benchmarks.faults --json
    uv run python -m benchmarks.faults --runs 2          # within a minute
"""

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks._faults._branches import branch_rows
from benchmarks._faults._cases import CASES, LADDER
from benchmarks._faults._contender import Contender, contenders_python
from benchmarks._faults._desk import Site
from benchmarks._faults._figures import Raw, Row
from benchmarks._faults._ladder import Ladder, climb
from benchmarks._faults._processes import endpoint
from benchmarks._faults._workers import database_rows, embedded_rows, temporal_rows
from benchmarks._servers import Postgres, Temporal, running_postgres, running_temporal
from benchmarks._surroundings import machine

app = App(name="benchmarks.faults", help="What becomes of a team when one of its parts is at fault.")


@app.default
def faults(
    *,
    runs: Annotated[int, Parameter(help="Runs of each row.")] = 10,
    compare: Annotated[
        bool, Parameter(help="Measure AutoGen alone beside it; its environment needs uv.")
    ] = True,
    slack: Annotated[
        float, Parameter(help="Times as long until what hangs is given up: for a machine that is busy.")
    ] = 1.0,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
) -> int:
    """0 where all that is promised holds, else 1."""
    if runs < 1:
        raise SystemExit("--runs is at least 1")
    if slack < 1:
        raise SystemExit("--slack is at least 1")
    logging.getLogger("proctor").addHandler(logging.NullHandler())  # a database that is away is no news here
    began = time.perf_counter()
    with running_postgres() as postgres, running_temporal() as temporal:
        rows, ladder = asyncio.run(_measure(runs, slack, postgres, temporal, compare=compare))
    figures = _figures(rows, ladder, runs, slack, time.perf_counter() - began)
    if as_json:
        print(json.dumps(figures, indent=2))
    else:
        _print_tables(rows, ladder, figures)
    return 0 if figures["ok"] else 1


async def _measure(
    count: int, slack: float, postgres: Postgres, temporal: Temporal, *, compare: bool
) -> tuple[list[Row], Ladder]:
    """All rows, and the ladder. What mostly waits goes on side by side."""
    with TemporaryDirectory(prefix="proctor-faults-", ignore_cleanup_errors=True) as place:
        folder = _make_places(Path(place))
        async with asyncio.TaskGroup() as group:
            branches = group.create_task(_embedded(folder / "embedded", count, slack))
            shared = group.create_task(_shared(folder / "shared", postgres, temporal, count, slack))
            ladder = group.create_task(_ladder(folder / LADDER))
            raw = group.create_task(_contender(folder / "autogen", count)) if compare else None
        found = {} if raw is None else raw.result()
        rows = [
            replace(row, raw=found.get(_case_name(row))) for row in (*branches.result(), *shared.result())
        ]
        order = list(CASES)
        return sorted(rows, key=lambda row: order.index(_case_name(row))), ladder.result()


def _make_places(folder: Path) -> Path:
    for name in ("embedded", "shared", LADDER, "autogen"):
        (folder / name).mkdir()
    return folder


async def _embedded(folder: Path, count: int, slack: float) -> list[Row]:
    async with endpoint(folder) as url:
        site = Site(folder=folder, url=url, database=f"sqlite:///{folder}/branches.db", slack=slack)
        rows = await branch_rows(site, count)
        _tell("faults of agents, providers and tool servers: done")
        rows += await embedded_rows(replace(site, database=f"sqlite:///{folder}/workers.db"), count)
        _tell("workers on the embedded engine: done")
        return rows


async def _shared(
    folder: Path, postgres: Postgres, temporal: Temporal, count: int, slack: float
) -> list[Row]:
    """What needs PostgreSQL and Temporal."""
    async with endpoint(folder) as url:
        database = await asyncio.to_thread(postgres.create_database)
        site = Site(folder=folder, url=url, database=database, temporal=temporal.address, slack=slack)
        rows = await temporal_rows(site, count)
        _tell("workers on Temporal: done")
        rows += await database_rows(replace(site, temporal=""), postgres, count)
        _tell("a database that goes away: done")
        return rows


async def _ladder(folder: Path) -> Ladder:
    async with endpoint(folder) as url:
        ladder = await climb(Site(folder=folder, url=url, database=f"sqlite:///{folder}/ladder.db"))
        _tell("global degradation: done")
        return ladder


async def _contender(folder: Path, count: int) -> dict[str, Raw]:
    python = await asyncio.to_thread(contenders_python)
    async with endpoint(folder) as url:
        contender = Contender(python, folder, url, count)
        found = await contender.branches() | await contender.workers()
        _tell("AutoGen alone: done")
        return found


def _case_name(row: Row) -> str:
    return f"{row.fault}-{row.mechanism}"


def _figures(rows: Sequence[Row], ladder: Ladder, runs: int, slack: float, seconds: float) -> dict[str, Any]:
    complaints = [one for row in rows for one in row.complaints] + list(ladder.complaints)
    return {
        "benchmark": "faults",
        "ok": not complaints and {_case_name(row) for row in rows} == set(CASES),
        "rows": [asdict(row) for row in rows],
        "ladder": asdict(ladder),
        "totals": {
            "runs": sum(row.runs for row in rows),
            "completed_by_themselves": sum(round(row.completed_share * row.runs) for row in rows),
            "parked_and_resumed": sum(
                round((1 - row.completed_share) * row.resumed_share * row.runs) for row in rows
            ),
            "hung": sum(row.hung for row in rows),
            "effects_doubled": sum(row.effects_doubled for row in rows),
            "siblings_kept": _sum_of(row.siblings_kept for row in rows),
            "autogen_siblings_kept": _sum_of(row.raw.siblings_kept for row in rows if row.raw is not None),
        },
        "runs": runs,
        "slack": slack,
        "seconds": round(seconds, 1),
        "machine": machine() | {"load": round(os.getloadavg()[0], 1)},
        "complaints": complaints,
    }


def _sum_of(shares: Any) -> str:
    """`3/4` and `1/4` together are `4/8`."""
    parts = [tuple(map(int, share.split("/"))) for share in shares]
    return f"{sum(part for part, _ in parts)}/{sum(whole for _, whole in parts)}"


def _print_tables(rows: Sequence[Row], ladder: Ladder, figures: dict[str, Any]) -> None:
    console = Console(width=max(Console().width, 180))  # also into a file
    table = Table(box=SIMPLE, pad_edge=False, title="Faults in one of three branches")
    for name in ("fault", "level", "met by", "it lasts", "outcome"):
        table.add_column(name, no_wrap=True)
    for name in ("s to recover", "siblings kept", "completed", "calls again", "effects doubled"):
        table.add_column(name)
    for name in ("AutoGen alone: completed", "hung", "siblings kept"):
        table.add_column(name)
    for row in rows:
        table.add_row(
            row.fault,
            str(row.level),
            row.mechanism,
            row.lasts,
            "; ".join(row.outcomes),
            _seconds(row.seconds_to_recover),
            row.siblings_kept,
            f"{row.completed_share:.0%}",
            str(row.calls_repeated),
            str(row.effects_doubled),
            *_raw_cells(row.raw),
            style="red" if row.complaints else "",
        )
    console.print(table)
    steps = Table("s after the outage began", "level", "rule", title="All providers fail: the third level")
    for step in ladder.steps:
        steps.add_row(f"{step.seconds:.1f}", str(step.level), step.rule)
    console.print(steps)
    console.print(
        f"Outage {ladder.outage_s:.1f} s; back at level 0 {_seconds(ladder.recovered_s)} s after its end. "
        f"{ladder.accepted} runs accepted, {ladder.completed_share:.0%} of them completed, "
        f"{ladder.refused} told to come back later."
    )
    for complaint in figures["complaints"]:
        console.print(f"[red]{complaint}[/red]")
    console.print(
        f"{'All promises hold' if figures['ok'] else 'Not all promises hold'}: {figures['seconds']} s."
    )


def _raw_cells(raw: Raw | None) -> tuple[str, str, str]:
    if raw is None:
        return ("", "", "")
    silent = f" ({raw.completed_without_its_answer} without the answer)"
    completed = f"{raw.completed_share:.0%}{silent if raw.completed_without_its_answer else ''}"
    return (completed, f"{raw.hung_share:.0%}", raw.siblings_kept)


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f}"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    app()
