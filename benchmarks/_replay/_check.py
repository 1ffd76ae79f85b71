"""What became of a task, held against its recording: by the shop's records, the journal, the approvals."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks._replay._data import Task
from benchmarks._replay._person import NAME, is_next_write, questions
from benchmarks._replay._shops import ShopState
from proctor import Proctor, Run
from proctor.approvals import Approval
from proctor.core import JsonObject, canonical_json, digest
from proctor.runs import RecordedCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One task after its run."""

    task: str
    run: str
    faults: tuple[str, ...]
    """What is not as recorded; empty where all is right."""
    completed: bool = False
    hash_right: bool = False
    attempts: int = 0
    steps: int = 0
    writes: int = 0
    """That had to take effect."""
    effects: int = 0
    """That did, by the shop's own ledger."""
    doubled: int = 0
    missing: int = 0
    approved: int = 0
    """Effects for which there is a used approval of exactly their arguments."""
    errors: int = 0
    """Steps that had to fail."""
    errors_passed_on: int = 0
    """Of these, how many did, and told the model so."""
    same_answers: int = 0
    """Steps whose answer is the recorded one; an error's words are each shop's own."""
    failed: bool = False
    """Whether it was parked as failed: only a person's hand could have it go on."""
    uncertain: int = 0
    """Questions about calls whose end was unknown."""


async def check(running: Proctor, run: Run, task: Task, *, initial_hash: str, shop: ShopState) -> Checked:
    """A run that has ended, held against the recording of its task."""
    asked = await questions(running, run.id)
    calls = await running.runs.calls(run.id)
    acted = [call for call in calls if call.key.kind == "tool" and call.outcome is not None]
    wanted, done = (Counter(map(_mark, effects)) for effects in (task.effects, shop.effects))
    used = Counter(_mark(_named(approval.question.action)) for approval in asked if _is_used(approval))
    seen = _texts_shown(calls)
    told = [
        call.outcome is not None and call.outcome["is_error"] is True and call.outcome["text"] == text
        for call, text in zip(acted, seen, strict=False)
    ]
    return Checked(
        task=task.id,
        run=run.id,
        faults=(
            *_shop_faults(task, initial_hash, shop),
            *_run_faults(run, task, acted, seen),
            *_approval_faults(task, asked),
        ),
        completed=run.state == "completed",
        hash_right=shop.hash == task.final_hash,
        attempts=run.attempt,
        steps=len(task.steps),
        writes=wanted.total(),
        effects=done.total(),
        doubled=(done - wanted).total(),
        missing=(wanted - done).total(),
        approved=(done & used).total(),
        errors=sum(step.fails for step in task.steps),
        errors_passed_on=sum(step.fails and one for step, one in zip(task.steps, told, strict=False)),
        same_answers=sum(_same(step.result, text) for step, text in zip(task.steps, seen, strict=False)),
        failed=run.state == "failed",
        uncertain=sum(approval.question.kind == "uncertain" for approval in asked),
    )


def _shop_faults(task: Task, initial_hash: str, shop: ShopState) -> Iterator[str]:
    if initial_hash != task.initial_hash:
        yield "the shop's first state is not the recorded one"
    if shop.hash != task.final_hash:
        yield "the shop's last state is not the recorded one"
    if list(map(_mark, shop.effects)) != list(map(_mark, task.effects)):
        yield f"the shop's effects are {[tool for tool, _ in shop.effects]}"


def _run_faults(run: Run, task: Task, acted: Sequence[RecordedCall], seen: Sequence[str]) -> Iterator[str]:
    if run.state != "completed":
        yield f"the run is {run.state}: {run.error or run.result}"
    recorded = [(_mark((step.tool, step.arguments)), step.fails) for step in task.steps]
    if [(_mark(_named(call.request)), _outcome(call)["is_error"]) for call in acted] != recorded:
        yield "the calls, or which of them fail, are not the recorded ones"
    if [_outcome(call)["text"] for call in acted] != list(seen):
        yield "the model saw other answers than the tools gave"


def _approval_faults(task: Task, asked: Sequence[Approval]) -> Iterator[str]:
    actions = [approval for approval in asked if approval.question.kind == "action"]
    known = [approval.question.action for approval in actions]
    if known and not is_next_write(task, known[:-1], known[-1]):
        yield "approvals were asked for other writes than the recorded ones"
    if not all(map(_is_used, actions)):
        yield "an approval was not used, or its arguments are not those that were approved"
    granted = Counter(_mark(_named(action)) for action in known)
    if Counter(map(_mark, task.effects)) - granted:
        yield "a write has no approval"
    if any(approval.question.kind in ("reply", "diverged") for approval in asked):
        yield "a question was asked that has no place here"


def _is_used(approval: Approval) -> bool:
    """Whether it let exactly its action through, once, in the name of the person."""
    decision = approval.decision
    return (
        approval.question.kind == "action"
        and approval.state == "consumed"
        and decision is not None
        and (decision.kind, decision.by) == ("approve", NAME)
        and approval.digest == digest(approval.question.action)
    )


def _texts_shown(calls: Iterable[RecordedCall]) -> list[str]:
    """The tools' answers as the model read them in its last call."""
    last = [call.request for call in calls if call.key.kind == "model"][-1:]
    messages: Iterable[JsonObject] = last[0]["messages"] if last else ()  # type: ignore[assignment]
    return [str(message["content"]) for message in messages if message["role"] == "tool"]


def _same(recorded: str, text: str) -> bool:
    """Whether two answers are the same text, or the same value in another notation."""
    try:
        return recorded == text or json.loads(recorded) == json.loads(text)
    except ValueError:
        return False


def _outcome(call: RecordedCall) -> JsonObject:
    assert call.outcome is not None
    return call.outcome


def _named(request: JsonObject) -> tuple[str, JsonObject]:
    return str(request["tool"]), request["arguments"]  # type: ignore[return-value]


def _mark(call: tuple[str, JsonObject]) -> str:
    return canonical_json(call)
