"""`proctor policy simulate`."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.text import Text

from proctor.app import Proctor, Simulation, load_policy
from proctor.app import simulate as try_out
from proctor.cli._options import ConfigFile, Json, read_period
from proctor.cli._output import console, print_json, print_table
from proctor.cli._reading import with_proctor
from proctor.policies import Policy


def simulate(
    *,
    policy: Annotated[
        Path | None, Parameter(help="The policy file to try; absent: the one in force.")
    ] = None,
    team: str | None = None,
    since: str | None = None,
    until: str | None = None,
    last: str | None = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Try a policy on the texts of past runs: what it would have refused, changed and asked a person about.

    Nothing is changed by it. Texts are those that were kept: of a refused task nothing is left to try.

    Parameters
    ----------
    team
        Only runs of this team.
    since
        From this day or time on: 2026-12-01.
    until
        Up to this day or time.
    last
        In place of both: 7d, 12h.
    """
    begin, end = read_period(since, until, last, datetime.now(UTC))
    tried = None if policy is None else load_policy(policy)

    async def work(proctor: Proctor) -> Simulation:
        in_force = Policy(proctor.settings.policies)
        columns = (SpinnerColumn(), TextColumn("{task.fields[runs]} runs, {task.fields[texts]} texts"))
        with Progress(*columns, console=console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=None, runs=0, texts=0)
            return await try_out(
                proctor.runs,
                in_force if tried is None else Policy(tried),
                in_force,
                since=begin,
                until=end,
                team=team,
                on_run=lambda so_far: bar.update(task, runs=so_far.runs, texts=so_far.texts),
            )

    found = with_proctor(config, work)
    if json:
        print_json(_as_json(found))
    else:
        _show(found)


def _as_json(found: Simulation) -> dict[str, Any]:
    return {
        "runs": found.runs,
        "texts": found.texts,
        "changed": found.changed,
        "outcomes": {"now": found.outcomes_now, "then": found.outcomes_then},
        "rules": {rule: asdict(tally) for rule, tally in found.rules.items()},
    }


def _show(found: Simulation) -> None:
    out = console()
    out.print(
        Text(f"{found.runs:,} runs with {found.texts:,} texts: {found.changed:,} would end otherwise."),
        soft_wrap=True,
    )
    outcomes = [
        (outcome, f"{found.outcomes_now[outcome]:,}", f"{found.outcomes_then[outcome]:,}")
        for outcome in ("allow", "redact", "escalate", "deny")
    ]
    print_table(out, ("outcome", "now", "then"), outcomes, right=("now", "then"))
    if found.rules:
        print_table(out, ("rule", "now", "then", "for example"), list(_rows(found)), right=("now", "then"))


def _rows(found: Simulation) -> Iterator[tuple[str, str, str, str]]:
    for rule, tally in sorted(found.rules.items(), key=lambda each: -each[1].then):
        first = tally.examples[0] if tally.examples else None
        shown = "-" if first is None else f"{first.run} {first.stage}: {first.excerpt}"
        yield rule, f"{tally.now:,}", f"{tally.then:,}", shown
