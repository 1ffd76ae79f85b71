"""What a person is asked, on which terms, and what the person decides."""

import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from proctor.core._json import JsonObject

QuestionKind = Literal[
    "action", "edited", "second", "reply", "uncertain", "diverged", "budget", "elicit", "output"
]
"""
`action`: may this tool call be made? `edited`: a person changed its arguments, and a rule asks others about
that. `second`: a person said yes, and a judge model doesn't agree. `reply`: a team's human is asked to speak.
`uncertain`: a tool call with side effects was started and its end isn't known. `diverged`: a resumed run no
longer asks for side effects that it had. `budget`: may more be spent than a budget holds?
`elicit`: a tool asks for something while it runs. `output`: may a run's answer go out?
"""

DecisionKind = Literal["approve", "edit", "reject", "respond"]

OnExpiry = Literal["reject", "respond", "approve", "escalate"]

StandingScope = Literal["run", "thread", "day"]

LONGEST_NAME = 200
"""Characters by which persons are told apart."""

LINK = "link:"
"""Begins the name of whoever decides through a link that was sent to a role; the role follows.

Whoever has such a link decides for the role, where any one person is enough: nobody knows who it is.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """A second verification: after the first approval another person agrees, or a judge model."""

    roles: tuple[str, ...] = ()
    """Who may be the second person; empty: anybody but the first."""
    judge: str = ""
    """The deployment that judges; empty: a person does."""
    rubric: str = ""
    """What the judge goes by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Why a question is asked, who decides it and until when."""

    rule: str = ""
    """The rule that asks: `approvals.1`, or its own name; empty for the default."""
    risk: str = ""
    """What could go wrong, in the rule's words."""
    labels: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    """Who decides: members of one of these. Empty: anybody."""
    quorum: int = 1
    """Persons who must approve."""
    not_requester: bool = False
    """Whoever asked for the run doesn't decide."""
    after: str = ""
    """The key of a call whose approval came first: whoever gave that one doesn't decide."""
    expires: timedelta | None = None
    on_expiry: OnExpiry = "reject"
    escalate_to: tuple[str, ...] = ()
    """Roles that are asked one after the other, each when the one before let it expire."""
    default: str = ""
    """What is answered on expiry, where `on_expiry` is `respond`."""
    remind: timedelta | None = None
    """After this time, and again each time it has passed."""
    editable: JsonObject | None = None
    """JSON Schema that edited arguments fit; nothing: they can't be edited."""
    second: Second | None = None


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
    terms: Terms = Terms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A person's answer."""

    kind: DecisionKind
    comment: str = ""
    by: str = ""
    arguments: JsonObject | None = None
    """For `edit`: the arguments to call the tool with."""
    digest: str = ""
    """Of the action as the person saw it: where another one waits by now, the decision isn't taken."""
    standing: StandingScope | None = None
    """Also for later calls of this tool: in this run, in this conversation, or until the UTC day ends."""
    same: tuple[str, ...] | None = None
    """For a standing approval: the arguments that must be as they are now. Absent: all; empty: none."""


def person(name: str) -> str:
    """A name as it is compared: capitals, width and blanks make no difference."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(plain.replace("|", "/").split())[:LONGEST_NAME]
