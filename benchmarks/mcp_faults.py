"""What becomes of calls where a tool server fails: Proctor's adapter beside AutoGen's `McpWorkbench`.

One MCP server on stdio is killed, stalls, floods its client with messages, writes what is no message, takes
three seconds to start, never says a word, or changes a tool's schema; and of 50 concurrent calls ten are
cancelled. Measured is what each caller got, whether calls were harmed that had no part in the fault, and how
long it took until a call was answered again. AutoGen 0.7.5 has an environment of its own, since its adapter
needs `mcp` 1.x. Both give a call 1.5 seconds; Proctor has a time of its own for the start.

Promised of Proctor: each caller has an answer or an error of a known type, no call hangs, no bystander is
harmed, the server is told of each cancelled call, and after at most five seconds a call is answered again.
On a machine so busy that a call takes a second by itself `--call-seconds` gives it more, and the five seconds
grow by as much.

    uv run python -m benchmarks.mcp_faults --json                # some two minutes
    uv run python -m benchmarks.mcp_faults --no-peer --rounds 1
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from benchmarks._faults._contender import contenders_python
from benchmarks._mcp_faults._faults import CALL_SECONDS, CANCELS, FAULTS, meet
from benchmarks._mcp_faults._proctor import open_proctor
from benchmarks._overhead._children import start
from benchmarks._surroundings import machine

app = App(name="benchmarks.mcp_faults", help="What becomes of calls where a tool server fails.")

MOST_SECONDS = 10.0
"""What stalls is given up behind them, and must still be seen to recover."""
LONGEST = 5.0
"""Seconds until a call is answered again, also where three of them are the server's start."""

TYPED = {"answered", "ToolServerUnavailable", "CancelledError", "cancelled"}
"""What a caller of Proctor may get."""

Side = dict[str, dict[str, Any]]
"""By fault: what all rounds together came to."""


@app.default
def mcp_faults(
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    rounds: Annotated[int, Parameter(help="How often each fault is met.")] = 3,
    call_seconds: Annotated[float, Parameter(help="Until a call is given up.")] = CALL_SECONDS,
    peer: Annotated[bool, Parameter(help="Measure AutoGen beside it; its environment needs uv.")] = True,
    peer_env: Annotated[Path | None, Parameter(help="An environment that has AutoGen already.")] = None,
) -> int:
    """0 where all that is promised holds, else 1."""
    if rounds < 1:
        raise SystemExit("--rounds is at least 1")
    if not 0 < call_seconds <= MOST_SECONDS:
        raise SystemExit(f"--call-seconds is above 0 and at most {MOST_SECONDS:g}")
    began = time.perf_counter()
    sides: dict[str, Side] = {"proctor": asyncio.run(_proctor(rounds, call_seconds))}
    missing = ""
    if peer:
        try:
            python = contenders_python() if peer_env is None else peer_env / "bin" / "python"
            sides["autogen"] = asyncio.run(_autogen(python, rounds, call_seconds))
        except (subprocess.SubprocessError, OSError, RuntimeError) as error:
            missing = f"{type(error).__name__}: {error}"
    complaints = complaints_of(sides["proctor"], longest=LONGEST + call_seconds - CALL_SECONDS)
    figures = {
        "benchmark": "mcp_faults",
        "ok": not complaints,
        "complaints": complaints,
        "sides": sides,
        "peer_missing": missing,
        "rounds": rounds,
        "call_seconds": call_seconds,
        "seconds": round(time.perf_counter() - began, 1),
        "machine": machine(),
    }
    if as_json:
        print(json.dumps(figures, indent=2))
    else:
        _print_table(sides, complaints, missing)
    return 1 if complaints else 0


def complaints_of(side: Side, *, longest: float = LONGEST) -> list[str]:
    """What is promised of Proctor and doesn't hold."""
    found = []
    for fault, met in side.items():
        if odd := set(met["outcomes"]) - TYPED:
            found.append(f"{fault}: callers got {', '.join(sorted(odd))}")
        if harmed := set(met["bystanders"]) - {"answered"}:
            found.append(f"{fault}: others got {', '.join(sorted(harmed))}")
        slowest = met["slowest_recovery"]
        if fault != "mute" and (met["not_recovered"] or slowest > longest):
            found.append(f"{fault}: a call was answered again after {slowest} s")
    told = side["cancels"]["told"] / side["cancels"]["rounds"]
    if told != CANCELS:
        found.append(f"cancels: the server was told of {told:g} of {CANCELS}")
    return found


async def _proctor(rounds: int, call_seconds: float) -> Side:
    opens = partial(open_proctor, call_seconds=call_seconds)
    return {
        fault: joined([await meet(opens, sys.executable, fault) for _ in range(rounds)]) for fault in FAULTS
    }


async def _autogen(python: Path, rounds: int, call_seconds: float) -> Side:
    found: Side = {}
    async with start(python, "benchmarks._mcp_faults._autogen", shares=False) as child:
        for fault in FAULTS:
            order = {"fault": fault, "call_seconds": call_seconds}
            found[fault] = joined([await child.tell(**order) for _ in range(rounds)])
    return found


def joined(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What several rounds of one fault came to."""
    outcomes, bystanders = Counter[str](), Counter[str]()
    for met in rounds:
        outcomes.update(met["outcomes"])
        bystanders.update(met["bystanders"])
    recovered = sorted(met["recovery"] for met in rounds if met["recovery"] is not None)
    return {
        "rounds": len(rounds),
        "outcomes": dict(outcomes),
        "bystanders": dict(bystanders),
        "slowest_recovery": round(recovered[-1], 3) if recovered else None,
        "not_recovered": len(rounds) - len(recovered),
        "told": sum(met["told"] or 0 for met in rounds),
    }


def _print_table(sides: Mapping[str, Side], complaints: Sequence[str], missing: str) -> None:
    table = Table("fault", "contender", "callers got", "others got", "answered again")
    for fault in FAULTS:
        for name, side in sides.items():
            met = side[fault]
            back = f"after {met['slowest_recovery']} s" if met["slowest_recovery"] is not None else ""
            if met["not_recovered"] and fault != "mute":
                back += f" never in {met['not_recovered']} of {met['rounds']}"
            table.add_row(fault, name, _words(met["outcomes"]), _words(met["bystanders"]), back)
    console = Console(width=max(Console().width, 120))  # also into a file
    console.print(table)
    for line in (*complaints, *([f"AutoGen was not measured: {missing}"] if missing else [])):
        console.print(f"! {line}")


def _words(outcomes: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in outcomes.items())


if __name__ == "__main__":
    app()
