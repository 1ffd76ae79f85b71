"""How much the policy's checks find, how often they are wrong, what they cost, and how others do.

Everything is asked through the policy as it comes. Promised, with 95 % intervals beside each figure:

    structured personal data   recall .95, English and Chinese; 1 % of customers' texts and 5 % of numbers
                               that look alike wrong
    secrets                    recall .75, F1 .85; 0.2 % of benign texts wrong
    injection                  recall .70; 4 % of all benign, 8 % of security talk, 2 % of Chinese texts and
                               3 % of clean tool outputs wrong
    each of nine disguises     at most 2 points of recall less than in plain text
    advice                     recall .80; 3 % of customers' talk, 15 % of finance education wrong
    dark patterns              F1 .94
    all checks at input        1,000 characters: p50 1 ms and p99 5 ms of processor time; linear in length

A set that a check was trained or tuned on is marked `tuned`: such figures say that the check works, and
`left_out` says how it does on sources that its training never saw, as the trainings' reports tell. Beside
it stand Presidio, detect-secrets, LLM Guard's regular expressions and the list of words of a well-known
guide, on the same rows; detect-secrets isn't scored on its own set, and Presidio's was made by its makers.

    uv run python -m benchmarks.policy --json                   # some minutes
    uv run python -m benchmarks.policy --short --no-peers       # within one
    uv run python -m benchmarks.policy --only evasion --evaded 500
    uv run python -m benchmarks.policy --fuzz 10000 --largest 1000000

The texts are those of the folder in `PROCTOR_DATA`, or of `--data`.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from benchmarks._policy._evasion import evasion
from benchmarks._policy._figures import Line
from benchmarks._policy._ours import Ours
from benchmarks._policy._peers import peers as compared
from benchmarks._policy._reports import left_out
from benchmarks._policy._rows import DataMissing
from benchmarks._policy._speed import GROWTH, P50, P99, SLOWEST, fuzz, growth, speed
from benchmarks._policy._table import SEED, advice, dark_patterns, injection, personal, secrets
from benchmarks._surroundings import machine

Part = Literal["personal", "secrets", "injection", "advice", "dark-patterns", "evasion", "speed"]

app = App(name="benchmarks.policy", help="How the policy's checks do.")

_SHORT = {"rows": 60, "look_alikes": 100, "evaded": 25, "texts": 40, "hostile": 100, "largest": 10_000}


@app.default
def policy(
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    data: Annotated[Path | None, Parameter(help="The folder of data sets, else PROCTOR_DATA.")] = None,
    only: Annotated[list[Part] | None, Parameter(help="Only these parts; may be said again.")] = None,
    rows: Annotated[int, Parameter(help="Texts of each set; 0 for all.")] = 0,
    look_alikes: Annotated[int, Parameter(help="Numbers that are made by seed.")] = 2_000,
    evaded: Annotated[int, Parameter(help="Texts of each check that are disguised; 0 for all.")] = 200,
    texts: Annotated[int, Parameter(help="Texts of 1,000 characters that are timed.")] = 500,
    hostile: Annotated[int, Parameter(name="--fuzz", help="Strings that are made to hurt.")] = 2_000,
    largest: Annotated[int, Parameter(help="Characters of the longest text.")] = 1_000_000,
    seed: Annotated[int, Parameter(help="For all that is drawn.")] = SEED,
    peers: Annotated[bool, Parameter(help="Measure the others; their environments need uv.")] = True,
    compared_rows: Annotated[int, Parameter(help="Texts of each set that the others read, too.")] = 300,
    short: Annotated[bool, Parameter(negative="", help="Small sizes: whether it works at all.")] = False,
) -> int:
    """0 where all that is promised holds, 1 where not, 2 where the data are missing."""
    began = time.perf_counter()
    sizes = {
        "rows": rows,
        "look_alikes": look_alikes,
        "evaded": evaded,
        "texts": texts,
        "hostile": hostile,
        "largest": largest,
    }
    sizes = _SHORT if short else sizes
    if data is not None:
        os.environ["PROCTOR_DATA"] = str(data.resolve())
    try:
        figures = _measured(Ours(), only, sizes, seed)
        if peers:
            figures["peers"] = compared(Ours(), min(compared_rows, sizes["rows"] or compared_rows), seed)
    except DataMissing as error:
        print(json.dumps({"error": {"code": error.code, "message": str(error), "hint": error.hint}}))
        return 2
    complaints = complaints_of(figures)
    figures = {
        "benchmark": "policy",
        "ok": not complaints,
        "complaints": complaints,
        **figures,
        "left_out": left_out(),
        "sizes": {**sizes, "seed": seed},
        "seconds": round(time.perf_counter() - began, 1),
        "machine": machine(),
    }
    if as_json:
        print(json.dumps(figures, indent=2, ensure_ascii=False))
    else:
        _print(figures)
    return 1 if complaints else 0


def _measured(ours: Ours, only: list[Part] | None, sizes: dict[str, int], seed: int) -> dict[str, Any]:
    parts: dict[Part, Callable[[], Iterator[Line]]] = {
        "personal": lambda: personal(ours, sizes["rows"], sizes["look_alikes"]),
        "secrets": lambda: secrets(ours, sizes["rows"]),
        "injection": lambda: injection(ours, sizes["rows"]),
        "advice": lambda: advice(ours, sizes["rows"]),
        "dark-patterns": lambda: dark_patterns(ours, sizes["rows"]),
        "evasion": lambda: evasion(ours, sizes["evaded"], seed),
    }
    lines = [line.told() for name, part in parts.items() if not only or name in only for line in part()]
    if only and "speed" not in only:
        return {"table": lines}
    return {
        "table": lines,
        "speed": speed(sizes["texts"]),
        "growth": growth(sizes["largest"]),
        "fuzz": fuzz(sizes["hostile"], seed),
    }


def complaints_of(figures: dict[str, Any]) -> list[str]:
    """What is promised and doesn't hold."""
    found = [
        f"{line['check']}, {line['on']}: {line['measure']} {line['value']}, and not {line['target']}"
        for line in figures["table"]
        if line["ok"] is False
    ]
    if "speed" in figures:
        cost = figures["speed"]
        found += [
            f"{name} is {cost[name]} µs, and not {most}"
            for name, most in (("p50", P50), ("p99", P99))
            if cost[name] > most
        ]
        found += [
            f"a character of {name} costs {times} times as much in a longer text"
            for name, times in figures["growth"]["growth"].items()
            if times > GROWTH
        ]
        if figures["fuzz"]["slowest_ms"] > SLOWEST:
            found.append(f"a hostile string took {figures['fuzz']['slowest_ms']} ms")
    for name, peer in figures.get("peers", {}).items():
        found += [
            f"{name} has an F1 of {one['f1']} on {check}, we {one['ours']['f1']}"
            for check, one in peer.get("checks", {}).items()
            if one["f1"] >= one["ours"]["f1"]
        ]
    return found


def _print(figures: dict[str, Any]) -> None:
    console = Console(width=max(Console().width, 140))  # also into a file
    table = Table(title="the policy's checks, as it comes")
    for heading in ("check", "on", "", "n", "value", "95 %", "target", "tuned"):
        table.add_column(heading)
    for line in figures["table"]:
        low, high = line["interval"]
        mark = {True: "", False: "[red]", None: "[dim]"}[line["ok"]]
        target = "" if line["target"] is None else f"{line['target']}"
        told = (line["check"], line["on"], line["measure"], str(line["n"]), f"{line['value']:.4f}")
        table.add_row(
            *(
                f"{mark}{cell}"
                for cell in (*told, f"{low:.3f} to {high:.3f}", target, "tuned" if line["tuned"] else "")
            )
        )
    console.print(table)
    for part in ("speed", "growth", "fuzz", "peers"):
        if part in figures:
            console.print(part, figures[part])
    for complaint in figures["complaints"]:
        console.print(f"[red]{complaint}[/red]")


if __name__ == "__main__":
    app()
