"""The victim: a scripted model that asks for the denied tool whenever it is the turn of who has the tools."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from proctor.core import JsonObject, ModelCall, ModelRefused
from proctor.testing import Reply, tool_call

Ask: TypeAlias = tuple[str, JsonObject]
"""A tool's name as the model writes it, and the arguments."""

Step: TypeAlias = Sequence[Ask] | str
"""What is asked for at once, or what is said instead."""

Plan: TypeAlias = Callable[[Sequence[Sequence[str]]], Step | None]
"""The next step, by the names that were asked for in each step before; nothing when all is done."""

WHICH = "Which tool is it?"
"""What a batch is asked."""

BROKEN, HELPER = "first", "helper"
"""An agent that always fails; the tool behind which a team has the tools."""


@dataclass(slots=True)
class Victim:
    """What the agents of one case do."""

    plan: Plan
    hand: str = "hand"
    """The agent that has the tools."""
    word: str = "ENDED-1"
    """Ends a run as it is said; each run of a case has its own."""
    asked: list[Step] = field(default_factory=list)
    """What was asked for, in order; replays aside."""

    def next(self, before: Sequence[Sequence[str]]) -> Step:
        """The next step of whoever has the tools."""
        step = self.plan(before)
        if step is None:
            return f"{self.word}."
        self.asked.append(step)
        return step if not isinstance(step, str) else f"{step} {self.word}"

    def answer(self, call: ModelCall) -> Reply:
        """What the model says in a team of any kind."""
        text = json.dumps(call.messages, ensure_ascii=False)
        agent = call.scope.agent.rpartition("/")[2]
        since = _since_task(call.messages)
        if WHICH in text:
            return _repeated(str(call.messages[-1]["content"]), together="items, one JSON object" in text)
        if agent == BROKEN:
            return ModelRefused("this one never answers")
        if agent != self.hand:
            return self._of_another(call, text, is_first=not since)
        if since and not call.tools:
            return self.word  # it reflects on what a tool answered
        step = self.next([[name for name, _ in made] for made in since])
        return step if isinstance(step, str) else [tool_call(name, **given) for name, given in step]

    def _of_another(self, call: ModelCall, text: str, *, is_first: bool) -> Reply:
        """What brings the hand to its turn."""
        if "is_request_satisfied" in text:
            return self._ledger(text)
        if "Only return the role" in text:
            return self.hand
        names = [str(tool["function"]["name"]) for tool in call.tools]  # type: ignore[call-overload,index]
        for name in names:
            if is_first and (name.startswith("transfer_to_") or name in (HELPER, self.hand)):
                return [tool_call(name, **({} if name.startswith("transfer_to_") else {"task": "Go on."}))]
        return self.word if self.word in text else "Go on."

    def _ledger(self, text: str) -> str:
        answers: JsonObject = {
            "is_request_satisfied": self.word in text,
            "is_in_loop": False,
            "is_progress_being_made": True,
            "next_speaker": self.hand,
            "instruction_or_question": "Go on.",
        }
        return json.dumps({key: {"reason": "so", "answer": value} for key, value in answers.items()})


def _repeated(text: str, *, together: bool) -> str:
    """The items of a batch, each as its own answer."""
    if not together:
        return text
    items = [json.loads(line) for line in text.splitlines()]
    return json.dumps({"answers": [{"n": item["n"], "answer": item["item"]} for item in items]})


def _since_task(messages: Sequence[JsonObject]) -> list[list[Ask]]:
    """What this agent asked for since it was last spoken to, step by step."""
    steps: list[list[Ask]] = []
    for message in messages:
        if message["role"] == "user":
            steps.clear()
        elif calls := message.get("tool_calls"):
            steps.append([(str(each["function"]["name"]), {}) for each in calls])  # type: ignore[union-attr,index,call-overload]
    return steps
