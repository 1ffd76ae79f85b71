"""Who speaks: tokens of agents, that may write at the same time, as one message after the other."""

from collections.abc import Iterator
from dataclasses import dataclass

from proctor.core import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some words of a message."""

    agent: str
    text: str
    fresh: bool
    """Whether another message begins with them."""


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """A message that others are heard before."""

    agent: str
    text: str
    over: bool = False


class Floor:
    """Lets one agent speak at a time: what others write meanwhile follows when it has finished."""

    def __init__(self) -> None:
        self._speaker: str | None = None
        self._said = ""
        """The last message, as far as it was said."""
        self._waiting: list[_Waiting] = []

    def hear(self, token: Token) -> Iterator[Piece]:
        """The words that can be said now."""
        if self._speaker not in (None, token.agent):
            self._keep(token)
        elif not token.last:
            yield self._say(token.agent, token.text)
        else:
            self._speaker = None
            yield from self._next()

    def _keep(self, token: Token) -> None:
        for waiting in self._waiting:
            if waiting.agent == token.agent and not waiting.over:
                waiting.text += token.text
                waiting.over = token.last
                return
        if not token.last:
            self._waiting.append(_Waiting(agent=token.agent, text=token.text))

    def _next(self) -> Iterator[Piece]:
        while self._speaker is None and self._waiting:
            waiting = self._waiting.pop(0)
            yield self._say(waiting.agent, waiting.text)
            if waiting.over:
                self._speaker = None

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
