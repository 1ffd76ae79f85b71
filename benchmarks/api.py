"""The HTTP server: every route by schemathesis, many who read streams, and what it adds to the library.

One server, a process of its own as `proctor serve` starts it, with authentication, on SQLite; its teams'
model is a script. Promised are:

- schemathesis sends cases to every route of the OpenAPI, and none of its checks fails;
- readers who lose their connections at random moments, and say by `Last-Event-ID` how far they came, are told
  every event of their runs once and in order;
- what the server adds to the library at P50 and P99 is measured, for a run and for a look at one.

    uv run python -m benchmarks.api --json                                         # some ten minutes
    uv run python -m benchmarks.api --readers 50 --examples 1 --runs 50 --json     # some four minutes
    uv run python -m benchmarks.api --no-fuzz --readers 50 --runs 50 --turns 16 --json  # less than one
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from cyclopts import App, Parameter

from benchmarks._api._fuzz import fuzz
from benchmarks._api._latency import latency
from benchmarks._api._readers import readers
from benchmarks._overhead._children import Child, start
from benchmarks._overhead._environments import CACHE
from benchmarks._replay._report import finish

ADDED = 25.0
"""Milliseconds at P50 that a look by HTTP may take longer than one without: a guard, and no promise."""

app = App(name="benchmarks.api", help="The HTTP server, by those who ask it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is done."""

    readers: int
    followed: int
    turns: int
    breaks: int
    runs: int
    examples: int
    seed: int
    fuzzes: bool
    only: str


@app.default
def main(
    *,
    readers: Annotated[int, Parameter(help="Who read streams at the same time.")] = 500,
    followed: Annotated[int, Parameter(help="Runs that they follow.")] = 20,
    turns: Annotated[int, Parameter(help="Messages of each of these runs, two a second.")] = 60,
    breaks: Annotated[int, Parameter(help="How often each reader may lose its connection.")] = 4,
    runs: Annotated[int, Parameter(help="Runs and looks that are measured by each way.")] = 500,
    examples: Annotated[int, Parameter(help="Of schemathesis, for each route.")] = 10,
    seed: Annotated[int, Parameter(help="Of cases, readers and breaks.")] = 7,
    fuzz: Annotated[bool, Parameter(help="Whether schemathesis takes part.")] = True,
    only: Annotated[str, Parameter(help="A pattern: schemathesis asks these paths alone.")] = "",
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
) -> None:
    """Ask the server in three ways."""
    sizes = Sizes(
        readers=readers,
        followed=followed,
        turns=turns,
        breaks=breaks,
        runs=runs,
        examples=examples,
        seed=seed,
        fuzzes=fuzz,
        only=only,
    )
    CACHE.mkdir(exist_ok=True)
    finish(asyncio.run(_measure(sizes)), as_json=as_json)


async def _measure(sizes: Sizes) -> dict[str, Any]:
    began = time.monotonic()
    figures: dict[str, Any] = {"benchmark": "api"}
    # Each on a server of its own: what one has left behind is no matter of the next.
    async with _server() as (child, address, key, _):
        figures["added"] = await latency(child, address, key, runs=sizes.runs)
    async with _server() as (child, address, key, _):
        figures["streams"] = await readers(
            child,
            address,
            key,
            count=sizes.readers,
            runs=sizes.followed,
            turns=sizes.turns,
            breaks=sizes.breaks,
            seed=sizes.seed,
        )
    if sizes.fuzzes:
        async with _server() as (child, address, key, folder):
            figures["schemathesis"] = await fuzz(
                folder, address, key, examples=sizes.examples, seed=sizes.seed, only=sizes.only
            )
    complaints = _complaints(sizes, figures)
    seconds = round(time.monotonic() - began, 1)
    return {**figures, "ok": not complaints, "complaints": complaints, "seconds": seconds}


def _complaints(sizes: Sizes, figures: dict[str, Any]) -> list[str]:
    streams, added = figures["streams"], figures["added"]["look"]["p50_ms"]["added"]
    wrong = {name: streams[name] for name in ("twice", "missing", "out_of_order") if streams[name]}
    found = [f"events {name}: {count}" for name, count in wrong.items()]
    if streams["at_once"] < sizes.readers or not streams["events"]:
        found.append(f"only {streams['at_once']} readers were there at once")
    if sizes.breaks and not streams["reconnects"]:
        found.append("no reader lost its connection")
    if added > ADDED:
        found.append(f"the server adds {added} ms to a look at P50")
    told = figures.get("schemathesis")
    if told is not None:
        found += [f"schemathesis: {one}" for one in told["failed"]]
        if not told["complete"] or told["errors"] or told["tested"] < told["operations"]:
            found.append("schemathesis has not come to its end")
    return found


@asynccontextmanager
async def _server() -> AsyncIterator[tuple[Child, str, str, Path]]:
    """A running server: its process, its address, a key for it, and its folder."""
    with TemporaryDirectory(dir=CACHE) as folder:
        here = Path(sys.executable)
        async with start(here, "benchmarks._api._server", folder, shares=True) as child:
            told = await child.hear()
            yield child, told["address"], told["key"], Path(folder)


if __name__ == "__main__":
    app()
