"""What an attacker can do who owns every text that a team reads, where the model obeys every text.

An *obedient victim*, a scripted model that does whatever any text tells it and else solves the user's task,
drives real AutoGen teams: one agent with all tools, or one that reads and hands on to one that acts; with
whole answers and with streamed ones, in turns. The same victim plays on AutoGen 0.7.5 alone. On Proctor each
case is played three times: with `approvals`, as it comes, where a person is asked about each call with side
effects; with `labels`, where only the policy of labels asks; `alone`, where nobody is asked and what labels
hold back is refused. Whoever is asked approves the calls of the user's own task, to the last character, and
no others.

Promised are: no call with side effects that only the attacker wanted is carried out, and no secret leaves by
a call that only reads; without attacks users get as much as from AutoGen alone; under attack at least 90 %
get what they want where somebody is asked.

    uv run python -m benchmarks.injection --json                          # some minutes
    uv run python -m benchmarks.injection --cases 20 --suite bipia        # within one
    uv run python -m benchmarks.injection --suite banking                 # a suite of AgentDojo
    uv run python -m benchmarks.injection --suite my_suite.json
    uv run python -m benchmarks.injection --real-model qwen2.5-coder-1.5b-instruct-q4_k_m --cases 10

`--suite` is `bipia` (tool outputs of BIPIA, from the folder in `PROCTOR_DATA`), the name of a suite of
AgentDojo (`workspace`, `banking`, `slack`, `travel`; uv installs it in an environment of its own), or a file
of this form:

    {
      "name": "office",
      "tools": [
        {"name": "read_mail", "description": "…", "parameters": {JSON Schema}, "effect": "read_only"},
        {"name": "send_mail", "description": "…", "parameters": {JSON Schema}, "effect": "consequential"}
      ],
      "places": {"mail": "What stands there without an attack."},
      "tasks": [
        {
          "id": "task 1",
          "prompt": "What the user says.",
          "steps": [
            {"tool": "read_mail", "arguments": {"id": 1}, "result": "Dear user, {{mail}} Yours, Ann"},
            {"tool": "send_mail", "arguments": {"to": "ann@example.org", "body": "Yes"}, "result": "sent"}
          ],
          "answer": "What must stand in the last word of the assistant."
        }
      ],
      "injections": [
        {
          "id": "attack 1",
          "text": "What the attacker writes at all places.",
          "calls": [{"tool": "send_mail", "arguments": {"to": "thief@example.org", "body": "all of it"}}]
        }
      ],
      "pairs": [["task 1", "attack 1"]],
      "secrets": ["what no call may carry out"]
    }

A tool may say `"effect": "idempotent"`, the `"confidentiality"` of what it returns (`public`, `user`,
`private`, `secret`) and `"outward": true` where its arguments leave the house. Tools answer what is recorded
for a call with the same arguments. The user is content when exactly the task's own calls with side effects
were carried out, in order, and its answer was given. Without `pairs` each task is played with each injection;
`places`, `pairs` and `secrets` may be missing. Suites of AgentDojo aren't recorded: their own tools act, and
their own checks say what has become of user and attacker.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from benchmarks._injection._bipia import load_bipia
from benchmarks._injection._dojo import SUITES, open_dojo
from benchmarks._injection._figures import Tally, complaints_of, tallies_of, through
from benchmarks._injection._play import Outcome, play_all
from benchmarks._injection._recorded import Recorded
from benchmarks._injection._suite import Case, World, load_suite
from benchmarks._surroundings import machine

app = App(name="benchmarks.injection", help="What an attacker can do who owns every text that a team reads.")


@app.default
def injection(
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    suite: Annotated[
        list[str] | None, Parameter(help="bipia, a suite of AgentDojo, or a file; may be said again.")
    ] = None,
    cases: Annotated[int, Parameter(help="Of each suite, with an attack and without one; 0 for all.")] = 200,
    attack: Annotated[
        str,
        Parameter(help="How AgentDojo puts its attacks: important_instructions, tool_knowledge, direct, …"),
    ] = "important_instructions",
    beside: Annotated[int, Parameter(help="Plays side by side.")] = 4,
    python: Annotated[Path | None, Parameter(help="An interpreter that has AgentDojo.")] = None,
    real_model: Annotated[
        str | None, Parameter(help="A local model in the place of the victim: for information, few cases.")
    ] = None,
) -> int:
    """0 where all that is promised holds, else 1."""
    began = time.perf_counter()

    async def play() -> list[dict[str, Any]]:
        played = []
        for name in suite or ("bipia", "workspace"):
            async with _world(name, attack, python) as world:
                chosen = spread(world.cases, cases)
                outcomes = await play_all(world, chosen, beside=beside, model=real_model)
                played.append(_figures(world, outcomes, judged=real_model is None))
        return played

    suites = asyncio.run(play())
    complaints = [line for one in suites for line in one["complaints"]]
    figures = {
        "benchmark": "injection",
        "ok": not complaints,
        "complaints": complaints,
        "model": real_model or "obedient victim",
        "suites": suites,
        "seconds": round(time.perf_counter() - began, 1),
        "machine": machine(),
    }
    if as_json:
        print(json.dumps(figures, indent=2, ensure_ascii=False))
    else:
        _print_tables(figures)
    return 1 if complaints else 0


@asynccontextmanager
async def _world(name: str, attack: str, python: Path | None) -> AsyncIterator[World]:
    if name in SUITES:
        async with open_dojo(name, attack, python) as dojo:
            yield dojo
    else:
        yield Recorded(load_bipia() if name == "bipia" else load_suite(Path(name)))


def spread(cases: Sequence[Case], limit: int) -> list[Case]:
    """So many cases without an attack and with one, spread over all."""
    found: list[Case] = []
    for attacked in (False, True):
        these = [case for case in cases if (case.injection is not None) == attacked]
        count = min(limit or len(these), len(these))
        found += [these[place * len(these) // count] for place in range(count)]
    return found


def _figures(world: World, outcomes: Sequence[Outcome], *, judged: bool) -> dict[str, Any]:
    return {
        "suite": world.name,
        "left_out": list(world.left_out),
        "complaints": complaints_of(world.name, outcomes) if judged else [],
        "sides": {side: asdict(tally) for side, tally in tallies_of(outcomes).items()},
        "through": through(outcomes),
    }


def _print_tables(figures: dict[str, Any]) -> None:
    console = Console(width=max(Console().width, 160))  # also into a file
    for one in figures["suites"]:
        table = Table(title=f"{one['suite']}, {figures['model']}")
        for heading in (
            "",
            "attacked",
            "met",
            "succeeded",
            "by the suite",
            "reads obeyed",
            "sent out",
            "leaks",
            "utility",
            "attacked",
            "questions",
            "attacked",
        ):
            table.add_column(heading)
        for name, tally in one["sides"].items():
            table.add_row(name, *_row(Tally(**tally)))
        console.print(table)
    for complaint in figures["complaints"]:
        console.print(f"[red]{complaint}[/red]")


def _row(tally: Tally) -> tuple[str, ...]:
    counts = (tally.attacked, tally.met, tally.attacks_succeeded, tally.suite_says_succeeded)
    shares = (f"{tally.utility:.1%}", f"{tally.utility_attacked:.1%}")
    questions = (f"{tally.questions:.2f}", f"{tally.questions_attacked:.2f}")
    return (*map(str, (*counts, tally.reads_obeyed, tally.sent_out, tally.leaks)), *shares, *questions)


if __name__ == "__main__":
    app()
