"""What Claude thought before it called tools: it must be sent back word for word while the tools answer.

Teams know nothing of it, so it waits here. After a restart it is gone.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proctor.core import JsonObject, canonical_json

ROOM = 16_000_000
"""Characters that are kept; then the least used give way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """An answer that called tools, as it came."""

    blocks: tuple[JsonObject, ...]
    """Thoughts with their signatures, text and tool calls, in their order."""
    calls: tuple[str, ...]
    """The ids of the tool calls."""
    tokens: int
    """At most what the blocks count as when they are sent back. Their text may be a summary."""
    size: int


def call_ids(message: JsonObject) -> list[str]:
    """The ids of the tool calls in an assistant's message."""
    calls = message.get("tool_calls")
    found = calls if isinstance(calls, list | tuple) else ()
    return [str(call.get("id")) for call in found if isinstance(call, Mapping)]


class Thoughts:
    """Keeps such answers by their model and the id of their first tool call."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._size = 0
        self._kept: OrderedDict[tuple[str, str], Thought] = OrderedDict()

    def keep(self, model: str, blocks: Sequence[JsonObject], *, tokens: int) -> None:
        """Remembers an answer that calls tools after some thought; of any other, nothing."""
        calls = tuple(str(block["id"]) for block in blocks if block["type"] == "tool_use")
        if not calls or not any(block["type"] in ("thinking", "redacted_thinking") for block in blocks):
            return
        size = len(canonical_json(blocks))
        key = (model, calls[0])
        self._forget(key)
        self._kept[key] = Thought(blocks=tuple(blocks), calls=calls, tokens=tokens, size=size)
        self._size += size
        while self._size > self._room:
            self._forget(next(iter(self._kept)))

    def recall(self, model: str, calls: Sequence[str]) -> Thought | None:
        """The answer that made these calls, where it is still known."""
        key = (model, calls[0]) if calls else ("", "")
        thought = self._kept.get(key)
        if thought is None or thought.calls != tuple(calls):
            return None
        self._kept.move_to_end(key)
        return thought

    def tokens(self, model: str, messages: Sequence[JsonObject]) -> int:
        """What is sent back with these messages, in tokens, at most."""
        found = (self.recall(model, call_ids(message)) for message in messages)
        return sum(thought.tokens for thought in found if thought is not None)

    def _forget(self, key: tuple[str, str]) -> None:
        thought = self._kept.pop(key, None)
        if thought is not None:
            self._size -= thought.size
