"""What a cache answers again, what that saves, and how often it is wrong.

Three things are measured. Runs through a real Proctor, of which many ask the same (Zipf's law), with a tool
call in each: promised are no wrong answer, as many requests as there are different ones, and a saving to
the micro-dollar. What a look costs, and that identical calls at the same time send one request. And for
`similarity` how often nearly the same question asks for something else: by the intents of three English
sets, by one of Chinese questions, and where one word was changed that decides. Intents are coarse: two
questions of one intent may still want different answers, which is what the changed words are for; they are
counted apart for words that the cache knows and for names and the like, which it can't. The recommended
value was chosen on one half of each set; what is promised is held against the other.

    uv run python -m benchmarks.cache --json                                   # within a minute
    uv run python -m benchmarks.cache --runs 60 --questions 500 --calls 200    # within some seconds, rough
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cyclopts import App
from rich.console import Console
from rich.table import Table

from benchmarks._cache._cost import Cost, cost, together
from benchmarks._cache._data import SETS, questions
from benchmarks._cache._nearness import (
    KNOWN,
    MOST_CHANGED,
    MOST_FALSE,
    NAMES,
    RECOMMENDED,
    Nearness,
    by_intent,
    by_swap,
)
from benchmarks._cache._replay import Replayed, replay

app = App(name="benchmarks.cache", help="What a cache answers again, saves, and gets wrong.")

BESIDE = 50
"""Identical calls at the same time."""
DIFFERENT = 100
"""Questions that runs choose from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One promise and whether it holds."""

    promise: str
    value: float
    limit: float
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All that was measured."""

    replayed: Replayed
    cost: Cost
    requests_together: int
    near: list[Nearness]


@app.default
def cache(*, json: bool = False, runs: int = 300, questions: int = 4000, calls: int = 1000) -> int:
    """0 where all that is promised holds, else 1.

    Args:
        json: Print one JSON object instead of tables.
        runs: Runs through a real Proctor.
        questions: Of each set, compared with each other.
        calls: Of each kind, whose processor time is taken.
    """
    figures = asyncio.run(_measure(runs, questions, calls))
    checks = list(checks_of(figures))
    if json:
        _print_json(figures, checks)
    else:
        _print_tables(figures, checks)
    return 0 if all(check.holds for check in checks) else 1


async def _measure(runs: int, limit: int, calls: int) -> Figures:
    near: list[Nearness] = []
    sets = {name: questions(name, limit) for name in SETS}
    for name, asked in sets.items():
        _tell(f"{len(asked)} questions of {name}")
        near += await by_intent(name, asked)
    apart = [one for name in SETS for one in sets[name][len(sets[name]) // 2 :]]
    near += await by_swap("known word changed", KNOWN, apart) + await by_swap("name changed", NAMES, apart)
    with TemporaryDirectory() as name:
        folder = Path(name)
        _tell(f"{runs} runs")
        replayed = await replay([one.text for one in sets["clinc150"][:DIFFERENT]], runs=runs, folder=folder)
        _tell(f"{calls} calls of each kind")
        return Figures(
            replayed=replayed,
            cost=await cost(folder, calls),
            requests_together=await together(folder, BESIDE),
            near=near,
        )


def checks_of(figures: Figures) -> Iterator[Check]:
    """What is promised."""
    replayed = figures.replayed
    yield _exactly("wrong answers", replayed.wrong, 0)
    yield _exactly("requests, of the different ones", replayed.requests, replayed.different)
    yield _exactly("micro-dollars paid and saved", replayed.cost + replayed.saved, replayed.cost_without)
    yield _exactly(f"requests of {BESIDE} identical calls at once", figures.requests_together, 1)
    for each in figures.near:
        if each.half == "kept apart" and each.similarity == RECOMMENDED:
            most = MOST_CHANGED if each.set.endswith("changed") else MOST_FALSE
            promise = f"wrongly answered of {each.set}, similarity {RECOMMENDED}"
            yield Check(promise=promise, value=each.false_rate, limit=most, holds=each.false_rate <= most)


def _exactly(promise: str, value: int, expected: int) -> Check:
    return Check(promise=promise, value=value, limit=expected, holds=value == expected)


def _print_json(figures: Figures, checks: list[Check]) -> None:
    replayed = figures.replayed
    shares = {"hit_rate": replayed.hit_rate, "saved_share": replayed.saved_share}
    found = {
        "benchmark": "cache",
        "ok": all(check.holds for check in checks),
        "checks": [asdict(check) for check in checks],
        "replay": asdict(replayed) | shares,
        "look": asdict(figures.cost),
        "identical_at_once": {"calls": BESIDE, "requests": figures.requests_together},
        "similarity": {
            "recommended": RECOMMENDED,
            "sets": [
                asdict(each) | {"hit_rate": each.hit_rate, "false_rate": each.false_rate}
                for each in figures.near
            ],
        },
    }
    print(json.dumps(_rounded(found), indent=2))


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return round(value, 5)
        case dict():
            return {key: _rounded(part) for key, part in value.items()}
        case list():
            return [_rounded(part) for part in value]
        case _:
            return value


def _print_tables(figures: Figures, checks: list[Check]) -> None:
    console = Console(width=max(Console().width, 110))  # also into a file
    replayed, look = figures.replayed, figures.cost
    console.print(
        f"{replayed.runs} runs with {replayed.questions} different questions: {replayed.calls} calls, "
        f"{replayed.requests} requests ({replayed.hit_rate:.1%} answered again); "
        f"{replayed.saved} of {replayed.cost_without} micro-dollars saved ({replayed.saved_share:.1%}).",
        f"Processor time: {look.hit_in_memory_us:.0f} µs a hit in memory, "
        f"{look.hit_in_database_us:.0f} µs in the database, {look.miss_us:.0f} µs a miss that is kept.",
        sep="\n",
    )
    table = Table("questions", "half", "similarity", "lookups", "answered", "wrongly", "wrongly unguarded")
    for each in figures.near:
        shares = (each.hit_rate, each.false_rate, each.false_unguarded / each.lookups)
        place = (each.set, each.half, f"{each.similarity:.2f}", str(each.lookups))
        table.add_row(*place, *(f"{share:.2%}" for share in shares))
    promises = Table("promise", "measured", "limit", "holds")
    for check in checks:
        holds = "yes" if check.holds else "[red]no[/red]"
        promises.add_row(check.promise, f"{check.value:g}", f"{check.limit:g}", holds)
    console.print(table, promises)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    app()
