"""What is found of anomalies that were put into a replayed day, and how soon.

Teams of all sizes work through a day with its hours, noise, heavy-tailed durations and bursts, after fourteen
days of history that say what is usual. Six kinds of trouble are put in: slow answers, errors, bursts of
calls, dear calls, loops, and shifted verdicts; most sudden, some drifting in over hours, some in the tail
alone. The real evaluator looks at each minute over a real database, on a clock that is set. An anomaly is
found where an alert of its own kind fires for its team before it is over, or within ten minutes after; an
alert is right where one of its kind is there to be found, or one that it follows from (more calls cost more).
A small team's trouble lasts until it concerns eight calls or runs in the mean: fewer are the weather. A day
comes out as chance will: where a team makes fewer than eight calls in all of a trouble's time, hardly
anything went wrong, and it is `quiet`: left out of `recall`, which is promised, but not of `recall_of_all`.

Beside it: the three fixed lines alone (p99 above 5 s, more than 5 % errors, more than 100 calls a second) on
the same days, and what is told on days on which nothing is wrong.

    uv run python -m benchmarks.anomalies --json                             # some minutes
    uv run python -m benchmarks.anomalies --teams 6 --each 4 --seeds 41      # within one

Arrivals and durations are made: no record of real ones is at hand. How the numbers of calls per run are
spread is as in recorded tasks of customer service (tau2: mean 4.9 and variance 12 in retail, 9.9 and 58 in
banking). The rules' constants were chosen on seeds 1 to 6, and on good days of 101 to 109; 1 to 9 are kept
for that; 11 and 12 were looked at and are spent; 21 to 23 measured earlier rules, and 31 to 33 a stricter
limit, whose recall was 89.6 %. The figures told in the documentation are of 41, 42 and 43, with good days of
1041 to 1043, each run once: these are spent, too. Promised is, on unspent seeds: recall and precision of at
least 90 %, and more than the fixed lines find.
"""

import json
import time
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from benchmarks._anomalies._replay import Day, make_day, replay
from benchmarks._anomalies._score import Score
from benchmarks._anomalies._world import KINDS
from benchmarks._surroundings import machine
from proctor.core import AlertSettings

BASELINES = AlertSettings(p99_seconds=0, error_rate=0, calls_per_second=0)
FIXED = AlertSettings(sensitivity="off")
PROMISED = 0.9
SPENT = range(1, 44)

app = App(name="benchmarks.anomalies", help="What is found of anomalies in a replayed day, and how soon.")


@app.default
def anomalies(
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    seeds: Annotated[
        list[int] | None, Parameter(help="One day each; 1 to 43 are spent, and told of in the documentation.")
    ] = None,
    teams: Annotated[int, Parameter(help="At work in a day.")] = 36,
    each: Annotated[int, Parameter(help="Anomalies of each of the six kinds in a day.")] = 36,
    good_days: Annotated[int, Parameter(help="Days on which nothing is wrong.")] = 1,
) -> int:
    """0 where all that is promised holds, else 1."""
    began = time.perf_counter()
    seeds = seeds or [41]
    ours, fixed, cpu = Score(), Score(), 0.0
    for seed in seeds:
        day = make_day(seed, teams=teams, each=each)
        cpu = max(cpu, _take(ours, day, BASELINES))
        _take(fixed, day, FIXED)
    well, lines = Score(), Score()
    for place in range(good_days):
        day = make_day(seeds[0] + 1_000 + place, teams=teams, each=0)
        _take(well, day, BASELINES)
        _take(lines, day, FIXED)
    complaints = _complaints(ours, fixed)
    figures = {
        "benchmark": "anomalies",
        "ok": not complaints,
        "complaints": complaints,
        "seeds": seeds,
        "held_out": not any(seed in SPENT for seed in seeds),
        "baselines": ours.figures(),
        "fixed_lines": fixed.figures(),
        "good_days": {
            "team_days": good_days * teams,
            "alerts_of_baselines": well.alerts.total(),
            "alerts_of_fixed_lines": lines.alerts.total(),
        },
        "cpu_ms_a_minute_of_all_teams": round(cpu, 2),
        "seconds": round(time.perf_counter() - began, 1),
        "machine": machine(),
    }
    if as_json:
        print(json.dumps(figures, indent=2, ensure_ascii=False))
    else:
        _print_tables(figures)
    return 1 if complaints else 0


def _take(score: Score, day: Day, settings: AlertSettings) -> float:
    """Milliseconds of a processor that a minute took."""
    replayed = replay(day, settings)
    score.take(day, replayed.alerts)
    return replayed.cpu_ms_a_minute


def _complaints(ours: Score, fixed: Score) -> list[str]:
    found = []
    if ours.recall < PROMISED:
        found.append(f"recall is {ours.recall:.1%}")
    if ours.precision < PROMISED:
        found.append(f"precision is {ours.precision:.1%}")
    if ours.recall <= fixed.recall or ours.precision <= fixed.precision:
        found.append("fixed lines are no worse on one side")
    return found


def _print_tables(figures: dict[str, Any]) -> None:
    console = Console(width=max(Console().width, 120))
    for name in ("baselines", "fixed_lines"):
        side = figures[name]
        title = f"{name}: recall {side['recall']:.1%}, precision {side['precision']:.1%}"
        table = Table("kind", "put in", "found", "alerts", "right", "delay", "p90", title=title)
        for kind in KINDS:
            one = side["kinds"][kind]
            delay = one["delay_minutes"] or {"median": "", "p90": ""}
            counts = (one["anomalies"], one["found"], one["alerts"], one["right"])
            table.add_row(kind, *map(str, (*counts, delay["median"], delay["p90"])))
        console.print(table)
    console.print(figures["good_days"])
    for complaint in figures["complaints"]:
        console.print(f"[red]{complaint}[/red]")


if __name__ == "__main__":
    app()
