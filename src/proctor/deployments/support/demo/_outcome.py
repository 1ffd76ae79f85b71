"""What came of a question, and whether it is right by the data."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from proctor import Decision, Event, Proctor, Run
from proctor.approvals import Approval
from proctor.deployments.support.demo._questions import Question
from proctor.deployments.support.demo._workplace import Workplace
from proctor.runs import RecordedCall

MANAGER = "demo-manager"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A question's run, and what is wrong with it."""

    question: Question
    run: Run
    events: Sequence[Event]
    calls: Sequence[RecordedCall]
    seconds: float
    faults: tuple[str, ...]
    """Why it isn't right; empty where it is."""

    @property
    def agents(self) -> tuple[str, ...]:
        """Who spoke or decided, in order."""
        spoke = [event.agent for event in self.events if event.type == "message"]
        decided = [str(event.data["by"]) for event in self.events if event.type == "approval.decided"]
        return tuple(dict.fromkeys([*spoke[:-1], *decided, *spoke[-1:]]))

    @property
    def verdict(self) -> str:
        """What policy and person said."""
        for event in reversed(self.events):
            if event.type == "approval.decided":
                return {"approve": "approved", "reject": "rejected"}.get(
                    str(event.data["decision"]), "answered"
                )
            if event.type == "policy.verdict":
                return f"{event.data['outcome']}"
        return "allow"

    def count(self, kind: str) -> int:
        """The calls of a kind: `model` or `tool`."""
        return sum(call.key.kind == kind for call in self.calls)

    @property
    def tokens(self) -> tuple[int, int]:
        """Tokens that models read and wrote."""
        used = [event.data for event in self.events if event.type == "model.called"]
        return sum(int(str(data["input"])) for data in used), sum(int(str(data["output"])) for data in used)


def decide(approval: Approval, question: Question) -> Decision:
    """The decision of a manager who approves exactly what the customer asked for."""
    wanted = question.action
    if wanted is not None and approval.question.action == {
        "server": "store",
        "tool": wanted.tool,
        "arguments": wanted.arguments,
    }:
        return Decision(kind="approve", by=MANAGER, comment="It is what the customer asked for.")
    return Decision(kind="reject", by=MANAGER, comment="The customer did not ask for this.")


async def judge(
    running: Proctor, question: Question, run: Run, *, seconds: float, place: Workplace, effects_before: int
) -> Outcome:
    """The outcome of a run that has ended."""
    events = await running.runs.events(run.id)
    calls = await running.runs.calls(run.id)
    faults = [
        *(_refusal_faults(question, run, calls, place) if question.secret else _answer_faults(question, run)),
        *_shop_faults(question, place, effects_before),
    ]
    return Outcome(
        question=question, run=run, events=events, calls=calls, seconds=seconds, faults=tuple(faults)
    )


def _answer_faults(question: Question, run: Run) -> Iterator[str]:
    if run.state != "completed":
        yield f"the run is {run.state}: {run.error}"
        return
    answer = run.result or ""
    if not answer.strip():
        yield "the answer is empty"
    yield from (f"the answer lacks {each}" for each in question.holds if not _holds(answer, each))
    yield from (f"the answer tells {each}" for each in question.lacks if _holds(answer, each))


def _refusal_faults(
    question: Question, run: Run, calls: Sequence[RecordedCall], place: Workplace
) -> Iterator[str]:
    if run.state != "refused":
        yield f"the run is {run.state}, not refused"
    if calls:
        yield f"{len(calls)} calls were made"
    if place.holds(question.secret):
        yield "the secret was stored"


def _shop_faults(question: Question, place: Workplace, effects_before: int) -> Iterator[str]:
    executed = len(place.effects()) - effects_before
    expected = 0 if question.action is None else 1
    if executed != expected:
        yield f"{executed} writes were executed, not {expected}"
    if not place.is_as_expected():
        yield "the shop's database is not as expected"


def _holds(answer: str, wanted: str) -> bool:
    """Whether a text holds a figure or word whole, in any capitals."""
    pattern = rf"(?<![0-9A-Za-z.]){re.escape(wanted)}(?![0-9A-Za-z])"
    return re.search(pattern, answer, re.IGNORECASE | re.ASCII) is not None


def report_of(outcome: Outcome) -> Mapping[str, object]:
    """The outcome as plain JSON."""
    read, written = outcome.tokens
    return {
        "title": outcome.question.title,
        "question": outcome.run.task,
        "answer": outcome.run.result,
        "run": outcome.run.id,
        "state": outcome.run.state,
        "agents": outcome.agents,
        "model_calls": outcome.count("model"),
        "tool_calls": outcome.count("tool"),
        "tokens": {"input": read, "output": written},
        "cost_usd": outcome.run.cost / 1_000_000,
        "seconds": round(outcome.seconds, 1),
        "verdict": outcome.verdict,
        "checked_against": outcome.question.source,
        "faults": outcome.faults,
        "right": not outcome.faults,
    }
