"""What a person is asked, and what the person decides."""

from dataclasses import dataclass
from typing import Literal

from proctor.core._json import JsonObject

QuestionKind = Literal["action", "reply", "uncertain", "diverged"]
"""
`action`: may this tool call be made? `reply`: a team's human is asked to speak.
`uncertain`: a tool call with side effects was started and its end isn't known.
`diverged`: a resumed run no longer asks for side effects that it had.
"""

DecisionKind = Literal["approve", "reject", "respond"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question to a person. A run waits for its answer without a process."""

    kind: QuestionKind
    role: str
    """Who is asked, in the team's words: `manager`; empty for whoever approves for the team."""
    text: str
    """The question in one or more sentences, with what is needed to decide."""
    action: JsonObject
    """The exact tool call: `server`, `tool`, `arguments`; for a reply, the conversation's last messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A person's answer."""

    kind: DecisionKind
    comment: str = ""
    by: str = ""
