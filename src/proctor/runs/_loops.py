"""Agents that go round in circles: the same tool call with the same answer, the same round of messages.

Both count what a resumed run is given from its journal like what is new, so that they decide as they decided.
"""

import re
import unicodedata
from collections import deque
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar, cast

from proctor.core import (
    LoopDetected,
    TeamSettings,
    ToolCall,
    ToolHandler,
    ToolMiddleware,
    ToolResult,
    digest_of,
)
from proctor.runs._values import CallKey

if TYPE_CHECKING:
    from proctor.runs._scope import Scope

T = TypeVar("T")

LONGEST_ROUND = 4
"""Messages of the longest round that is looked for."""

ALIKE = 0.9
"""Share of words that two messages have in common, of all that they have."""

IN_ORDER = 0.8
"""Share of neighbouring words that they have in common: one word that differs parts two."""

MOST_CHANGED = 8
"""Words that may differ, however long the messages are: who revises a text changes a small share of it."""

FEWEST = 10
"""Words below which, and characters above which, messages are the same where their texts are."""
LONGEST = 8_000

REPETITION = "repetition"
"""What refuses a call that was made too often."""

_PIECES = re.compile(r"\d+(?:[.,:]\d+)*|[\u3040-\u30ff\u3400-\u9fff]+|[^\W\d_\u3040-\u30ff\u3400-\u9fff]+")
"""Numbers, runs of characters of a script without spaces, words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What one message comes to."""

    agent: str
    text: str
    """A digest."""
    words: frozenset[str]
    """Nothing where the text alone is compared."""
    length: int
    """In words."""
    pairs: frozenset[tuple[str, str]]
    """Neighbouring words."""
    numbers: tuple[str, ...]
    """In their order: a message that counts on is another one, however alike."""
    called: frozenset[str]
    """The tool calls that the agent had made for it."""

    def is_like(self, other: "_Said") -> bool:
        """Whether the same agent said nearly the same, after the same calls."""
        if self.agent != other.agent or self.called != other.called:
            return False
        if self.text == other.text:
            return True
        if not self.words or not other.words or self.numbers != other.numbers:
            return False
        return (
            abs(self.length - other.length) <= MOST_CHANGED
            and len(self.words ^ other.words) <= MOST_CHANGED
            and _shared(self.words, other.words) >= ALIKE
            and _shared(self.pairs, other.pairs) >= IN_ORDER
        )


def _shared(one: AbstractSet[T], other: AbstractSet[T]) -> float:
    return len(one & other) / len(one | other)


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
        self._last.append(_read(agent, text, frozenset(self._called.pop(agent, ()))))
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


def _read(agent: str, text: str, called: frozenset[str]) -> _Said:
    """What a message comes to: its words, of a script without spaces its pairs of characters, its numbers."""
    if len(text) > LONGEST:
        return _Said(
            agent=agent,
            text=digest_of(text),
            words=frozenset(),
            length=0,
            pairs=frozenset(),
            numbers=(),
            called=called,
        )
    plain = unicodedata.normalize("NFKC", text).casefold()
    words: list[str] = []
    numbers: list[str] = []
    for piece in _PIECES.findall(plain):
        if piece[0].isdigit():
            numbers.append(piece)
        elif "\u3040" <= piece[0] <= "\u9fff" and len(piece) > 1:
            words += (piece[place : place + 2] for place in range(len(piece) - 1))
        else:
            words.append(piece)
    if len(words) < FEWEST:
        words.clear()
    return _Said(
        agent=agent,
        text=digest_of(" ".join(plain.split())),
        words=frozenset(words),
        length=len(words),
        pairs=frozenset(pairwise(words)),
        numbers=tuple(numbers),
        called=called,
    )


@dataclass(slots=True, kw_only=True)
class _Streak:
    """The same call of one agent, as often as it came to the same."""

    made: int = 0
    answer: str = ""


class Streaks:
    """How often each agent has made the same call and read the same answer, while nothing else happened."""

    def __init__(self) -> None:
        self._streaks: dict[tuple[str, str], _Streak] = {}

    def ask(self, key: CallKey) -> int:
        """How often the call was made before. It counts from now on: others may be made in parallel."""
        streak = self._of(key)
        streak.made += 1
        return streak.made - 1

    def answer(self, key: CallKey, call: ToolCall, result: ToolResult) -> None:
        """Takes note of an answer. A new one begins the count anew; what acts does so for all other calls."""
        if result.refused_by == REPETITION:
            return
        streak, answer = self._of(key), digest_of(f"{result.is_error} {result.text}")
        if streak.answer not in ("", answer):
            streak.made = 1
        streak.answer = answer
        if call.tool.effect != "read_only" and not result.is_error and not result.refused_by:
            self._streaks = {(key.agent, key.fingerprint): streak}

    def forget(self) -> None:
        """Begins anew: a person has spoken, or an agent has failed, and what it did isn't asked for again."""
        self._streaks.clear()

    def _of(self, key: CallKey) -> _Streak:
        return self._streaks.setdefault((key.agent, key.fingerprint), _Streak())


def refuse_repetition(team: TeamSettings) -> ToolMiddleware:
    """A link that refuses a call which its agent has made too often, and fails an agent that insists.

    What was begun before, and what a person has decided on, came past here already.
    """
    limit = team.repetition.same_call

    async def check(call: ToolCall, proceed: ToolHandler) -> ToolResult:
        scope = cast("Scope", call.scope)
        made = scope.repeats
        if made < limit or scope.in_doubt or scope.is_decided("action"):
            return await proceed(call)
        if made in (limit, 2 * limit):
            scope.event("loop.detected", {"kind": "call", "tool": call.tool.name, "times": made + 1})
        if made >= 2 * limit:
            raise LoopDetected(
                f"{scope.agent} asked {made + 1} times for the same call of {call.tool.name}",
                hint=f"Look why; or raise teams.{scope.team}.repetition.same_call and resume the run.",
            )
        text = (
            f"You have made this very call {limit} times already, and it answered the same, so it was not "
            "carried out again. Use the answers that you have, call with other arguments, or say what keeps "
            "you back."
        )
        return ToolResult(text=text, is_error=True, refused_by=REPETITION)

    return check
