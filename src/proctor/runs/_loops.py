"""Agents that go round in circles: the same tool call again and again, the same round of messages.

Both count what a resumed run is given from its journal like what is new, so that they decide as they decided.
"""

import re
import unicodedata
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from proctor.core import LoopDetected, TeamSettings, ToolCall, ToolHandler, ToolMiddleware, ToolResult

if TYPE_CHECKING:
    from proctor.runs._scope import Scope

LONGEST_ROUND = 4
"""Messages of the longest round that is looked for."""

ALIKE = 0.9
"""Share of words that two messages have in common, of all that they have."""

READ = 8_000
"""Characters of a message that are compared."""

_PIECES = re.compile(r"\d+(?:[.,:]\d+)*|[\u3040-\u30ff\u3400-\u9fff]+|[^\W\d_\u3040-\u30ff\u3400-\u9fff]+")
"""Numbers, runs of characters of a script without spaces, words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What one message comes to."""

    agent: str
    words: frozenset[str]
    numbers: tuple[str, ...]
    """In their order: a message that counts on is another one, however alike."""
    called: frozenset[str]
    """The tool calls that the agent had made for it."""

    def is_like(self, other: "_Said") -> bool:
        """Whether the same agent said nearly the same, after the same calls."""
        if self.agent != other.agent or self.numbers != other.numbers or self.called != other.called:
            return False
        every = len(self.words | other.words)
        return not every or len(self.words & other.words) >= ALIKE * every


class Rounds:
    """The last messages of a run, watched for rounds that repeat."""

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self._last: deque[_Said] = deque(maxlen=rounds * LONGEST_ROUND)
        self._called: dict[str, set[str]] = {}

    def call(self, agent: str, fingerprint: str) -> None:
        """Takes note of a tool call: the messages behind different calls are no repetition."""
        self._called.setdefault(agent, set()).add(fingerprint)

    def say(self, agent: str, text: str) -> int:
        """The length of the round that came too often and ends with this message; 0: there is none."""
        words, numbers = _read(text)
        called = frozenset(self._called.pop(agent, ()))
        self._last.append(_Said(agent=agent, words=words, numbers=numbers, called=called))
        return next((length for length in range(1, LONGEST_ROUND + 1) if self._repeats(length)), 0)

    def forget(self) -> None:
        """Begins anew: a person has spoken, who sees what goes on."""
        self._last.clear()
        self._called.clear()

    def _repeats(self, length: int) -> bool:
        last = self._last
        if len(last) < length * self._rounds:
            return False
        return all(
            last[-place].is_like(last[-place - length]) for place in range(1, length * (self._rounds - 1) + 1)
        )


def _read(text: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """A message's words, of a script without spaces its pairs of characters, and its numbers."""
    words: set[str] = set()
    numbers: list[str] = []
    for piece in _PIECES.findall(unicodedata.normalize("NFKC", text[:READ]).casefold()):
        if piece[0].isdigit():
            numbers.append(piece)
        elif "\u3040" <= piece[0] <= "\u9fff" and len(piece) > 1:
            words.update(piece[place : place + 2] for place in range(len(piece) - 1))
        else:
            words.add(piece)
    return frozenset(words), tuple(numbers)


def refuse_repetition(team: TeamSettings) -> ToolMiddleware:
    """A link that refuses a call which its agent has made too often, and fails an agent that insists."""
    limit = team.repetition.same_call

    async def check(call: ToolCall, proceed: ToolHandler) -> ToolResult:
        scope = cast("Scope", call.scope)
        made = scope.call_key.occurrence
        if made < limit:
            return await proceed(call)
        if made in (limit, 2 * limit):
            scope.event("loop.detected", {"kind": "call", "tool": call.tool.name, "times": made + 1})
        if made >= 2 * limit:
            raise LoopDetected(
                f"{scope.agent} asked {made + 1} times for the same call of {call.tool.name}",
                hint=f"Look why; or raise teams.{scope.team}.repetition.same_call and resume the run.",
            )
        text = (
            f"You have made this very call {made} times already, so it was not carried out again. Use the "
            "answers that you have, call with other arguments, or say what keeps you back."
        )
        return ToolResult(text=text, is_error=True, refused_by="repetition")

    return check
