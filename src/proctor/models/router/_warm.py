"""What providers are taken to remember of a conversation: the beginning of its last prompt."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from proctor.core import Clock, JsonObject, ModelCall

MOST_PROMPTS = 512
LEAST_TOKENS = 1024
"""Providers remember no shorter beginning: https://platform.openai.com/docs/guides/prompt-caching."""

Place: TypeAlias = tuple[str, str, str]
"""A conversation (its thread, else its run), an agent of it, a deployment."""


@dataclass(frozen=True, slots=True)
class _Prompt:
    at: datetime
    messages: tuple[JsonObject, ...]
    tools: tuple[JsonObject, ...]


class WarmPrompts:
    """The last prompt that each deployment answered in each conversation, for as long as it is remembered."""

    def __init__(self, clock: Clock, life: timedelta) -> None:
        self._clock = clock
        self._life = life
        self._prompts: OrderedDict[Place, _Prompt] = OrderedDict()

    def remember(self, call: ModelCall, deployment: str, at: datetime) -> None:
        """Notes that a deployment has read this prompt."""
        place = _place(call, deployment)
        self._prompts[place] = _Prompt(at, call.messages, call.tools)
        self._prompts.move_to_end(place)
        while len(self._prompts) > MOST_PROMPTS:
            self._prompts.popitem(last=False)

    def shared(self, call: ModelCall, deployment: str) -> int:
        """How many messages of this prompt a deployment has read with the same tools; -1 where none."""
        place = _place(call, deployment)
        prompt = self._prompts.get(place)
        if prompt is None:
            return -1
        if self._clock.now() - prompt.at > self._life:
            del self._prompts[place]
            return -1
        if prompt.tools != call.tools:
            return -1
        count = 0
        for ours, theirs in zip(call.messages, prompt.messages, strict=False):
            if ours != theirs:
                break
            count += 1
        return count


def _place(call: ModelCall, deployment: str) -> Place:
    return call.scope.thread or call.scope.run_id, call.scope.agent, deployment
