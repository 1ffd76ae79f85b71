"""A conversation that a caller sends along, as the one text that a team is given.

Roles are the caller's words: whatever stands in them has the authority of whoever asks, and no more. What
comes before the last message is quoted line by line, so that no text can pass for another part of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from proctor.core import InvalidInput

NOTE = "The caller sends this along, to be taken into account where it fits your instructions:"
EARLIER = "What was said before, as the caller tells it:"
NOW = "The message to answer:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message."""

    role: Literal["user", "assistant", "note"]
    text: str


def task_of(conversation: Sequence[Said]) -> str:
    """The last message, with all before it as context.

    Raises:
        InvalidInput: the last message isn't the user's.
    """
    messages = [said for said in conversation if said.role != "note"]
    if not messages or messages[-1].role != "user" or not messages[-1].text.strip():
        raise InvalidInput("the last message isn't the user's", hint="End with what the team is to do.")
    notes = [said.text for said in conversation if said.role == "note" and said.text.strip()]
    earlier = messages[:-1]
    if not notes and not earlier:
        return messages[-1].text
    parts = [*([NOTE, *map(_quoted, notes)] if notes else ())]
    if earlier:
        parts.append(EARLIER)
        parts += [f"{said.role}:\n{_quoted(said.text)}" for said in earlier]
    return "\n\n".join([*parts, NOW, messages[-1].text])


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())
