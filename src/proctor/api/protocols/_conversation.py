"""A conversation that a caller sends along, as the one text that a team is given.

Roles are the caller's words: whatever stands in them has the authority of whoever asks, and no more. Equals
signs that stand in none of the texts are between them, so that no text can pass for another one.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from proctor.core import InvalidInput, Parts

_LINES = re.compile("={5,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message."""

    role: Literal["user", "assistant", "note"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a team is given."""

    text: str
    parts: Parts = ()
    """Where the messages stand in it, where it is put together from several."""


def task_of(conversation: Sequence[Said]) -> Task:
    """The last message, with all before it as context.

    Raises:
        InvalidInput: the last message isn't the user's.
    """
    messages = [said for said in conversation if said.role != "note"]
    if not messages or messages[-1].role != "user" or not messages[-1].text.strip():
        raise InvalidInput("the last message isn't the user's", hint="End with what the team is to do.")
    notes = [said for said in conversation if said.role == "note" and said.text.strip()]
    said = (*notes, *messages)
    if len(said) == 1:
        return Task(text=messages[-1].text)
    line = _line_in_none_of(each.text for each in said)
    headings = (*(each.role for each in said[:-1]), "the message to answer")
    text, parts = "", []
    for heading, each in zip(headings, said, strict=True):
        text += f"{line} {heading} {line}\n"
        parts.append((len(text), len(text) + len(each.text)))
        text += f"{each.text}\n"
    return Task(text=text.removesuffix("\n"), parts=tuple(parts))


def _line_in_none_of(texts: Iterable[str]) -> str:
    longest = max((len(run) for text in texts for run in _LINES.findall(text)), default=4)
    return "=" * (longest + 1)
