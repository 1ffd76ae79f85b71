"""An answer as a text, and back: the same answer, but for ids of its own."""

import json
import sys
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, cast

from proctor.core import JsonObject, JsonValue, ModelResult, Usage, canonical_json, digest

_LONGEST_ID = 32
_SHORTEST_ID = 8
"""Characters of the part of a tool call's id that is made up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer and how long it holds."""

    text: str
    until: datetime


class Front:
    """The answers that were used last, in memory, up to a number of bytes."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held = 0
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def get(self, key: str, now: datetime) -> str | None:
        """The text of an answer that still holds."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until <= now:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept.text

    def put(self, key: str, kept: Kept) -> None:
        """Takes an answer, in the place of those that were used longest ago."""
        self._drop(key)
        self._kept[key] = kept
        self._held += sys.getsizeof(kept.text)
        while self._held > self._capacity:
            self._drop(next(iter(self._kept)))

    def clear(self) -> None:
        """Drops all."""
        self._kept.clear()
        self._held = 0

    def _drop(self, key: str) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._held -= sys.getsizeof(kept.text)


def text_of(result: ModelResult) -> str:
    """What is kept of an answer."""
    return canonical_json(
        {
            "message": result.message,
            "finish_reason": result.finish_reason,
            "usage": asdict(result.usage),
            "deployment": result.deployment,
            "model": result.model,
            "cost": result.cost + result.saved,
        }
    )


def result_of(text: str, call_key: str) -> ModelResult:
    """The answer given again, to the call of that key."""
    kept: Any = json.loads(text)
    return ModelResult(
        message=_with_own_ids(kept["message"], call_key),
        finish_reason=kept["finish_reason"],
        usage=Usage(**kept["usage"]),
        deployment=kept["deployment"],
        model=kept["model"],
        attempts=0,
        cached=True,
        saved=kept["cost"],
    )


def _with_own_ids(message: JsonObject, call_key: str) -> JsonObject:
    """The message with ids of tool calls that are this call's alone, in the form that the provider gave them.

    Else two answers of one conversation could hold the same id. They are the same at every replay.
    """
    calls = cast("Sequence[JsonObject]", message.get("tool_calls", ()))
    if not calls:
        return message
    renamed: list[JsonValue] = [
        {**call, "id": _own_id(str(call["id"]), call_key, place)} for place, call in enumerate(calls)
    ]
    return {**message, "tool_calls": renamed}


def _own_id(given: str, call_key: str, place: int) -> str:
    head, mark, tail = given.rpartition("_")
    length = max(_SHORTEST_ID, min(len(tail), _LONGEST_ID))
    return f"{head}{mark}{digest([call_key, place])[:length]}"
