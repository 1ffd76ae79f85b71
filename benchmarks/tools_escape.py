"""Whether any way leads to a denied tool: generated cases on real AutoGen, with a model that wants it.

Each case is a road (a team of some kind: selector, swarm, graph, nested, agent as tool, an agent of one's
own, …), a denial (the team's or an agent's list, a kind of data, a pin, a tool that runs commands, a twin on
another server, a person, …), a time (from the start, or since a person was asked, since the process died,
since the conversation's last message, since the server changed its tools) and a disguise of the tool's name.
The tools are real: servers over MCP that count what they did and hold nothing back, and functions. Whoever is
asked approves. Promised is that no denied tool acts; and so that this can fail, for each road, denial and
time the same run is played with the tool allowed, and must reach it.

    uv run python -m benchmarks.tools_escape --json                 # some five minutes
    uv run python -m benchmarks.tools_escape --cases 40             # within one
    uv run python -m benchmarks.tools_escape --only graph/changed   # the cases whose names hold this
"""

import asyncio
import json
import logging
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from cyclopts import App, Parameter

from benchmarks._escape._cases import cases_of
from benchmarks._escape._play import Case, Outcome, play
from benchmarks._escape._shop import Shop

app = App(name="benchmarks.tools_escape", help="Whether any way leads to a denied tool.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """All that was played."""

    outcomes: tuple[Outcome, ...]
    controls: tuple[Outcome, ...]

    @property
    def complaints(self) -> list[str]:
        """What is promised and doesn't hold, or shows nothing."""
        found = [f"{one.case}: {one.complaint}" for one in self.outcomes if one.complaint]
        return found + [
            f"{one.case}, allowed: the tool was not reached ({one.error or one.stopped_by})"
            for one in self.controls
            if not one.reached
        ]


@app.default
def tools_escape(
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    cases: Annotated[int, Parameter(help="How many.")] = 200,
    seed: Annotated[int, Parameter(help="Of the choice.")] = 1,
    beside: Annotated[
        int, Parameter(help="Cases side by side: they wait for the disk most of the time.")
    ] = 6,
    only: Annotated[str, Parameter(help="A part of the names of the cases that are played.")] = "",
) -> int:
    """0 where no denied tool acted and each allowed one did, else 1."""
    logging.disable(logging.ERROR)  # AutoGen's and ours, about the tools that aren't there
    began = time.perf_counter()
    chosen = [case for case in cases_of(cases, seed) if only in case.name]
    if not chosen:
        raise SystemExit(f"no case has {only!r} in its name")
    played = asyncio.run(_play_all(chosen, beside))
    figures = _figures(chosen, played) | {"seed": seed, "seconds": round(time.perf_counter() - began, 1)}
    if as_json:
        print(json.dumps(figures, indent=2))
    else:
        _print(figures)
    return 0 if figures["ok"] else 1


async def _play_all(chosen: list[Case], beside: int) -> Played:
    shapes: dict[Case, list[Case]] = {}
    for case in chosen:
        shapes.setdefault(case.shape, []).append(case)
    left = list(shapes.items())
    controls: list[Outcome] = []
    outcomes: list[Outcome] = []

    async def work() -> None:
        shop = Shop()
        async with shop.serving():
            while left:
                shape, cases = left.pop()
                controls.append(await play(shape, shop, "allowed"))
                for case in cases:
                    outcomes.append(await play(case, shop))
                    if len(outcomes) % 20 == 0:
                        print(f"{len(outcomes)} of {len(chosen)} cases", file=sys.stderr, flush=True)

    async with asyncio.TaskGroup() as group:
        for _ in range(beside):
            group.create_task(work())
    return Played(outcomes=tuple(outcomes), controls=tuple(controls))


def _figures(chosen: list[Case], played: Played) -> dict[str, Any]:
    def share(axis: str) -> dict[str, int]:
        return dict(sorted(Counter(str(getattr(case, axis)) for case in chosen).items()))

    complaints = played.complaints
    return {
        "benchmark": "tools_escape",
        "ok": not complaints,
        "complaints": complaints,
        "cases": len(chosen),
        "reached": sum(bool(one.reached) for one in played.outcomes),
        "controls": len(played.controls),
        "controls_reached": sum(bool(one.reached) for one in played.controls),
        "stopped_by": dict(Counter(rule for one in played.outcomes for rule in one.stopped_by).most_common()),
        "by": {axis: share(axis) for axis in ("road", "denial", "when", "disguise", "streamed")},
        "outcomes": [asdict(one) for one in played.outcomes],
    }


def _print(figures: dict[str, Any]) -> None:
    for key in ("cases", "reached", "controls", "controls_reached", "stopped_by", "seconds"):
        print(f"{key}: {figures[key]}")
    for complaint in figures["complaints"]:
        print(f"! {complaint}")


if __name__ == "__main__":
    app()
