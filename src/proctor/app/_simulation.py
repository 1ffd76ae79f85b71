"""A policy tried on what past runs have read and said: what it would have done."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from proctor.core import InvalidInput, Outcome, Stage, Verdict, in_own_thread
from proctor.policies import Policy
from proctor.runs import RecordedCall, Run, Runs

EXAMPLES = 3
"""Runs that are named for each rule."""

AROUND = 40
"""Characters of a text that are shown around what was found."""

PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A text of a run for which a rule spoke."""

    run: str
    stage: Stage
    excerpt: str
    """With everything taken out that the rule found."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """How often one rule spoke."""

    now: int = 0
    """Texts for which the policy in force speaks so."""
    then: int = 0
    """Texts for which the tried one would."""
    examples: list[Example] = field(default_factory=list)
    """Of texts on which the two differ; where they never do, of any."""


@dataclass(slots=True, kw_only=True)
class Simulation:
    """What was tried so far."""

    runs: int = 0
    texts: int = 0
    changed: int = 0
    """Texts whose outcome would be another one."""
    outcomes_now: Counter[Outcome] = field(default_factory=Counter)
    outcomes_then: Counter[Outcome] = field(default_factory=Counter)
    rules: dict[str, Tally] = field(default_factory=dict)


async def simulate(
    runs: Runs,
    tried: Policy,
    in_force: Policy,
    *,
    since: datetime,
    until: datetime,
    team: str | None,
    on_run: Callable[[Simulation], None] = lambda _: None,
) -> Simulation:
    """What a policy would have said of the texts of past runs, beside what the policy in force says.

    Of a task that was refused or redacted only what was kept can be tried; and a conversation that was sent
    along as the one text that is kept of it, where the run had each of its messages read by itself.
    """
    simulation = Simulation()
    async for run in _past(runs, team, since, until):
        texts = list(_texts(run, await runs.calls(run.id)))
        await in_own_thread(lambda: _try(simulation, run, texts, tried, in_force), name="proctor-simulation")  # noqa: B023
        simulation.runs += 1
        on_run(simulation)
    return simulation


async def _past(runs: Runs, team: str | None, since: datetime, until: datetime) -> AsyncIterator[Run]:
    before = ""
    while page := await runs.page(team=team, before=before, limit=PAGE):
        for run in page:
            if run.created_at < since:
                return
            if run.created_at < until and run.erased_at is None:
                yield run
        before = page[-1].id


def _texts(run: Run, calls: tuple[RecordedCall, ...]) -> Iterator[tuple[Stage, str]]:
    yield "input", run.task
    for call in calls:
        if call.key.kind == "tool" and call.outcome is not None:
            yield "tool_result", str(call.outcome.get("text", ""))
    if run.state == "completed" and run.result is not None:
        yield "output", run.result


def _try(
    simulation: Simulation, run: Run, texts: list[tuple[Stage, str]], tried: Policy, in_force: Policy
) -> None:
    for stage, text in texts:
        now, then = (_read(policy, text, stage, run.team) for policy in (in_force, tried))
        simulation.texts += 1
        simulation.outcomes_now[now.outcome] += 1
        simulation.outcomes_then[then.outcome] += 1
        differs = now.outcome != then.outcome
        simulation.changed += differs
        for rule in dict.fromkeys((*now.rules, *then.rules)):
            tally = simulation.rules.setdefault(rule, Tally())
            tally.now += rule in now.rules
            tally.then += rule in then.rules
            if differs or len(tally.examples) < EXAMPLES:
                shown = then if rule in then.rules else now
                example = Example(run=run.id, stage=stage, excerpt=_excerpt(text, shown))
                tally.examples[:] = (
                    [example, *tally.examples][:EXAMPLES] if differs else [*tally.examples, example]
                )


def _read(policy: Policy, text: str, stage: Stage, team: str) -> Verdict:
    try:
        return policy.read(text, stage, team=team)
    except InvalidInput as error:
        return Verdict(outcome="deny", rules=(f"{stage}.unreadable",), reason=error.message)


def _excerpt(text: str, verdict: Verdict) -> str:
    """What stands around the first finding; each finding as its kind alone."""
    if not verdict.spans:
        return ""
    first = verdict.spans[0]
    pieces = [text[max(0, first.start - AROUND) : first.start]]
    place, end = first.start, first.end + AROUND
    for span in verdict.spans:
        if span.start < end:
            pieces += [text[place : span.start], f"[{span.type}]"]
            place = max(place, span.end)
    return " ".join("".join([*pieces, text[place:end]]).split())
