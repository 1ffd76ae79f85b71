"""The demo from its options to its exit code."""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App as Commands
from cyclopts import Parameter

import proctor
from proctor import Event, Proctor, ProctorError, Run, Settings
from proctor.deployments.support._shelf import load_knowledge
from proctor.deployments.support._teams import make_app
from proctor.deployments.support.demo._outcome import Outcome, decide, judge, report_of
from proctor.deployments.support.demo._questions import Question, make_questions
from proctor.deployments.support.demo._screen import Screen, show_pull
from proctor.deployments.support.demo._workplace import Workplace
from proctor.deployments.support.shop import Database
from proctor.models.local import pull, shipped_lock

ENOUGH = 0.8
"""The share of questions that must be right."""
_DECISIONS = 5
"""Approvals that one question may lead to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    model: str
    config: Path | None
    folder: Path
    seed: int
    keep: bool


_commands = Commands(name="demo", help_format="plaintext", version_flags=[])


@_commands.default
def _run(
    *,
    model: Annotated[str, Parameter(help="A local model, as `proctor models list` shows it.")] = next(
        iter(shipped_lock().models)
    ),
    config: Annotated[
        Path | None,
        Parameter(help="Take the models of this configuration instead; the teams ask for `small`."),
    ] = None,
    folder: Annotated[Path, Parameter(help="Where everything is put.")] = Path(".proctor/demo"),
    seed: Annotated[int, Parameter(help="Makes another shop, and other questions.")] = 7,
    keep: Annotated[
        bool, Parameter(negative="", help="Go on with the shop and the runs of the last demo.")
    ] = False,
    as_json: Annotated[
        bool, Parameter(name="--json", negative="", help="Print one JSON object; show on stderr.")
    ] = False,
) -> int:
    """Ask the support desk real questions, and check the answers against the data."""
    screen = Screen(sys.stderr if as_json else sys.stdout)
    options = _Options(model=model, config=config, folder=folder.resolve(), seed=seed, keep=keep)
    began = time.monotonic()
    try:
        outcomes = asyncio.run(_demo(options, screen))
    except ProctorError as error:
        screen.console.print(f"error: {error}", style="red")
        return 1
    except KeyboardInterrupt:
        return 130
    seconds = time.monotonic() - began
    screen.table(outcomes)
    screen.summary(outcomes, seconds, f"Look closer: proctor runs list --config {folder / 'proctor.toml'}")
    ok = _is_enough(outcomes)
    if as_json:
        _print_json(outcomes, options, seconds, ok=ok)
    return 0 if ok else 1


def _is_enough(outcomes: Sequence[Outcome]) -> bool:
    """Whether at least four of five are right."""
    right = sum(not outcome.faults for outcome in outcomes)
    return right >= ENOUGH * len(outcomes)


async def _demo(options: _Options, screen: Screen) -> list[Outcome]:
    place = Workplace(folder=options.folder)
    screen.title(
        "The support desk of Lantern & Loom",
        "analyst → retriever → actor → a person who confirms: an AutoGen team on Proctor",
    )
    if not options.keep:
        place.clear()
    settings = place.settings(options.model, options.config)
    if options.config is None:
        await _pull(options.model, settings, screen)
    with screen.step("store") as said:
        shop = await asyncio.to_thread(place.make_shop, options.seed)
        said.append(", ".join(f"{len(shop[table])} {table}" for table in ("products", "users", "orders")))
    async with proctor.open(make_app(), settings=settings) as running:
        await _load(running, shop, screen)
        questions = make_questions(shop, options.seed)
        return [
            await _ask(running, question, place, screen, f"{number}/{len(questions)}")
            for number, question in enumerate(questions, 1)
        ]


async def _pull(model: str, settings: Settings, screen: Screen) -> None:
    with screen.pulling() as bar:
        await pull(model, folder=settings.local.folder.expanduser(), progress=show_pull(bar, model))
    with screen.step("model") as said:
        said.append(f"{model}, {shipped_lock().find(model).size / 1e9:.2f} GB, on this machine")


async def _load(running: Proctor, shop: Database, screen: Screen) -> None:
    with screen.step("knowledge") as said:
        knowledge = running.knowledge
        changes = await load_knowledge(knowledge, shop["products"].values())
        found_by = " and ".join(knowledge.searches_by).replace("_", " ")
        said.append(
            f"{changes.stored + changes.unchanged} articles and catalogue entries, found by {found_by}"
        )


async def _ask(
    running: Proctor, question: Question, place: Workplace, screen: Screen, number: str
) -> Outcome:
    if question.action is not None:
        await asyncio.to_thread(place.expect, question.action.tool, dict(question.action.arguments))
    before = len(place.effects())
    began = time.monotonic()
    with screen.asking(number, question.shown):
        run = await running.start("support", question.text)
        run = await _follow(running, run, question, screen, began)
    seconds = time.monotonic() - began
    outcome = await judge(running, question, run, seconds=seconds, place=place, effects_before=before)
    screen.judged(outcome)
    return outcome


async def _follow(running: Proctor, run: Run, question: Question, screen: Screen, began: float) -> Run:
    """The run after it has ended; what waits for a person is decided on the way."""
    seen = 0
    for _ in range(_DECISIONS):
        async for item in running.runs.watch(run.id, after=seen, until_wait=True):
            if isinstance(item, Event):
                seen = item.seq
                screen.event(item, time.monotonic() - began)
        run = await running.runs.get(run.id)
        if run.state != "waiting":
            return run
        for approval in await running.approvals():
            if approval.run_id == run.id:
                await running.decide(approval.id, decide(approval, question))
    return await running.runs.cancel(run.id)


def _print_json(outcomes: Sequence[Outcome], options: _Options, seconds: float, *, ok: bool) -> None:
    report = {
        "ok": ok,
        "right": sum(not outcome.faults for outcome in outcomes),
        "questions": [report_of(outcome) for outcome in outcomes],
        "model": options.model if options.config is None else str(options.config),
        "seed": options.seed,
        "seconds": round(seconds, 1),
    }
    print(json.dumps(report, ensure_ascii=False))  # noqa: T201 - the command's output


def main() -> None:
    """Runs the demo and exits: 0 only where enough answers are right."""
    sys.exit(_commands())
