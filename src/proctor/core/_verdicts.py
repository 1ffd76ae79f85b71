"""What a policy says about a text or an action."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Outcome = Literal["allow", "redact", "escalate", "deny"]

Stage = Literal["input", "tool_result", "knowledge", "output", "memory"]
"""Where a text passes by: what a requester sends, what a tool gives back, a document on its way into the
knowledge base, what a run answers, and what is kept from one run to another."""

Parts: TypeAlias = tuple[tuple[int, int], ...]
"""Where texts stand in one that was put together from them: from the first character to one past the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A place in the *original* text that a rule points at."""

    start: int
    """First character, counted from 0."""
    end: int
    """One past the last character."""
    type: str
    """What was found, for example `payment_card`."""
    confidence: float = 1.0
    """From 0 to 1: how sure the rule is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer of a policy. `deny` and `escalate` are expected answers, not errors."""

    outcome: Outcome
    rules: tuple[str, ...] = ()
    """Ids of the rules that spoke, strongest first."""
    spans: tuple[Span, ...] = ()
    text: str | None = None
    """The text to go on with, where it isn't the original: for `redact`, and for `escalate` where something
    was taken out as well."""
    asks: tuple[str, ...] = ()
    """Kinds of findings that a person looks at before they have consequences."""
    reason: str = ""
    """One sentence for the person or model that is refused."""


ALLOW = Verdict(outcome="allow")
