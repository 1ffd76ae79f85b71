"""Who speaks: tokens of agents, that may write at the same time, as one message after the other."""

from collections.abc import Iterator
from dataclasses import dataclass

from proctor.core import Event, Token

_ENDS = frozenset({"model.called", "agent.failed"})
"""Events after which an agent has said what it was saying."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some words of a message."""

    agent: str
    text: str
    fresh: bool
    """Whether another message begins with them."""


class Floor:
    """Lets one agent speak at a time: what others write meanwhile follows when it has finished."""

    def __init__(self) -> None:
        self._speaker: str | None = None
        self._said = ""
        """The last message, as far as it was said."""
        self._waiting: dict[str, list[str]] = {}

    def hear(self, item: Token | Event) -> Iterator[Piece]:
        """The words that can be said now."""
        match item:
            case Token() if self._speaker in (None, item.agent):
                yield self._say(item.agent, item.text)
            case Token():
                self._waiting.setdefault(item.agent, []).append(item.text)
            case Event() if item.type in _ENDS and item.agent == self._speaker:
                self._speaker = None
                yield from self._next()

    def _next(self) -> Iterator[Piece]:
        for agent in tuple(self._waiting)[:1]:
            yield self._say(agent, "".join(self._waiting.pop(agent)))

    def _say(self, agent: str, text: str) -> Piece:
        fresh = self._speaker is None
        self._speaker = agent
        self._said = text if fresh else self._said + text
        return Piece(agent=agent, text=text, fresh=fresh)

    def close(self, answer: str) -> Iterator[Piece]:
        """What is missing for the last message to be the answer: nothing, its end, or all of it."""
        if not answer or self._said.strip() == answer.strip():
            return
        if self._said and answer.startswith(self._said):
            yield Piece(agent="", text=answer[len(self._said) :], fresh=False)
        else:
            yield Piece(agent="", text=answer, fresh=True)
